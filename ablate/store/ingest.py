"""Run directories and plans → rows of the index; doing it again changes nothing."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import sqlite

from ablate.errors import StoreError
from ablate.matrix.plan import StudyPlan
from ablate.methods.script import TAKEN, Take
from ablate.methods.session import JobConfig
from ablate.store import schema
from ablate.store.events import EpochEnded
from ablate.store.history import Attempt, JobHistory, history
from ablate.store.job_result import JobResult
from ablate.store.rundir import AbsentError, DamagedError, EventLog, RunDirectory

BATCH = 500  #: jobs per transaction, so that it stays short

IndexRow = dict[str, Any]

_EMPTY = Attempt(0)
_MEASURED = "INSERT OR REPLACE INTO metrics (job, epoch, metric, value) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class Seen:
    """How much of a run directory the index holds."""

    events_size: int = -1  #: bytes of the event log
    events_count: int = 0
    events_digest: str = ""  #: of those bytes
    events_stamp: str = ""  #: `RunDirectory.stamp`; these two tell whether anything is new
    result_stamp: str = ""


@dataclass(frozen=True)
class JobRows:
    """Rows of one job; those of attempts and metrics still lack the job's number."""

    job: IndexRow
    attempts: list[IndexRow]
    metrics: list[tuple[int, str, float | None]]  #: epoch, name, value
    anew: bool  #: the log is not a continuation of what was seen: older metrics are void
    unread: tuple[str, ...] = ()  #: a sentence about each file that is damaged in part or whole

    @property
    def seen(self) -> Seen:
        """What the index holds once this is written."""
        return Seen(*(self.job[one.name] for one in fields(Seen)))


def seen(connection: Connection, ids: Collection[str]) -> dict[str, Seen]:
    """What the index holds of some jobs."""
    c = schema.jobs.c
    columns = [c[one.name] for one in fields(Seen)]
    query = select(c.id, *columns).where(c.id.in_(ids))
    return {row[0]: Seen(*row[1:]) for row in connection.execute(query)}


def gather(run: RunDirectory, before: Seen | None) -> JobRows | None:
    """Read a run directory; None if the index holds all of it already.

    Raises StoreError if its config or event log cannot be read.
    """
    stamps = run.stamp(run.events_file), run.stamp(run.result_file)
    if before and (before.events_stamp, before.result_stamp) == stamps:
        return None
    result, problem, result_stamp = _result(run, stamps[1])
    log, unread = events_beside(run, result)
    job_history = history(log.events, done=result is not None)
    old = before.events_count if before else 0
    anew = before is not None and log.digest(before.events_size) != before.events_digest
    fresh = history(log.events[old:]).epochs if old and not anew else job_history.epochs
    return JobRows(
        job_row(run, run.config(), log, job_history, result, problem)
        | {"events_stamp": stamps[0], "result_stamp": result_stamp},
        [attempt_row(attempt) for attempt in job_history.attempts],
        [
            (epoch, name, None if math.isnan(value) else value)
            for epoch, values in job_history.epochs.items()
            if epoch in fresh
            for name, value in values.items()
        ],
        anew,
        tuple(
            sentence
            for sentence in (
                problem,
                unread,
                contradiction(run, log, result),
                _damaged_lines(run, log),
            )
            if sentence
        ),
    )


def batches(runs: Iterable[RunDirectory]) -> Iterator[list[RunDirectory]]:
    """Run directories in groups, each for one transaction."""
    iterator = iter(runs)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def gather_all(
    runs: Iterable[RunDirectory], before: Mapping[str, Seen], unreadable: list[str]
) -> list[JobRows]:
    """What is new in run directories; adds a sentence about each that cannot be read."""
    records = []
    for run in runs:
        try:
            record = gather(run, before.get(run.id))
        except StoreError as error:
            unreadable.append(str(error))
        else:
            records += [record] if record is not None else []
    return records


def write(connection: Connection, records: Iterable[JobRows]) -> None:
    """Insert or update the rows of some jobs, inside the caller's transaction."""
    records = list(records)
    if not records:
        return
    upsert = sqlite.insert(schema.jobs)
    changed = {name: upsert.excluded[name] for name in records[0].job if name != "id"}
    connection.execute(
        upsert.on_conflict_do_update(index_elements=["id"], set_=changed),
        [record.job for record in records],
    )
    c = schema.jobs.c
    ids = [record.job["id"] for record in records]
    found = connection.execute(select(c.id, c.number).where(c.id.in_(ids)))
    number = {row.id: row.number for row in found}
    _forget(connection, schema.attempts, number.values())
    _forget(connection, schema.metrics, [number[r.job["id"]] for r in records if r.anew])
    went = [{"job": number[r.job["id"]], **row} for r in records for row in r.attempts]
    if went:
        connection.execute(insert(schema.attempts), went)
    measured = [(number[r.job["id"]], *row) for r in records for row in r.metrics]
    if measured:  # by far the most rows, so straight to the driver
        connection.exec_driver_sql(_MEASURED, measured)


def missing(connection: Connection, there: Set[str]) -> list[int]:
    """Numbers of the jobs that have no run directory any more."""
    c = schema.jobs.c
    rows = connection.execute(select(c.number, c.id)).all()
    return [row.number for row in rows if row.id not in there]


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    """Remove the rows of some jobs, inside the caller's transaction."""
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        for table in (schema.metrics, schema.attempts):
            _forget(connection, table, batch)
        connection.execute(delete(schema.jobs).where(schema.jobs.c.number.in_(batch)))


def forget_studies(connection: Connection, keys: Sequence[str]) -> None:
    """Remove studies and their lists of jobs, inside the caller's transaction."""
    c = schema.study_jobs.c
    connection.execute(delete(schema.study_jobs).where(c.study.in_(keys)))
    connection.execute(delete(schema.studies).where(schema.studies.c.key.in_(keys)))


def store_plan(connection: Connection, plan: StudyPlan, registered: float) -> None:
    """Insert or replace a study and its list of jobs, inside the caller's transaction."""
    document = plan.to_json()
    del document["jobs"]
    row = {
        "key": plan.key,
        "name": plan.name,
        "profile": plan.profile,
        "registered": registered,
        "document": json.dumps(document, ensure_ascii=False),
    }
    connection.execute(delete(schema.studies).where(schema.studies.c.key == plan.key))
    connection.execute(insert(schema.studies), row)
    rows = [
        {
            "study": plan.key,
            "position": position,
            "job": job.id,
            "kind": job.kind,
            "variant": job.variant,
            "pair": job.pair,
            "seed": job.seed,
            "upstream": json.dumps(job.upstream),
        }
        for position, job in enumerate(plan.jobs)
    ]
    if rows:
        connection.execute(insert(schema.study_jobs), rows)


def _forget(connection: Connection, table: Any, numbers_: Iterable[int]) -> None:
    gone = list(numbers_)
    if gone:
        connection.execute(delete(table).where(table.c.job.in_(gone)))


def contradiction(run: RunDirectory, log: EventLog, result: JobResult | None) -> str:
    """How a result contradicts the job's last epoch; "" if it does not.

    A script's metric may be the best of its values, which need not be of the last epoch.
    """
    epochs = [event for event in log.events if isinstance(event, EpochEnded)]
    if result is None or not epochs:
        return ""
    last = epochs[-1].metrics
    differ = ", ".join(
        f"{name} is {value}, was {last[name]}"
        for name, value in result.metrics.items()
        if name in last and last[name] != value and result.facts.get(f"{TAKEN}{name}") != Take.BEST
    )
    return f"{run.result_file}: differs from the job's last epoch: {differ}" if differ else ""


def _result(run: RunDirectory, stamp: str) -> tuple[JobResult | None, str, str]:
    """A result, what is wrong with it, and which state of it was seen.

    An unreadable result counts as missing; the job's error says why, and the next ingest tries
    again.
    """
    try:
        return run.read_result(), "", stamp
    except AbsentError:
        return None, "", stamp
    except DamagedError as error:
        return None, f"{error}; the next run does the job again", stamp
    except StoreError as error:
        return None, str(error), Seen.result_stamp


def events_beside(run: RunDirectory, result: JobResult | None) -> tuple[EventLog, str]:
    """The event log, and what is wrong with it: without one, a finished job has no history.

    Its result counts all the same. Of a job without result the log is all that there is.
    """
    try:
        return run.events(), ""
    except DamagedError as error:
        if result is None:
            raise
        return EventLog(), str(error)


def _damaged_lines(run: RunDirectory, log: EventLog) -> str:
    lines = f"{log.damaged} damaged line{'' if log.damaged == 1 else 's'}"
    return f"{run.events_file}: {lines}" if log.damaged else ""


def job_row(
    run: RunDirectory,
    config: JobConfig,
    log: EventLog,
    job_history: JobHistory,
    result: JobResult | None,
    problem: str = "",
) -> IndexRow:
    """The row of a job, but for the size of its result."""
    last = job_history.attempts[-1] if job_history.attempts else _EMPTY
    result = result or JobResult()
    facts = {**job_history.facts, **result.facts}
    return {
        "id": run.id,
        "kind": config.kind,
        "method": config.method,
        "pair": config.pair,
        "seed": config.seed,
        "status": job_history.status.value,
        "attempts": len(job_history.attempts),
        "resumed_from": _compact(job_history.resumed_from),
        "error": problem or job_history.error,
        "damaged": log.damaged,
        "device": _device_text(last),
        "host": last.host,
        "pid": last.pid,
        "process_start": last.process_start,
        "last_step": last.last_step,
        "last_epoch": last.last_epoch,
        "finished": job_history.finished,
        "best_epoch": result.best_epoch,
        "weights_digest": result.weights_digest,
        "checkpoint": facts.get("checkpoint") or _given_weights(config),
        "metrics": _compact(dict(result.metrics)),
        "best": _compact(dict(result.best)),
        "costs": _compact(dict(result.costs)),
        "facts": _compact(facts),
        "events_size": log.size,
        "events_count": len(log.events),
        "events_digest": log.digest(log.size),
    }


def _given_weights(config: JobConfig) -> str:
    """Weights that the user gave are known by their digest."""
    digest = config.inputs.get("checkpoint", "")
    return f"sha256:{digest}" if digest else ""


def attempt_row(attempt: Attempt) -> IndexRow:
    """The row of an attempt, but for its job's number."""
    row = {
        column.name: getattr(attempt, column.name)
        for column in schema.attempts.c
        if column.name != "job"
    }
    return row | {"device": _device_text(attempt), "outcome": attempt.outcome or ""}


def _device_text(attempt: Attempt) -> str:
    return "" if attempt.device is None else str(attempt.device)


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
