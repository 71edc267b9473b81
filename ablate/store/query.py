"""Read-only queries of the index: studies, jobs, curves, exports and study results."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from ablate.errors import StoreError
from ablate.matrix.plan import PlannedJob, StudyPlan
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.session import JobConfig
from ablate.store import connect, schema
from ablate.store.history import JobHistory, history
from ablate.store.index import Index
from ablate.store.ingest import contradiction, events_beside
from ablate.store.job_result import JobResult
from ablate.store.processes import Alive, is_alive
from ablate.store.results import Point
from ablate.store.rundir import RunDirectory
from ablate.store.states import (
    PLAN_COLUMNS,
    STATE_COLUMNS,
    error_text,
    job_status,
    known_statuses,
    planned_jobs,
    read_plan,
    statuses,
    tally,
)
from ablate.store.study_records import export, study_results

__all__ = [
    "JobDetails",
    "JobState",
    "Resumption",
    "StudySummary",
    "curves",
    "export",
    "job",
    "job_states",
    "seconds_worked",
    "studies",
    "study_plan",
    "study_results",
]

_PLANNED = schema.study_jobs.c
_JOBS = schema.jobs.c


@dataclass(frozen=True)
class StudySummary:
    """A study and how many of its jobs stand how."""

    plan: StudyPlan
    registered: float  #: unix time when it was last asked for
    counts: Mapping[JobStatus, int]  #: all of them, upstream jobs included


@dataclass(frozen=True)
class Resumption:
    """One attempt that took up a checkpoint."""

    attempt: int
    epoch: int | None
    step: int  #: global
    lost_seconds: float | None  #: work that had to be done again
    time: float | None  #: unix time at which it went on


@dataclass(frozen=True)
class JobState:
    """How one job of a study stands."""

    id: str
    kind: str
    variant: str | None
    pair: str
    seed: int
    status: JobStatus
    attempts: int
    outcomes: tuple[AttemptOutcome | None, ...]  #: how each ended; None while it is not known
    resumptions: tuple[Resumption, ...]
    error: str
    device: str
    epoch: int  #: last one heard of, 0 before
    step: int


@dataclass(frozen=True)
class JobDetails:
    """All there is to know of a job; read from its run directory, the truth."""

    id: str
    path: Path
    status: JobStatus
    studies: tuple[tuple[str, PlannedJob], ...]  #: (study key, job as that study sees it)
    config: JobConfig | None  #: None while it has not been started
    history: JobHistory
    result: JobResult | None
    damaged: int  #: lines of its event log that cannot be read
    doubt: str = ""  #: what its event log lacks, or says otherwise than its result
    gone: str = ""  #: how it stood before its folder was removed; "" if it was not


def studies(index: Index, alive: Alive = is_alive) -> list[StudySummary]:
    """All studies of a results folder by key, with counts per status."""
    return index.read(partial(_studies, alive=alive))


def study_plan(index: Index, key: str) -> StudyPlan:
    """The plan of a study; InputError if there is none of this key."""
    return index.read(partial(read_plan, key=key))


def job_states(index: Index, key: str, alive: Alive = is_alive) -> list[JobState]:
    """Every job of a study in the plan's order."""
    return index.read(partial(_job_states, key=key, alive=alive))


def seconds_worked(index: Index) -> dict[str, float]:
    """Job -> how long its attempts have worked so far, by the events that they wrote."""
    return index.read(_seconds_worked)


def job(index: Index, identifier: str, alive: Alive = is_alive) -> JobDetails:
    """Everything about the job of this full id; StoreError if its files cannot be read."""
    run = RunDirectory.of(index.results, identifier)
    rows, status, gone = index.read(partial(_job, identifier=identifier, alive=alive))
    result = run.result()
    log, unread = events_beside(run, result)
    config = run.config() if (run.path / "config.json").exists() else None
    job_history = history(log.events, done=result is not None)
    doubt = unread or contradiction(run, log, result)
    return JobDetails(
        identifier, run.path, status, rows, config, job_history, result, log.damaged, doubt, gone
    )


def curves(index: Index, key: str, metrics: Sequence[str]) -> list[Point]:
    """Per-epoch values of a study's student jobs, in the plan's order, by metric and epoch."""
    m = schema.metrics.c
    joined = schema.study_jobs.join(schema.jobs, _JOBS.id == _PLANNED.job).join(
        schema.metrics, m.job == _JOBS.number
    )
    query = (
        select(_PLANNED.variant, _PLANNED.pair, _PLANNED.seed, m.epoch, m.metric, m.value)
        .select_from(joined)
        .where(_PLANNED.study == key, _PLANNED.variant.is_not(None), m.metric.in_(list(metrics)))
        .order_by(_PLANNED.position, m.metric, m.epoch)
    )
    rows = index.read(lambda connection: connection.execute(query).all())
    return [Point._make(row if row[5] is not None else (*row[:5], math.nan)) for row in rows]


def _studies(connection: Connection, alive: Alive) -> list[StudySummary]:
    found = known_statuses(connection, alive, None)
    c = schema.studies.c
    summaries = []
    for key, registered in connection.execute(select(c.key, c.registered).order_by(c.key)).all():
        plan = read_plan(connection, key)
        ids = dict.fromkeys(job.id for job in plan.jobs)
        summaries.append(StudySummary(plan, registered, tally(found[name] for name in ids)))
    return summaries


def _job_states(connection: Connection, key: str, alive: Alive) -> list[JobState]:
    rows = connection.execute(
        planned_jobs(
            *STATE_COLUMNS,
            *PLAN_COLUMNS[1:5],
            _JOBS.attempts,
            _JOBS.error,
            _JOBS.device,
            _JOBS.last_epoch,
            _JOBS.last_step,
        ).where(_PLANNED.study == key)
    ).all()
    found = statuses((row[: len(STATE_COLUMNS)] for row in rows), alive)
    gone = connect.gone_jobs(connection)
    resumed, ends = _resumptions(connection, key), _outcomes(connection, key)
    return [
        JobState(
            row.job,
            row.kind,
            row.variant,
            row.pair,
            row.seed,
            found[row.job],
            row.attempts or 0,
            tuple(ends.get(row.job, ())),
            tuple(resumed.get(row.job, ())),
            gone.get(row.job) or error_text(row.status, row.error, found[row.job]),
            row.device or "",
            row.last_epoch or 0,
            row.last_step or 0,
        )
        for row in rows
    ]


def _resumptions(connection: Connection, key: str) -> dict[str, list[Resumption]]:
    a = schema.attempts.c
    of_study = select(_PLANNED.job).where(_PLANNED.study == key)
    query = (
        select(_JOBS.id, a.number, a.resumed_epoch, a.resumed_step, a.lost_seconds, a.started)
        .join(schema.attempts, a.job == _JOBS.number)
        .where(a.resumed_step.is_not(None), _JOBS.id.in_(of_study))
        .order_by(_JOBS.id, a.number)
    )
    found: dict[str, list[Resumption]] = {}
    for identifier, *resumption in connection.execute(query):
        found.setdefault(identifier, []).append(Resumption(*resumption))
    return found


def _outcomes(connection: Connection, key: str) -> dict[str, list[AttemptOutcome | None]]:
    a = schema.attempts.c
    of_study = select(_PLANNED.job).where(_PLANNED.study == key)
    query = (
        select(_JOBS.id, a.outcome)
        .join(schema.attempts, a.job == _JOBS.number)
        .where(_JOBS.id.in_(of_study))
        .order_by(_JOBS.id, a.number)
    )
    known = {one.value: one for one in AttemptOutcome}
    found: dict[str, list[AttemptOutcome | None]] = {}
    for identifier, outcome in connection.execute(query):
        found.setdefault(identifier, []).append(known.get(outcome))
    return found


def _seconds_worked(connection: Connection) -> dict[str, float]:
    a, now = schema.attempts.c, time.time()
    query = select(_JOBS.id, _JOBS.status, a.started, a.ended).join(
        schema.attempts, a.job == _JOBS.number
    )
    worked: dict[str, float] = {}
    for identifier, status, started, ended in connection.execute(query):
        end = now if ended is None and status == JobStatus.RUNNING else ended
        if started is not None and end is not None:
            worked[identifier] = worked.get(identifier, 0.0) + max(0.0, end - started)
    return worked


def _job(
    connection: Connection, identifier: str, alive: Alive
) -> tuple[tuple[tuple[str, PlannedJob], ...], JobStatus, str]:
    rows = connection.execute(
        select(schema.study_jobs)
        .where(_PLANNED.job == identifier)
        .order_by(_PLANNED.study, _PLANNED.position)
    ).all()
    planned = tuple(
        (
            row.study,
            PlannedJob(row.job, row.kind, row.variant, row.pair, row.seed,
                       tuple(json.loads(row.upstream))),
        )
        for row in rows
    )  # fmt: skip
    if planned:
        status = known_statuses(connection, alive, planned[0][0])[identifier]
        return planned, status, connect.gone_jobs(connection).get(identifier, "")
    known = connection.execute(select(schema.jobs).where(_JOBS.id == identifier)).first()
    if known is None:
        raise StoreError(f"job {identifier} is not in the index")
    return planned, job_status(known, alive), ""
