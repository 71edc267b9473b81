"""A launcher without processes: every attempt does at once what a test says, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ablate.errors import Remedy
from ablate.execute.agenda import Agenda
from ablate.execute.display import Silent
from ablate.execute.launch.base import Exit, Handle, Launcher, Report
from ablate.execute.orchestrator import MoreSeeds, Orchestrator
from ablate.execute.recovery import read_past
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.stop import StopRequests
from ablate.execute.summary import Summary
from ablate.execute.worker.order import Order
from ablate.matrix.identity import job_id
from ablate.matrix.plan import Matrix, PlannedJob, Role, StudyPlan, Variant
from ablate.methods.device import Device
from ablate.methods.lifecycle import JobStatus
from ablate.methods.session import JobConfig
from ablate.store.events import Finished, Started
from ablate.store.index import Index
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Execution, Profile, Settings

MIB = 2**20
SETTINGS = Settings(
    profile="toy",
    profiles={"toy": Profile(data="none")},
    execution=Execution(retry_delay_s=0.0, max_retries=1, machine_wait_minutes=0.5),
)


def finish(run: RunDirectory, order: Order, peak_mib: float = 0.0) -> None:
    """What a worker leaves that gets to its end."""
    stamp: Any = {"time": time.time(), "attempt": order.attempt}
    run.append(Started(device=Device(), host="h", **stamp), durable=False)
    run.write_result(
        JobResult(
            metrics={"top1": 1.0},
            best={"top1": 1.0},
            best_epoch=1,
            weights_digest="d" * 64,
            costs={"train_seconds": 0.0, "peak_memory_mib": peak_mib},
        )
    )
    run.append(Finished(**stamp), durable=False)


@dataclass
class FakeLauncher(Launcher):
    """Carries out `act` at launch; jobs end in order, one per `wait`, as `ends` allows."""

    name = "fake"
    act: Callable[[RunDirectory, Order], None] = finish
    ends: Callable[[str], bool] = lambda job: True
    code: Callable[[str], int] = lambda job: 0  #: exit code
    at_once: int = 1  #: exits that one `wait` returns
    running: list[str] = field(default_factory=list)
    launched: list[str] = field(default_factory=list)
    together: int = 0  #: most jobs that ran at once
    waits: int = 0

    def submit(self, order: Order, handle: Handle) -> str:
        self.launched.append(handle.job)
        self.act(RunDirectory(order.run), order)
        self.running.append(handle.job)
        self.together = max(self.together, len(self.running))
        return ""

    def find(self, handles: Iterable[Handle]) -> list[Handle]:
        return []

    def wait(self, seconds: float) -> list[Report]:
        self.waits += 1
        assert self.waits < 10_000, "this run never ends"
        ended = [job for job in self.running if self.ends(job)][: self.at_once]
        self.running = [job for job in self.running if job not in ended]
        return [Exit(job, self.code(job)) for job in ended]

    def terminate(self, handle: Handle) -> None:
        pass

    def kill(self, handles: Iterable[Handle]) -> None:
        pass

    def close(self, grace_s: float) -> None:
        self.running.clear()


@dataclass
class Lines(Silent):
    """A display that remembers."""

    statuses: list[tuple[str, str, str]] = field(default_factory=list)
    epochs: list[tuple[str, int]] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def job(self, job: str, status: JobStatus, detail: str = "") -> None:
        self.statuses.append((job, str(status), detail))

    def epoch(self, job: str, epoch: int, metrics: object) -> None:
        self.epochs.append((job, epoch))

    def note(self, job: str, what: str, detail: str) -> None:
        self.notes.append((job, what, detail))

    def say(self, sentence: str, *remedies: Remedy) -> None:
        self.said.append(": ".join([sentence, *map(str, remedies)]))


def make_matrix(jobs: int, kind: str = "student") -> Matrix:
    """So many jobs that need nothing."""
    configs: dict[str, JobConfig] = {}
    for number in range(jobs):
        config = JobConfig(
            kind=kind, method="m", program="p:q", networks={"subject": "s"}, seed=number,
            settings={},
        )  # fmt: skip
        configs[job_id(config)] = config
    planned = tuple(PlannedJob(job, kind, "v", "s", config.seed) for job, config in configs.items())
    plan = StudyPlan(
        name="fake", title="", question="", answers="", profile="toy", data="none", metrics=(),
        pairs=("s",), seeds=(), baseline={}, overrides={},
        variants=(Variant("v", Role.BASELINE, "m"),), jobs=planned,
    )  # fmt: skip
    return Matrix(plan, configs)


def orchestrate(
    results: Path,
    matrix: Matrix,
    launcher: FakeLauncher,
    devices: Sequence[DeviceCapacity],
    free: Callable[[], Sequence[int]] = list,
    lines: Lines | None = None,
    more_seeds: MoreSeeds | None = None,
) -> tuple[Summary, Lines]:
    """Run a matrix to its end with a fake launcher."""
    results.mkdir(exist_ok=True)
    lines = lines or Lines()
    with Index.open(results, writable=True) as index:
        index.register(matrix.plan)
        agenda = Agenda((matrix,), SETTINGS, results)
        past = read_past(agenda.configs, agenda.run)
        orchestrator = Orchestrator(
            agenda, index, devices, lines, StopRequests(), launcher,
            more_seeds=more_seeds, clock=count(step=0.1).__next__, free_bytes=free,
        )  # fmt: skip
        return orchestrator.run(past), lines
