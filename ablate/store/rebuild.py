"""The index from nothing but study documents and run directories."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, insert

from ablate.errors import InputError, Problem, StoreError
from ablate.store import connect, ingest, schema, studies
from ablate.store.files import TEMPORARY, sync_folder
from ablate.store.folders import NotPlainError, refuse_not_plain
from ablate.store.locks import FolderLock, orchestrator_lock
from ablate.store.results_format import DATABASE, check_format, holds_results, refuse_parent
from ablate.store.rundir import run_directories


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuilt index holds."""

    studies: int
    jobs: int
    left_out: tuple[str, ...]  #: a sentence about each file that could not be read in full


def reindex(results: Path) -> Rebuilt:
    """Build the index anew from the truth and put it in the old one's place.

    Raises BusyError while an orchestrator works in the folder, StoreError if it cannot be written
    or nothing was run in it, InputError if it is missing or another was meant.
    """
    check_results(results)
    check_format(results)
    with FolderLock(orchestrator_lock(results), "ablate reindex"):
        return rebuild(results)


def check_results(results: Path) -> None:
    """Raise StoreError for a folder in which nothing was run, such as a user's home.

    Raises InputError where a folder below it was meant.
    """
    refuse_parent(results)
    if not results.is_dir():
        raise InputError(Problem(str(results), "", "no such results folder"))
    if not holds_results(results):
        raise StoreError(f"{results}: nothing has been run here")


def rebuild(results: Path) -> Rebuilt:
    """As `reindex`, for a caller that holds the orchestrator's lock."""
    database = results / DATABASE
    fresh = results / f".{DATABASE}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}"
    try:
        _clean(results)
        with connect.store_errors(database):
            rebuilt = build(fresh, results)
        _swap(fresh, database)
    except OSError as error:
        raise StoreError(f"{database}: cannot be rebuilt: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            _clean(results)
    return rebuilt


def _clean(results: Path) -> None:
    """Remove unfinished indexes, ours or of a rebuild that was killed, with their journals."""
    for leftover in results.glob(f".{DATABASE}.*{TEMPORARY}*"):
        leftover.unlink(missing_ok=True)


def build(fresh: Path, results: Path) -> Rebuilt:
    """Build the index of a results folder as a new file, wherever that lies."""
    left_out: list[str] = []
    engine = connect.builder(fresh)
    with engine.begin() as connection:
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.meta), {"key": "schema", "value": str(schema.VERSION)})
    plans = _store_studies(engine, results, left_out)
    jobs = 0
    for batch in ingest.batches(run_directories(results)):
        records = ingest.gather_all(batch, {}, left_out)
        left_out += (sentence for record in records for sentence in record.unread)
        jobs += len(records)
        with engine.begin() as connection:
            ingest.write(connection, records)
    engine.dispose()
    _finish(fresh)
    return Rebuilt(plans, jobs, tuple(left_out))


def _store_studies(engine: Engine, results: Path, left_out: list[str]) -> int:
    count = 0
    for path in studies.document_paths(results):
        try:
            document = studies.read_document(path)
        except StoreError as error:
            left_out.append(str(error))
            continue
        with engine.begin() as connection:
            ingest.store_plan(connection, document.plan, document.registered)
        count += 1
    return count


def _finish(fresh: Path) -> None:
    """Bring the new file onto the disk, already in the mode that it will be used in."""
    with contextlib.closing(sqlite3.connect(fresh)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    for suffix in ("-wal", "-shm"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())


def _swap(fresh: Path, database: Path) -> None:
    """Replace the database; its log must never meet the new file, nor be missing from the old."""
    log, shared = (database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))
    for path in (database, log, shared):
        try:
            refuse_not_plain(path)
        except NotPlainError:
            path.unlink()  # the link itself
    if database.exists():
        with contextlib.suppress(sqlite3.Error):
            _empty_log(database)
    if log.exists() and log.stat().st_size:  # the old file is of no use without it
        database.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    shared.unlink(missing_ok=True)
    fresh.replace(database)
    sync_folder(database.parent)


def _empty_log(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
