"""Preview what a run of a study would do and cost.

Pure: the state of earlier jobs, their costs and the devices at hand come in as finished lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from ablate.matrix.costs import LARGE_TRAINING, Cost, CostTable, PaidJob, images_shown, wall_clock
from ablate.matrix.identity import short
from ablate.matrix.plan import Matrix, PlannedJob
from ablate.matrix.reasons import EarlierConfigs, reason
from ablate.methods.session import JobConfig

_HOUR = 3600.0
_MOST_NAMED = 3  #: jobs that a notice names


class PreviewState(StrEnum):
    """What a run would do with a job."""

    DONE = "done"
    """It has a result; a run leaves it alone."""

    RESUMABLE = "resumable"
    """It has a checkpoint; a run goes on from it."""

    QUEUED = "queued"
    """Another run or a cluster has it."""

    FAILED = "failed"
    """It was given up; a run leaves it alone until `ablate retry` puts it back."""

    NEW = "new"
    """A run starts it, from the beginning where it had begun without a checkpoint."""

    @property
    def runs(self) -> bool:
        """Whether a run works on such a job."""
        return self in (PreviewState.NEW, PreviewState.RESUMABLE)


@dataclass(frozen=True)
class Earlier:
    """What a results folder knows of jobs."""

    states: Mapping[str, PreviewState] = field(default_factory=dict)  #: of begun and ended jobs
    configs: Sequence[JobConfig] = ()  #: of all jobs there, the newest last
    paid: Sequence[PaidJob] = ()  #: finished jobs and what they took
    studies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Job -> names of studies that have it."""
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Digest of code -> module -> its digest, of earlier studies."""
    progress: Mapping[str, float] = field(default_factory=dict)  #: job -> share that is behind it
    gone: Mapping[str, str] = field(default_factory=dict)
    """How each job stood whose folder was removed: "was done; its folder is gone"."""


@dataclass(frozen=True)
class DevicesAtHand:
    """The devices at hand."""

    slots: int = 1  #: jobs at once
    name: str = "CPU"
    is_cpu: bool = True


@dataclass(frozen=True)
class PreviewJob:
    """One job of the study: what a run would do with it, why, and at what cost."""

    id: str
    kind: str
    row: str | None  #: label of its row; None for upstream work
    pair: str
    seed: int
    state: PreviewState
    reason: str  #: why it would run; "" where it would not
    shared_with: tuple[str, ...]  #: other studies that have it
    cost: Cost

    @property
    def short_id(self) -> str:
        """The form of its id that people read."""
        return short(self.id)


@dataclass(frozen=True)
class Preview:
    """What a run of a study would do and cost."""

    study: str
    profile: str
    rows: tuple[str, ...]
    pairs: tuple[str, ...]
    seeds: tuple[int, ...]
    most_seeds: int  #: as many as a rule for seeds may add up to; else as many as there are
    jobs: tuple[PreviewJob, ...]  #: each once, upstream work before what waits for it
    machine: DevicesAtHand
    seconds: float | None  #: work of all jobs that would run; None if any of them is unknown
    most_seconds: float | None  #: the same with the most seeds
    wall_clock_s: float | None
    disk_bytes: int | None
    warnings: tuple[str, ...]
    notices: tuple[str, ...]  #: what was counted, ignored or taken of the user's own files
    large_unknown: bool  #: a job of unknown cost trains as long as the published recipe

    @property
    def counts(self) -> Mapping[PreviewState, int]:
        """How many jobs stand how."""
        return Counter(job.state for job in self.jobs)

    @property
    def device_hours(self) -> float | None:
        """Work of all jobs that would run, in hours of one slot."""
        return None if self.seconds is None else self.seconds / _HOUR

    def needs_consent(self, ask_above_hours: float) -> bool:
        """Whether a person should be asked first; never where a study resumes."""
        begun = self.counts[PreviewState.RESUMABLE] or any(
            job.state is PreviewState.DONE and job.row is not None for job in self.jobs
        )
        if begun or not any(job.state.runs for job in self.jobs):
            return False
        hours = self.device_hours
        return self.large_unknown if hours is None else hours > ask_above_hours

    def to_json(self) -> dict[str, Any]:
        """Plain types, as `ablate preview --json` prints them."""
        fields = asdict(self)
        fields["counts"] = {state.value: self.counts.get(state, 0) for state in PreviewState}
        fields["device_hours"] = self.device_hours
        for job, plain in zip(self.jobs, fields["jobs"], strict=True):
            plain["short"] = job.short_id
        return fields


def preview(matrix: Matrix, earlier: Earlier, machine: DevicesAtHand) -> Preview:
    """What a run of `matrix` would do and cost, given what a results folder knows."""
    plan = matrix.plan
    known = EarlierConfigs(earlier.configs, {**earlier.modules, **plan.modules})
    table = CostTable(earlier.paid)
    once: dict[str, PlannedJob] = {}
    for planned in plan.jobs:  # a row that two ablations make has its jobs twice
        once.setdefault(planned.id, planned)
    jobs = tuple(
        _job(job, matrix.configs[job.id], earlier, known, table, plan.name) for job in once.values()
    )
    running = [job for job in jobs if job.state.runs]
    seconds = {job.id: job.cost.seconds for job in running}
    total = _sum(seconds.values())
    sizes = [job.cost.disk_bytes for job in running]
    upstream = {job.id: job.upstream for job in plan.jobs}
    times = {job: time for job, time in seconds.items() if time is not None}
    complete = len(times) == len(seconds)
    most = plan.seed_rule.most if plan.seed_rule else len(plan.seeds)
    unknown = [matrix.configs[job.id] for job in running if job.cost.seconds is None]
    large = any(images_shown(config) >= LARGE_TRAINING for config in unknown)
    return Preview(
        study=plan.name,
        profile=plan.profile,
        rows=tuple(variant.label for variant in plan.variants),
        pairs=plan.pairs,
        seeds=plan.seeds,
        most_seeds=most,
        jobs=jobs,
        machine=machine,
        seconds=total,
        most_seconds=_with_added_seeds(matrix, table, total, most - len(plan.seeds)),
        wall_clock_s=wall_clock(times, upstream, machine.slots) if complete else None,
        disk_bytes=_whole(_sum(sizes)),
        warnings=tuple(_warnings(matrix, running, total, machine, large=large)),
        notices=(*matrix.notices, *_gone(running, earlier)),
        large_unknown=large,
    )


def _job(
    job: PlannedJob,
    config: JobConfig,
    earlier: Earlier,
    known: EarlierConfigs,
    table: CostTable,
    study: str,
) -> PreviewJob:
    state = earlier.states.get(job.id, PreviewState.NEW)
    others = tuple(name for name in earlier.studies.get(job.id, ()) if name != study)
    why = ""
    if state is PreviewState.NEW:
        why = earlier.gone.get(job.id) or reason(config, known)
    if state is PreviewState.RESUMABLE:
        why = "begun, and not done"
    cost = table.cost(config) if state.runs else Cost()
    if cost.seconds is not None and job.id in earlier.progress:
        cost = replace(cost, seconds=cost.seconds * (1 - earlier.progress[job.id]))
    return PreviewJob(
        job.id, job.kind, job.variant, job.pair, job.seed, state, why, others, cost
    )  # fmt: skip


def _with_added_seeds(
    matrix: Matrix, table: CostTable, seconds: float | None, added: int
) -> float | None:
    """Work of all jobs if a rule adds so many seeds: each costs what a first seed costs in all.

    A seed's jobs are those of all rows, done or not, and upstream work that no other seed needs.
    """
    if seconds is None or added <= 0:
        return seconds
    seeds: dict[str, set[int]] = {}  #: job -> seeds that need it
    for job in reversed(matrix.plan.jobs):  # before what it waits for
        needed_by = seeds.setdefault(job.id, set())
        needed_by |= set() if job.variant is None else {job.seed}
        for upstream in job.upstream:
            seeds.setdefault(upstream, set()).update(needed_by)
    of_one_seed = (job for job, needed_by in seeds.items() if len(needed_by) == 1)
    first = _sum(table.cost(matrix.configs[job]).seconds for job in of_one_seed)
    return None if first is None else seconds + first / len(matrix.plan.seeds) * added


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum, or None where a part is not known."""
    values = list(values)
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _gone(running: Sequence[PreviewJob], earlier: Earlier) -> list[str]:
    """A notice of jobs that run again because their folders were removed."""
    gone = [job.short_id for job in running if job.id in earlier.gone]
    if not gone:
        return []
    named = ", ".join(gone[:_MOST_NAMED]) + ", ..." * (len(gone) > _MOST_NAMED)
    return [f"the folders of {len(gone)} jobs that ran before are gone: {named}"]


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _warnings(
    matrix: Matrix,
    running: Sequence[PreviewJob],
    seconds: float | None,
    machine: DevicesAtHand,
    *,
    large: bool,
) -> list[str]:
    """Sentences on what is out of proportion."""
    found = []
    if machine.is_cpu and large:
        most = max(images_shown(matrix.configs[job.id]) for job in running)
        found.append(
            f"no GPU is at hand, and a job trains on {most:,} images: on a CPU that takes days; "
            "a smaller profile shows whether the study works"
        )
    if seconds is not None and seconds / _HOUR / max(1, machine.slots) > 7 * 24:
        days = seconds / _HOUR / 24 / max(1, machine.slots)
        found.append(f"the study takes about {days:.0f} days on the devices at hand")
    return found
