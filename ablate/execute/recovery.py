"""What earlier runs left behind: done and failed jobs, attempts, and workers that still live."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ablate.execute.events import Outcome, Phase
from ablate.matrix.plan import Matrix
from ablate.store.history import Attempt, JobHistory, Status, history
from ablate.store.processes import is_alive
from ablate.store.rundir import RunDirectory


@dataclass(frozen=True)
class Past:
    """The state of a matrix before this run."""

    done: frozenset[str]
    failed: Mapping[str, Phase]  #: jobs that only `ablate retry` puts back
    attempts: Mapping[str, int]  #: attempts so far
    resumable: frozenset[str]  #: begun, not done

    def open(self, matrix: Matrix) -> list[str]:
        """Jobs that this run has to do."""
        return [job for job in matrix.configs if job not in self.done and job not in self.failed]


_FAILED = {Status.FAILED: Phase.FAILED, Status.DIVERGED: Phase.DIVERGED}


def read_past(matrix: Matrix, runs: Callable[[str], RunDirectory]) -> Past:
    """Read the run directories of a matrix."""
    done, failed, attempts, resumable = set(), {}, {}, set()
    for job in matrix.configs:
        run = runs(job)
        if run.result_file.exists():
            done.add(job)
            continue
        past = history(run.events().events)
        if not past.attempts:
            continue
        attempts[job] = past.attempts[-1].number
        if past.status in _FAILED:
            failed[job] = _FAILED[past.status]
        else:
            resumable.add(job)
    return Past(frozenset(done), failed, attempts, frozenset(resumable))


def settle_strays(
    matrix: Matrix,
    runs: Callable[[str], RunDirectory],
    grace_s: float,
    say: Callable[[str], None],
    alive: Callable[[str, int, float], bool | None] = is_alive,
) -> None:
    """Wait until workers of a dead orchestrator have left, and write down those that died with it.

    They noticed its death and are writing their checkpoints; those that have not left after
    `grace_s` are killed. Call with the orchestrator's lock held: then nobody else's worker can
    be among them.
    """
    strays = {job: last for job in matrix.configs if (last := _open_attempt(runs(job)))}
    living = {job: a for job, a in strays.items() if _lives(a, alive)}
    if living:
        say(f"waiting for {len(living)} workers of an earlier run to write their checkpoints")
    deadline = time.monotonic() + grace_s
    while any(_lives(a, alive) for a in living.values()):
        if time.monotonic() > deadline:
            for a in living.values():
                if a.pid and _lives(a, alive):
                    with suppress(ProcessLookupError):
                        os.killpg(a.pid, signal.SIGKILL)
        time.sleep(0.05)
    for job, a in strays.items():
        run = runs(job)
        now = _open_attempt(run)
        if now is not None and not run.result_file.exists():
            run.append(
                {
                    "event": "ended",
                    "time": time.time(),
                    "attempt": a.number,
                    "outcome": Outcome.CRASHED,
                    "phase": Phase.STOPPED,
                    "message": "lost with its orchestrator",
                }
            )


def _open_attempt(run: RunDirectory) -> Attempt | None:
    past: JobHistory = history(run.events().events)
    last = past.attempts[-1] if past.attempts else None
    return last if last is not None and last.open else None


def _lives(attempt: Attempt, alive: Callable[[str, int, float], bool | None]) -> bool:
    if attempt.pid is None or attempt.process_start is None:
        return False
    return bool(alive(attempt.host, attempt.pid, attempt.process_start))
