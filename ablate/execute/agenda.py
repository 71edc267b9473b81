"""The jobs of all studies of one run, each once: names, upstream jobs and orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ablate.execute.display import Work
from ablate.execute.launch.devices import visible_name
from ablate.execute.recovery import Past
from ablate.execute.scheduler.messages import Task
from ablate.execute.scheduler.retry import RetryPolicy
from ablate.execute.worker.order import Order
from ablate.matrix.identity import short
from ablate.matrix.plan import Matrix
from ablate.methods.device import Device, DeviceKind
from ablate.methods.lifecycle import BROKEN, JobStatus
from ablate.methods.session import JobConfig, Machine
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Settings


@dataclass(frozen=True)
class Agenda:
    """All jobs that one run carries out in a results folder."""

    matrices: tuple[Matrix, ...]
    settings: Settings
    results: Path
    left_out: frozenset[str] = frozenset()  #: jobs that may run elsewhere, and what needs them

    @cached_property
    def owners(self) -> Mapping[str, Matrix]:
        """The first study that has each job."""
        owners: dict[str, Matrix] = {}
        for matrix in self.matrices:
            for job in matrix.configs:
                if job not in self.left_out:
                    owners.setdefault(job, matrix)
        return owners

    @cached_property
    def rows(self) -> Mapping[str, str]:
        """Each job's row of the table, or its kind."""
        planned = (job for matrix in self.matrices for job in matrix.plan.jobs)
        return dict.fromkeys(self.owners, "") | {job.id: job.variant or job.kind for job in planned}

    @property
    def title(self) -> str:
        """The studies' names."""
        return " ".join(matrix.plan.name for matrix in self.matrices)

    @cached_property
    def configs(self) -> Mapping[str, JobConfig]:
        """Every job's config, upstream jobs before those that need them."""
        return {job: matrix.configs[job] for job, matrix in self.owners.items()}

    def run(self, job: str) -> RunDirectory:
        """The run directory of a job."""
        return RunDirectory.of(self.results, job)

    def config(self, job: str) -> JobConfig:
        """What a job computes."""
        return self.owners[job].configs[job]

    def task(self, job: str) -> Task:
        """A job as the scheduler sees it."""
        config = self.config(job)
        kind = f"{config.kind} {config.method} {config.pair} {config.data}"
        return Task(job, kind, tuple(config.upstream.values()), self.rows[job])

    @property
    def retry_policy(self) -> RetryPolicy:
        """How often attempts that went wrong are repeated."""
        execution = self.settings.execution
        return RetryPolicy(
            execution.max_retries,
            execution.retry_delay_s,
            machine_wait_s=60 * execution.machine_wait_minutes,
        )

    def blocked_by(self, job: str, status_of: Callable[[str], JobStatus]) -> str:
        """Which job, of all that a blocked one waits for, failed itself."""
        while (status := status_of(job)) is JobStatus.BLOCKED:
            needed = self.config(job).upstream.values()
            job = next(name for name in needed if status_of(name) in BROKEN)
        return f"waits for {self.name(job)}, which {status}"

    def name(self, job: str) -> str:
        """What people call a job."""
        return self.names.get(job, short(job))

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What people call each job: variant, networks where there are any, and seed."""
        names: dict[str, str] = {}
        for matrix in self.matrices:
            for job, name in job_names(matrix).items():
                several = len(self.matrices) > 1
                names.setdefault(job, f"{matrix.plan.name}: {name}" if several else name)
        return names

    def work(self, jobs: Iterable[str], past: Past) -> dict[str, Work]:
        """What a display should know of jobs that are to be done."""
        return {
            job: Work(self.name(job), epochs_of(self.config(job)), past.epochs.get(job, 0))
            for job in jobs
        }

    def order(self, job: str, attempt: int, device: str, facts: Mapping[str, str]) -> Order:
        """The order for the worker of an attempt."""
        matrix, config, execution = self.owners[job], self.config(job), self.settings.execution
        place = Device.parse(device)
        if place.kind is DeviceKind.CUDA and not place.assigned:
            place = replace(place, visible_name=visible_name(place.index))
        inputs = {name: matrix.files.get(digest) for name, digest in config.inputs.items()}
        machine = Machine(
            device=place.torch,
            threads=execution.threads,
            data_dir=self.settings.path(self.settings.data_dir),
            files={name: path for name, path in inputs.items() if path is not None},
        )
        return Order(
            run=self.run(job).path,
            attempt=attempt,
            kind=config.kind,
            machine=machine,
            upstream={role: self.run(needed).path for role, needed in config.upstream.items()},
            interval=execution.interval,
            method_file=matrix.method_files.get(config.method, ""),
            method_code=matrix.method_codes.get(config.method, ""),
            device=place,
            grace_s=execution.grace_s,
            facts=facts,
        )


def job_names(matrix: Matrix) -> dict[str, str]:
    """What people call each job of a study."""
    names = {}
    for job in matrix.plan.jobs:
        config = matrix.configs.get(job.id)
        what = job.variant or job.kind.replace("_", " ")
        networks = config.pair if config is not None else ""
        names[job.id] = ", ".join(filter(None, (what, networks, f"seed {job.seed}")))
    return names


def epochs_of(config: JobConfig) -> int:
    """Epochs of a job; one where its method has no such setting."""
    return int(config.settings.get("epochs", 1))
