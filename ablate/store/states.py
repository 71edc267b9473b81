"""Status of jobs: the index's, corrected by live processes and upstream jobs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from ablate.errors import InputError, Problem, Remedy
from ablate.matrix.plan import PlannedJob, StudyPlan
from ablate.methods.lifecycle import BROKEN, RECORDED, JobStatus
from ablate.store import schema
from ablate.store.processes import Alive

BLOCKED = "a job that it waits for failed"
LOST = "its process is gone; the next run resumes it"

_STATUSES = {status.value: status for status in RECORDED}
_PLANNED = schema.study_jobs.c
_JOBS = schema.jobs.c

#: a job as a study sees it
PLAN_COLUMNS = (
    _PLANNED.job,
    _PLANNED.kind,
    _PLANNED.variant,
    _PLANNED.pair,
    _PLANNED.seed,
    _PLANNED.upstream,
)
#: what `statuses` needs of a job
STATE_COLUMNS = (
    _PLANNED.job,
    _PLANNED.upstream,
    _JOBS.status,
    _JOBS.host,
    _JOBS.pid,
    _JOBS.process_start,
)


def planned_jobs(*columns: Any) -> Select[Any]:
    """Select from the jobs of studies in the order of their plans; unknown ones give nulls."""
    joined = schema.study_jobs.outerjoin(schema.jobs, _JOBS.id == _PLANNED.job)
    return select(*columns).select_from(joined).order_by(_PLANNED.study, _PLANNED.position)


def statuses(rows: Iterable[Sequence[Any]], alive: Alive) -> dict[str, JobStatus]:
    """JobStatus of each job of some rows of `planned_jobs(*STATE_COLUMNS)`, upstream jobs first.

    An open attempt whose process is known to be gone is interrupted; a job that waits for a
    broken one is blocked.
    """
    found: dict[str, JobStatus] = {}
    for job, upstream, status, host, pid, start in rows:
        if job in found:
            continue
        now = _now(status, host, pid, start, alive)
        if now is JobStatus.WAITING and upstream != "[]":
            broken = (found.get(name) in BROKEN for name in json.loads(upstream))
            now = JobStatus.BLOCKED if any(broken) else now
        found[job] = now
    return found


def job_status(row: Any, alive: Alive) -> JobStatus:
    """JobStatus of a job of the jobs table, whatever waits for it."""
    return _now(row.status, row.host, row.pid, row.process_start, alive)


def error_text(stored: str | None, error: str | None, now: JobStatus) -> str:
    """What went wrong with a job's last attempt; `stored` is its status in the index."""
    if not error and now is JobStatus.INTERRUPTED and stored == JobStatus.RUNNING:
        return LOST
    return error or (BLOCKED if now is JobStatus.BLOCKED else "")


def parsed(texts: Sequence[str | None], empty: str) -> list[Any]:
    """Parse many small JSON texts at once, which is much faster than one by one."""
    return list(json.loads("[" + ",".join(text or empty for text in texts) + "]"))


def tally(found: Iterable[JobStatus]) -> Mapping[JobStatus, int]:
    """Count each status, those that don't occur included."""
    counts: dict[JobStatus, int] = dict.fromkeys(RECORDED, 0)
    for status in found:
        counts[status] += 1
    return counts


def read_plan(
    connection: Connection, key: str, jobs: tuple[PlannedJob, ...] | None = None
) -> StudyPlan:
    """The plan of a study with its jobs, or with the given ones; InputError if there is none."""
    document = connection.execute(
        select(schema.studies.c.document).where(schema.studies.c.key == key)
    ).scalar()
    if document is None:
        raise InputError(Problem("study", "", f'no study "{key}"')).helped_by(Remedy("status"))
    plan = StudyPlan.from_json({**json.loads(document), "jobs": ()})
    return dataclasses.replace(plan, jobs=_jobs(connection, key) if jobs is None else jobs)


def _jobs(connection: Connection, key: str) -> tuple[PlannedJob, ...]:
    of_study = select(*PLAN_COLUMNS).where(_PLANNED.study == key)
    rows = connection.execute(of_study.order_by(_PLANNED.position)).all()
    upstream = {text: tuple(json.loads(text)) for text in {row.upstream for row in rows}}
    return tuple(
        PlannedJob(row.job, row.kind, row.variant, row.pair, row.seed, upstream[row.upstream])
        for row in rows
    )


def known_statuses(connection: Connection, alive: Alive, key: str | None) -> dict[str, JobStatus]:
    """JobStatus of each job of one study, or of all."""
    query = planned_jobs(*STATE_COLUMNS)
    if key is not None:
        query = query.where(_PLANNED.study == key)
    return statuses(connection.execute(query), alive)


def _now(
    status: str | None, host: str | None, pid: int | None, start: float | None, alive: Alive
) -> JobStatus:
    if status is None:
        return JobStatus.WAITING
    if status == JobStatus.RUNNING and host and pid is not None and start is not None:
        return JobStatus.INTERRUPTED if alive(host, pid, start) is False else JobStatus.RUNNING
    return _STATUSES[status]
