"""Kill at random until a study is done, and look at what is left."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from ablate.store.events import CheckpointSaved, Resumed
from tests.execute.toy_workshop import PATIENCE_S, Workshop, fork_servers, is_running, until

#: Moments that random kills would rarely hit, each taken by whoever comes there first.
MOMENTS = (
    "kill-checkpoint-writing", "kill-checkpoint-written", "kill-checkpoint-renamed",
    "kill-result-written", "kill-result-renamed", "kill-ingest-before", "kill-ingest-inside",
)  # fmt: skip


@dataclass
class Chaos:
    """Runs a command again and again, and kills what it started at seeded random moments."""

    workshop: Workshop
    command: tuple[str, ...]
    seed: int
    longest_s: float  #: between two kills
    codes: tuple[int, ...] = (0, -signal.SIGKILL)  #: with which a run may end before its time
    output: int = subprocess.DEVNULL  #: of runs that will be killed
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    @property
    def total(self) -> int:
        """Kills so far, those at exact moments included."""
        return self.kills.total()

    def go(self, kills: int) -> None:
        """Kill so often, then let the command come to its end."""
        while self.total < kills:
            self._run_until_killed(kills)
        self._moments()
        said = self.workshop.ablate(*self.command)
        while said.returncode == -signal.SIGKILL:  # an order that was left met the orchestrator
            said = self.workshop.ablate(*self.command)
        assert said.returncode == 0, said.stdout + said.stderr
        self._moments()

    def _run_until_killed(self, kills: int) -> None:
        run = self.workshop.start(*self.command, stdout=self.output, stderr=self.output)
        until(lambda: self.workshop.living() or run.poll() is not None, "a worker")
        while run.poll() is None and self.total < kills:
            time.sleep(self._rng.uniform(0.0, self.longest_s))
            self._disturb(run)
        code = run.wait(timeout=PATIENCE_S) if run.poll() is not None else 0
        assert code in self.codes, code
        if self.total < kills:
            assert code, f"done after {self.total} kills: too little work for so many"
        else:
            run.kill()
            run.wait()
        self._moments()

    def _disturb(self, run: subprocess.Popen[str]) -> None:
        whom = self._rng.choice(["worker", "worker", "orchestrator", "both", "fork server"])
        if whom == "fork server":
            for server in fork_servers(run):
                with contextlib.suppress(psutil.Error):
                    server.kill()
                    self.kills[whom] += 1
            return
        workers = [attempt.pid for attempt in self.workshop.living() if attempt.pid]
        victims = [self._rng.choice(workers)] if workers and whom != "orchestrator" else []
        if whom != "worker":
            victims.insert(self._rng.randrange(len(victims) + 1), run.pid)
        hit = [pid for pid in victims if is_running(pid)]
        for pid in hit:
            _kill(pid)
        if hit:
            self.kills[whom] += 1
        if run.pid in victims:
            run.wait()

    def _moments(self) -> None:
        """Count the orders that were carried out."""
        if "TOY_ORDERS" in self.workshop.environment:
            done = set(MOMENTS) - set(self.workshop.orders_left())
            self.kills |= Counter(dict.fromkeys(done, 1))


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def consistent(workshop: Workshop) -> None:
    """One result per job; attempts and resumptions tell one story; nothing is left over."""
    for run, history in zip(workshop.runs(), workshop.histories(), strict=True):
        numbers = [attempt.number for attempt in history.attempts]
        assert numbers == sorted(set(numbers)), "attempts are counted on"
        assert all(attempt.outcome for attempt in history.attempts)
        assert history.attempts[-1].outcome == "finished"
        resumed = list(history.resumed_from)
        assert resumed == sorted(resumed), "nobody went back behind an earlier resumption"
        saved = {e.step for e in run.events().events if isinstance(e, CheckpointSaved)}
        pulses = [e for e in run.events().events if isinstance(e, Resumed)]
        assert all((e.lost_seconds or 0) >= 0 and (e.lost_steps or 0) >= 0 for e in pulses)
        assert len(set(resumed) - saved) <= 2, "but for kills between checkpoint and event"
        assert not any(run.checkpoints.iterdir())
        assert not list(run.path.rglob(".*.tmp"))
    records = workshop.records()
    for record in records:
        assert record["resumed_from"] == sorted(record["resumed_from"])
    workshop.nothing_runs()
