"""Earlier jobs in the index: their costs, and the studies that have them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from ablate.methods.lifecycle import JobStatus
from ablate.store import connect, schema
from ablate.store.index import Index
from ablate.store.processes import Alive, is_alive
from ablate.store.states import job_status, parsed

_JOBS = schema.jobs.c
_MEMORY = "peak_memory_mib"  #: cost that every job of the package's own measures

MOST_JOBS = 5_000  #: the newest ones that are looked at
MOST_STUDIES = 200


@dataclass(frozen=True)
class EarlierJob:
    """A job that has begun."""

    id: str
    status: JobStatus
    seconds: float | None  #: what its attempts have worked
    memory_bytes: int | None
    epoch: int  #: last one that ended


@dataclass(frozen=True)
class EarlierJobs:
    """Jobs of a results folder, the newest last, and the studies that have them."""

    jobs: tuple[EarlierJob, ...] = ()
    studies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  #: job -> studies' names
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Digest of code -> module -> its digest, as the studies' plans have it."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """How each job stood whose folder was removed since."""


def earlier_jobs(index: Index, alive: Alive = is_alive) -> EarlierJobs:
    """The newest jobs of a results folder; StoreError if its index cannot be read."""
    return index.read(lambda connection: _earlier_jobs(connection, alive))


def _earlier_jobs(connection: Connection, alive: Alive) -> EarlierJobs:
    rows = connection.execute(
        select(
            _JOBS.number, _JOBS.id, _JOBS.status, _JOBS.host, _JOBS.pid, _JOBS.process_start,
            _JOBS.costs, _JOBS.last_epoch,
        ).order_by(_JOBS.number.desc()).limit(MOST_JOBS)
    ).all()  # fmt: skip
    worked = _seconds(connection)
    costs = parsed([row.costs for row in rows], "{}")
    jobs = [
        EarlierJob(row.id, job_status(row, alive), worked.get(row.number), _bytes(cost),
                   row.last_epoch)
        for row, cost in zip(rows, costs, strict=True)
    ]  # fmt: skip
    planned, named = schema.study_jobs.c, schema.studies.c
    names: dict[str, dict[str, None]] = {}
    query = select(planned.job, named.name).join(schema.studies, named.key == planned.study)
    for job, name in connection.execute(query.distinct()):
        names.setdefault(job, {})[name] = None
    studies = {job: tuple(found) for job, found in names.items()}
    gone = connect.gone_jobs(connection)
    return EarlierJobs(tuple(reversed(jobs)), studies, _modules(connection), gone)


def _modules(connection: Connection) -> dict[str, dict[str, str]]:
    """The modules that the newest studies' plans name."""
    c = schema.studies.c
    rows = connection.execute(select(c.document).order_by(c.registered.desc()).limit(MOST_STUDIES))
    found: dict[str, dict[str, str]] = {}
    for (document,) in rows:
        modules = json.loads(document).get("modules")
        for code, digests in modules.items() if isinstance(modules, dict) else ():
            if isinstance(digests, dict):
                found.setdefault(code, digests)
    return found


def _seconds(connection: Connection) -> dict[int, float]:
    """Number of a job -> how long its attempts have worked; those under way until now."""
    attempts, now = schema.attempts.c, time.time()
    worked: dict[int, float] = {}
    for number, start, end in connection.execute(
        select(attempts.job, attempts.started, attempts.ended)
    ):
        if start is not None:
            worked[number] = worked.get(number, 0.0) + max(0.0, (end or now) - start)
    return worked


def _bytes(costs: object) -> int | None:
    mib = costs.get(_MEMORY) if isinstance(costs, dict) else None
    return int(mib * 2**20) if isinstance(mib, int | float) and 0 < mib < 2**40 else None
