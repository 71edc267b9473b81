"""Results of one study, in the form that reports start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ablate.matrix.plan import StudyPlan
from ablate.methods.lifecycle import JobStatus

if TYPE_CHECKING:
    from ablate.store.looks import Look


class MeasuredRun(NamedTuple):
    """One planned student job and what it has measured; a study may have very many."""

    variant: str  #: label
    pair: str  #: "resnet110/resnet32"
    seed: int
    job: str  #: full id
    status: JobStatus
    last: Mapping[str, float]  #: metric -> value at the last epoch; costs of the whole run too
    best: Mapping[str, float]  #: the same at the run's best epoch
    finished: float | None = None  #: unix time, where done
    facts: Mapping[str, str] = {}  #: "device", "threads", "torch", ... of its last attempt


class Point(NamedTuple):
    """A value of one epoch of a student job."""

    variant: str  #: label
    pair: str
    seed: int
    epoch: int
    metric: str
    value: float  #: NaN where it was none


@dataclass(frozen=True, slots=True)
class TeacherRun:
    """One upstream teacher job."""

    network: str
    status: JobStatus
    job: str  #: full id
    top1: float | None  #: percent
    weights_digest: str  #: "" before it is known
    checkpoint: str  #: where the weights came from, "" if they were trained here


@dataclass(frozen=True)
class StudyResults:
    """A study's plan and what its jobs have measured so far."""

    plan: StudyPlan  #: without its jobs, which are the runs and teachers
    runs: tuple[MeasuredRun, ...]  #: in the plan's order
    teachers: tuple[TeacherRun, ...]
    facts: Mapping[str, tuple[str, ...]]  #: "device", "torch", ... -> distinct values, sorted
    looks: tuple[Look, ...] = ()  #: on record in the results folder, of all studies

    def for_others(self) -> StudyResults:
        """The same results for a file that leaves this machine; see `StudyPlan.for_others`."""
        return replace(self, plan=self.plan.for_others())

    def values(self, metric: str, pair: str) -> dict[str, dict[int, float]]:
        """Row -> seed -> finite value of the last epoch, of the jobs that are done."""
        found: dict[str, dict[int, float]] = {}
        for run in self.runs:
            value = run.last.get(metric, math.nan)
            if run.pair == pair and run.status is JobStatus.DONE and math.isfinite(value):
                found.setdefault(run.variant, {})[run.seed] = float(value)
        return found
