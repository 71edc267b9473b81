"""The `ablate` command as a real process on toy studies, and ways to watch and disturb it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from ablate.execute.worker.worker_session import read_pulse
from ablate.store.events import CheckpointSaved
from ablate.store.history import Attempt, JobHistory, history
from ablate.store.processes import is_alive
from ablate.store.rundir import RunDirectory, run_directories

HERE = Path(__file__).parent
PATIENCE_S = 240.0  #: a bound for what must happen, not an expectation

PROFILE = """
[profiles.toy]
data = "none"
seeds = [0, 1]
"""
EXECUTION: dict[str, object] = {
    "devices": ["cpu"],
    "cpu_slots": 2,
    "retry_delay_s": 0.01,
    "grace_s": 30.0,  # the product's own; a loaded machine needs more than a moment
    "checkpoint_every": "1 epoch",
}

T = TypeVar("T")


def until(look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Look until there is something to see."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)
    return seen


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class Workshop:
    """A folder with an ablate.toml, toy studies and their results."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings()

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def settings(self, **execution: object) -> None:
        """Write the ablate.toml, with other values for its [execution]."""
        values = {**EXECUTION, **execution}
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        text = "\n".join(['profile = "toy"', "[execution]", *lines, PROFILE])
        (self.folder / "ablate.toml").write_text(text)

    def study(
        self, part: str = "shift", values: str = "[1.0]", method: str = "TOY", name: str = "study"
    ) -> str:
        """Write a study that ablates one part, and return its file's name."""
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'title = "Toy"\nmethod = "{HERE}/toy_method.py:{method}"\n[[ablation]]\n'
            f'ablated_part = "{part}"\naction = "REPLACE"\nreplacement = {values}\n'
        )
        return path.name

    def order(self, *points: str) -> None:
        """Order faults at these points (sabotage/sitecustomize.py) from processes to come."""
        orders = self.folder / "orders"
        orders.mkdir(exist_ok=True)
        for number, point in enumerate(points):
            (orders / f"{point}.{number}").touch()
        path = [str(HERE / "sabotage"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment |= {"TOY_ORDERS": str(orders), "PYTHONPATH": os.pathsep.join(path)}

    def orders_left(self) -> list[str]:
        return sorted(path.name.partition(".")[0] for path in (self.folder / "orders").iterdir())

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `ablate ARGUMENTS` in the folder, in a session of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ablate", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            text=True,
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "stdin": subprocess.DEVNULL,
                "start_new_session": True,
                **options,
            },
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """Wait for a process and take what it said."""
        out, err = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ablate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ablate ARGUMENTS` to its end."""
        return self.finish(self.start(*arguments))

    def run(self, *arguments: str, code: int = 0) -> str:
        """`ablate run ARGUMENTS` to the end that is expected; returns what it said."""
        done = self.ablate("run", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def hanging(self, count: int = 1) -> list[Attempt]:
        """Wait for workers that hang in their 16th step, and return them."""

        def look() -> list[Attempt]:
            found = []
            for run in self.runs():
                pulse = read_pulse(run)
                hangs = run.config().settings["fault"] in ("hang", "ignore_sigterm")
                found += self.living_of(run) if hangs and pulse and pulse.step >= 10 else []
            return found if len(found) >= count else []

        return until(look, f"{count} workers that hang")

    def records(self) -> list[dict[str, Any]]:
        """What `ablate export` says."""
        done = self.ablate("export")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def outcomes(self) -> dict[tuple[str, str, int], tuple[str, str]]:
        """What each job computed: (kind, variant, seed) -> (digest, metrics)."""
        found = {}
        for record in self.records():
            assert record["status"] == "done", record
            key = (record["kind"], record["variant"] or "", record["seed"])
            assert key not in found, "one result per job"
            found[key] = (record["weights_digest"], json.dumps(record["metrics"], sort_keys=True))
        return found

    def runs(self) -> list[RunDirectory]:
        return list(run_directories(self.results))

    def histories(self) -> list[JobHistory]:
        return [history(run.events().events, done=run.result() is not None) for run in self.runs()]

    def events(self, kind: type[T]) -> list[T]:
        """All events of this kind, of all jobs."""
        return [e for run in self.runs() for e in run.events().events if isinstance(e, kind)]

    def living(self) -> list[Attempt]:
        """Attempts whose worker runs now."""
        return [attempt for run in self.runs() for attempt in self.living_of(run)]

    def living_of(self, run: RunDirectory) -> list[Attempt]:
        last = history(run.events().events, done=run.result() is not None).attempts[-1:]
        return [
            a
            for a in last
            if a.pid and a.process_start and is_alive(a.host, a.pid, a.process_start)
        ]

    def indexed(self) -> int:
        """How many jobs the index has heard of that were begun."""
        with contextlib.closing(sqlite3.connect(self.results / "ablate.db")) as database:
            begun = "select count(*) from jobs where pid is not null"
            return int(database.execute(begun).fetchone()[0])

    def workers(self, count: int = 1, step: int = 0, *, saved: bool = False) -> list[Attempt]:
        """Wait until so many workers run that are past a step, or saved a checkpoint."""

        def look() -> list[Attempt]:
            found = []
            for run in self.runs():
                events = run.events().events
                if not saved or any(isinstance(e, CheckpointSaved) for e in events):
                    found += [a for a in self.living_of(run) if a.open and a.last_step >= step]
            return found if len(found) >= count else []

        return until(look, f"{count} workers past step {step}")

    def processes(self) -> list[psutil.Process]:
        """Processes of any kind that were started here: they work in this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.folder) and is_running(process.pid):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def nothing_runs(self) -> None:
        """Wait until nothing is left that was started here."""
        until(lambda: not self.processes(), f"no process left, but {self.processes()}")

    def close(self) -> None:
        """End whatever a failed test left."""
        for process in self.processes():
            process.kill()
        for started in self.started:
            started.wait()
            for pipe in (started.stdout, started.stderr):
                if pipe is not None:
                    pipe.close()


def fork_servers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The fork server of a run, if it has one now: a killed one is missed at the next launch."""
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if "forkserver" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def fork_server(process: subprocess.Popen[str]) -> psutil.Process:
    """Wait for the fork server of a run."""
    return until(lambda: fork_servers(process), "a fork server")[0]


def signal_worker(attempt: Attempt, number: int = signal.SIGKILL) -> None:
    """Send a signal to a worker."""
    assert attempt.pid
    os.kill(attempt.pid, number)
