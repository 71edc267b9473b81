"""The pure scheduler and the real Slurm launcher against a simulated cluster with faults.

Nothing trains: when a task of the cluster ends well, it leaves a result. Tasks are preempted, lose
their node, straggle, and the accounting is late. Whoever calls says how many jobs on how many GPUs.
"""

from __future__ import annotations

import random
import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ablate.execute.attempt_end import read_end
from ablate.execute.launch.base import Began, Exit, Handle, Queued, Report
from ablate.execute.launch.slurm import SlurmLauncher
from ablate.execute.launch.slurm_client import SlurmClient
from ablate.execute.scheduler import messages
from ablate.execute.scheduler.messages import (
    AllSettled,
    AttemptBegan,
    AttemptQueued,
    BackoffOver,
    Ended,
    Instruction,
    Launch,
    WakeAfter,
)
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.scheduler.scheduler import Scheduler
from ablate.execute.worker.order import Order
from ablate.methods.lifecycle import JobStatus
from ablate.methods.session import Machine
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory
from ablate.study.slurm_settings import Slurm
from tests.execute.launch.fake_slurm import FakeSlurm, Task

FAULTS = ("PREEMPTED", "NODE_FAIL", "TIMEOUT", "FAILED")
RUN_S = (300.0, 900.0)  #: how long a task takes


@dataclass
class Progress:
    """What was measured after each tenth of the jobs."""

    done: int
    events: int
    seconds: float  #: since the start
    peak_mib: float


@dataclass
class Outcome:
    """How a simulated study ended."""

    lost: int
    doubled: int
    attempts: int
    faults: Counter[str] = field(default_factory=Counter)
    queries: int = 0
    hours: float = 0.0  #: simulated
    progress: list[Progress] = field(default_factory=list)

    @property
    def queries_a_minute(self) -> float:
        """Queries of the controller per simulated minute."""
        return self.queries / (60 * self.hours) if self.hours else 0.0


class Simulation:
    """One study of jobs that each need one of a few teachers."""

    def __init__(self, folder: Path, *, jobs: int, gpus: int, seed: int, fault: float) -> None:
        """`fault`: the probability that a task ends other than well."""
        self.random, self.fault = random.Random(seed), fault
        self.results, self.jobs = folder, [f"{number:064x}" for number in range(jobs)]
        self.finished: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.cluster = FakeSlurm(
            work=self._work,
            finish=self._finish,
            places=gpus,
            remembers_s=120.0,
            accounting=True,
            accounting_late_s=200.0,
        )
        self.launcher = SlurmLauncher(
            Slurm.model_validate({"max_submitted": 4 * gpus, "late_s": 60.0}),
            folder,
            SlurmClient(self.cluster),
            clock=lambda: self.cluster.now,
            sleep=self.cluster.advance,
        )
        teachers = self.jobs[: max(1, jobs // 100)]
        tasks = [
            messages.Task(job, "teacher" if job in teachers else "student", needs)
            for job, needs in self._graph(teachers)
        ]
        self.scheduler = Scheduler(tasks, [DeviceCapacity("cuda", slots=4 * gpus)])
        self.attempts: Counter[str] = Counter()
        self.handles: dict[str, Handle] = {}
        self.wake: list[tuple[float, str]] = []
        self.settled = False

    def _graph(self, teachers: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for number, job in enumerate(self.jobs):
            yield job, () if number < len(teachers) else (teachers[number % len(teachers)],)

    def _work(self, task: Task) -> float:
        """How long a task runs; a fault is planned for its end."""
        seconds = self.random.uniform(*RUN_S)
        return seconds * 20 if self.random.random() < 0.002 else seconds  # a straggler

    def _finish(self, task: Task) -> None:
        run = RunDirectory(task.order.parent)
        if self.random.random() < self.fault:
            state = self.random.choice(FAULTS)
            self.faults[state] += 1
            task.doomed = state
            return
        self.finished[run.id] += 1
        run.write_result(JobResult(metrics={"top1": 1.0}))

    def run(self) -> Outcome:
        """Carry the study out."""
        started, events, progress = time.perf_counter(), 0, list[Progress]()
        self._carry_out(self.scheduler.start())
        while not self.settled:
            for report in self.launcher.wait(30.0):
                events += 1
                self._heard(report)
            for at, job in [pair for pair in self.wake if pair[0] <= self.cluster.now]:
                self.wake.remove((at, job))
                self._carry_out(self.scheduler.handle(BackoffOver(job)))
            done = self.scheduler.counts()[JobStatus.DONE]
            if done * 10 // len(self.jobs) > len(progress):
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                progress.append(Progress(done, events, time.perf_counter() - started, peak))
        counts = self.scheduler.counts()
        return Outcome(
            lost=len(self.jobs) - counts[JobStatus.DONE],
            doubled=sum(count > 1 for count in self.finished.values()),
            attempts=sum(self.attempts.values()),
            faults=self.faults,
            queries=self.launcher.queries,
            hours=self.cluster.now / 3600,
            progress=progress,
        )

    def _heard(self, report: Report) -> None:
        match report:
            case Queued(job):
                self._carry_out(self.scheduler.handle(AttemptQueued(job)))
            case Began(job):
                self._carry_out(self.scheduler.handle(AttemptBegan(job)))
            case Exit(job):
                end = read_end(RunDirectory.of(self.results, job), self.attempts[job], report)
                ended = Ended(job, self.attempts[job], end.event.outcome, self.attempts[job])
                self._carry_out(self.scheduler.handle(ended))

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Launch(job, attempt, _):
                    self.attempts[job] = attempt
                    run = RunDirectory.of(self.results, job)
                    run.path.mkdir(parents=True, exist_ok=True)
                    order = Order(run.path, attempt, Machine(), {}, kind="student")
                    self.handles[job] = self.launcher.launch(order)
                case WakeAfter(job, seconds):
                    self.wake.append((self.cluster.now + seconds, job))
                case AllSettled():
                    self.settled = True
