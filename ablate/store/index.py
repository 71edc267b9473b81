"""The SQLite index over a results folder: one writer, any number of readers, rebuildable."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection, Engine, Inspector, Table, inspect, select
from sqlalchemy.exc import DBAPIError

from ablate.errors import StoreError
from ablate.matrix.plan import StudyPlan
from ablate.store import connect, find, schema, studies
from ablate.store import ingest as rows
from ablate.store.processes import garbage_collector_off
from ablate.store.rebuild import build, rebuild
from ablate.store.results_format import DATABASE, check_format, holds_results, write_format
from ablate.store.rundir import RunDirectory, run_names

T = TypeVar("T")

_TRIES = 10


class Index:
    """The index of one results folder; `Index.open` it, in a `with` or to be closed."""

    def __init__(self, results: Path, engine: Engine | None, busy_seconds: float) -> None:
        self.results = results
        self._engine = engine
        self._busy_seconds = busy_seconds
        self._seen: dict[str, rows.Seen] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(
        cls, results: Path, writable: bool = False, busy_seconds: float = connect.BUSY_SECONDS
    ) -> Index:
        """Open the index of a results folder.

        Writable, for the holder of the orchestrator's lock, it is made if it is missing, and
        rebuilt if it is of another version, damaged, or locked by another program: it can be
        told from the run directories. Otherwise nothing is written or made anywhere. Raises
        StoreError if it cannot be opened, for a reader also if it is missing or of another version.
        """
        check_format(results)
        if writable:
            return cls._open_writable(results, busy_seconds)
        index = cls(results, None, busy_seconds)
        version = index.read(_schema_version)
        if version != schema.VERSION:
            other = f"schema {version}, this ablate uses {schema.VERSION}" if version else "damaged"
            raise StoreError(f"{index.database}: {other}").helped_by(connect.REINDEX)
        return index

    @classmethod
    def _open_writable(cls, results: Path, busy_seconds: float) -> Index:
        database = results / DATABASE
        make_folder(results)
        if not _is_usable(cls(results, None, busy_seconds)):
            rebuild(results)
        try:
            return cls(results, _writer(database, busy_seconds), busy_seconds)._without_missing()
        except StoreError:
            rebuild(results)
        return cls(results, _writer(database, busy_seconds), busy_seconds)

    def _without_missing(self) -> Index:
        """Remove jobs whose run directory is gone; close the index if that fails."""
        try:
            gone = self.read(partial(rows.missing, there=run_names(self.results)))
            if gone:
                self.write(partial(rows.forget, numbers=gone))
        except BaseException:
            self.close()
            raise
        return self

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.results / DATABASE

    def close(self) -> None:
        """Let go of the database; the last writer folds its log into the file."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query on one state of the database; it may run more than once.

        Raises StoreError if the database cannot be read.
        """
        if self._engine is not None:
            with (
                connect.store_errors(self.database, self._busy_seconds),
                connect.reading_as_writer(self._engine) as connection,
                garbage_collector_off(),
            ):
                return _understood(query, connection, self.database)
        connect.refuse_not_plain(self.database)
        database, share = self.database, True
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                source = connect.find_source(database, share=share)
            except FileNotFoundError:
                if not database.exists():
                    database = self._made_elsewhere()
                continue
            try:
                with (
                    connect.reading(source, self._busy_seconds) as connection,
                    garbage_collector_off(),
                ):
                    connect.leave_out(connection, run_names(self.results))
                    value = _understood(query, connection, database)
                if source.sound():
                    return value
            except (DBAPIError, FileNotFoundError) as error:
                if isinstance(error, DBAPIError) and (last or self._stays(error, source, share)):
                    with connect.store_errors(database, self._busy_seconds):
                        raise
                share = share and source.stamp is not None
            finally:
                source.close()
        raise StoreError(f"{database}: it keeps changing while it is read; try again")

    def _made_elsewhere(self) -> Path:
        """An index of this object's own, of a folder that lacks one and cannot be written.

        Raises StoreError where `ablate reindex` could make it, or nothing has been run.
        """
        if not holds_results(self.results):
            raise StoreError(f"{self.results}: nothing has been run here") from None
        if os.access(self.results, os.W_OK):
            missing = StoreError(f"{self.database}: the index is missing")
            raise missing.helped_by(connect.REINDEX) from None
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="ablate-")
            build(Path(self._temporary.name) / DATABASE, self.results)
        return Path(self._temporary.name) / DATABASE

    def _stays(self, error: DBAPIError, source: connect.ReadingPlace, share: bool) -> bool:
        """Whether a retry would fail too: not if the file changed or another way is left."""
        if source.stamp is not None:
            try:
                return source.sound()
            except FileNotFoundError:
                return False
        refused = ("readonly", "unable to open")
        return not (share and any(words in str(error.orig) for words in refused))

    def write(self, change: Callable[[Connection], T]) -> T:
        """Run a change in one transaction, waiting for other writers.

        Raises StoreError if the index was opened for reading, stays locked, or cannot be written.
        """
        if self._engine is None:
            raise StoreError(f"{self.database}: opened for reading only")
        with (
            connect.store_errors(self.database, self._busy_seconds),
            self._engine.begin() as connection,
        ):
            return change(connection)

    def register(self, plan: StudyPlan) -> StudyPlan:
        """Make a study known, before its jobs run; returns it with the seeds of earlier calls.

        Rows that the plan no longer has leave the study; their results stay in the folder.
        Raises StoreError if the folder cannot be written, or the study's document is damaged.
        """
        path = studies.document_path(self.results, plan.key)
        if path.exists():
            plan = studies.merge(studies.read_document(path).plan, plan)
        registered = time.time()
        try:
            studies.write_document(self.results, studies.StudyDocument(plan, registered))
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
        self._store_plan(plan, registered)
        return plan

    def _store_plan(self, plan: StudyPlan, registered: float) -> None:
        """Store a plan; an index that cannot store it is rebuilt with the plan in it."""
        try:
            self.write(lambda connection: rows.store_plan(connection, plan, registered))
        except StoreError:
            if self._engine is None:
                raise
            self.close()
            rebuild(self.results)
            self._engine = _writer(self.database, self._busy_seconds)
            self._seen.clear()

    def forget_studies(self, keys: Sequence[str]) -> None:
        """Remove studies from the index, without their jobs."""
        self.write(partial(rows.forget_studies, keys=keys))

    def ingest(self, run: RunDirectory) -> bool:
        """Take over what is new in a run directory, and say whether anything was.

        Raises StoreError if the directory cannot be read, or the index not be written.
        """
        return self.ingest_many([run]) == 1

    def ingest_many(self, runs: Iterable[RunDirectory]) -> int:
        """Take over what is new in run directories; returns in how many something was.

        Files are read outside the transactions, which stay short. Raises StoreError as `ingest`,
        for directories that cannot be read with a line for each, once all others are taken over.
        """
        changed, unreadable = 0, list[str]()
        for batch in rows.batches(runs):
            self._look_up([run.id for run in batch])
            records = rows.gather_all(batch, self._seen, unreadable)
            if records:
                self.write(partial(rows.write, records=records))
                self._seen |= {record.job["id"]: record.seen for record in records}
                changed += len(records)
        if unreadable:
            raise StoreError("\n".join(unreadable))
        return changed

    def find_job(self, prefix: str) -> str:
        """Full id of the job whose id starts so; InputError if there is none, or several."""
        return self.read(partial(find.find_job, prefix=prefix))

    def find_study(self, name: str, profile: str | None = None) -> str:
        """Key of the study of this name (and profile) or key; InputError if none or unclear."""
        return self.read(partial(find.find_study, name=name, profile=profile))

    def find_studies(
        self, name: str | None = None, *, superseded: bool = False
    ) -> list[find.IndexedStudy]:
        """All studies, or those of this name or key; `superseded` by newer code, too, or not."""
        return self.read(partial(find.find_studies, name=name, superseded=superseded))

    def count_jobs(self) -> int:
        """How many jobs the studies have, a job of two of them counted twice."""
        return self.read(find.count_jobs)

    def _look_up(self, ids: list[str]) -> None:
        """Cache what the index holds of some jobs, which only this object changes."""
        unknown = [job for job in ids if job not in self._seen]
        if unknown:
            self._seen |= self.read(lambda connection: rows.seen(connection, unknown))


def make_folder(results: Path) -> None:
    """Make a results folder, if it is not there; StoreError where that is not possible."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        write_format(results)
    except OSError as error:
        raise StoreError(f"{results}: cannot be made: {error.strerror}") from error


def _understood(query: Callable[[Connection], T], connection: Connection, database: Path) -> T:
    """Run a query; StoreError where rows hold values that this version never writes."""
    try:
        return query(connection)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        words = f"{type(error).__name__}: {error}"
        damaged = StoreError(f"{database}: damaged ({words})").helped_by(connect.REINDEX)
        raise damaged from error


def _writer(database: Path, busy_seconds: float) -> Engine:
    connect.refuse_not_plain(database)
    with connect.store_errors(database, busy_seconds):
        return connect.writer(database, busy_seconds)


def _is_usable(index: Index) -> bool:
    try:
        return index.read(_schema_version) == schema.VERSION
    except StoreError:
        return False


def _schema_version(connection: Connection) -> int:
    """The version that a database says it has; 0 if its tables are not those of that version."""
    found = inspect(connection)
    if not found.has_table(schema.meta.name):
        return 0
    query = select(schema.meta.c.value).where(schema.meta.c.key == "schema")
    text = str(connection.execute(query).scalar())
    version = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if version == schema.VERSION and not all(
        map(partial(_has, found), schema.metadata.sorted_tables)
    ):
        return 0
    return version


def _has(found: Inspector, table: Table) -> bool:
    """Whether a database has a table with just these columns."""
    if not found.has_table(table.name):
        return False
    return {one["name"] for one in found.get_columns(table.name)} == set(table.columns.keys())
