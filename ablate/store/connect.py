"""Ways to open the index file: one writer, and readers that leave no trace.

A reader in SQLite's own read-only mode still makes "-wal" and "-shm" files next to a database in
WAL mode, and cannot take them away again. So a reader looks first how the file lies there:

still   no writer is at work and none left a log: the file is opened as immutable, and whatever
        was read counts only if the file is afterwards as it was before
live    a writer has its log there, or died with it there: read-only mode, which then makes nothing
copy    the log is there, but cannot be shared (a read-only folder, or a copied one): a copy of
        both is read; never in a process that has a writer open, for there the log can be shared:
        to close a file that SQLite didn't open would drop the locks of that writer
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from ablate.errors import Remedy, StoreError
from ablate.store import folders

BUSY_SECONDS = 30.0
REINDEX = Remedy("reindex")  #: makes the index anew from the run directories


@dataclass(frozen=True)
class Stamp:
    """State of a file that must not change while it is read without locks."""

    inode: int
    size: int
    modified: int
    log_size: int


@dataclass
class ReadingPlace:
    """The database that a reader opens, or a copy of it; `close` removes the copy."""

    database: Path
    options: str
    stamp: Stamp | None  #: None where locks make sure that what is read is consistent
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def sound(self) -> bool:
        """Whether the file is still as it was when reading began."""
        return self.stamp is None or self.stamp == stamp(self.database)

    def close(self) -> None:
        """Remove the copy, if there is one."""
        self._stack.close()


def stamp(database: Path) -> Stamp:
    """How a database file and its log lie there now; FileNotFoundError if there is none."""
    status = database.stat()
    return Stamp(status.st_ino, status.st_size, status.st_mtime_ns, _size(_beside(database, "wal")))


def find_source(database: Path, *, share: bool = True) -> ReadingPlace:
    """Decide how to read a database; not `share`: live reading was tried and cannot be done."""
    found = stamp(database)
    if found.log_size == 0:
        return ReadingPlace(database, "mode=ro&immutable=1", found)
    if share and _beside(database, "shm").exists():
        return ReadingPlace(database, "mode=ro", None)
    return _copied(database, found)


def _copied(database: Path, before: Stamp) -> ReadingPlace:
    stack = contextlib.ExitStack()
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ablate-")))
        copy = folder / database.name
        shutil.copyfile(database, copy)
        shutil.copyfile(_beside(database, "wal"), _beside(copy, "wal"))
        if stamp(database) != before:
            raise FileNotFoundError(f"{database} changed while it was copied")
    except BaseException:
        stack.close()
        raise
    return ReadingPlace(copy, "mode=rw", None, stack)


@contextlib.contextmanager
def reading(source: ReadingPlace, busy_seconds: float) -> Iterator[Connection]:
    """A connection on which all reads see one state of the database."""

    def connect() -> sqlite3.Connection:
        return _sqlite(source.database, source.options, busy_seconds, ("temp_store = MEMORY",))

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    with engine.connect() as connection:
        yield connection


def writer(database: Path, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine on an existing database whose transactions take the write lock at their start.

    Raises SQLAlchemy's DBAPIError if the database cannot be written to.
    """

    def connect() -> sqlite3.Connection:
        settings = ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")
        return _sqlite(database, "mode=rw", busy_seconds, settings)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _begin_immediate)
    engine.connect().close()  # finds out now whether that is possible; the pool keeps it open
    return engine


def leave_out(connection: Connection, there: Set[str]) -> None:
    """Hide jobs whose run directory is gone from a reader's connection.

    A view of the same name hides the table; it lives in memory and in this connection only.
    """
    known = connection.exec_driver_sql("SELECT id, status FROM main.jobs").all()
    gone = [tuple(row) for row in known if row.id not in there]
    if not gone:
        return
    connection.exec_driver_sql("CREATE TEMP TABLE gone_jobs (id PRIMARY KEY, status)")
    connection.exec_driver_sql("INSERT INTO gone_jobs VALUES (?, ?)", gone)
    connection.exec_driver_sql(
        "CREATE TEMP VIEW jobs AS SELECT * FROM main.jobs"
        " WHERE id NOT IN (SELECT id FROM gone_jobs)"
    )


def gone_jobs(connection: Connection) -> dict[str, str]:
    """How each job stood that `leave_out` hides: "was done; its folder is gone"."""
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_temp_master").scalars()
    if "gone_jobs" not in tables:
        return {}
    rows = connection.exec_driver_sql("SELECT id, status FROM gone_jobs").all()
    return {row.id: f"was {row.status}; its folder is gone" for row in rows}


def refuse_not_plain(database: Path) -> None:
    """Raise StoreError if the database or its log is a link, a pipe or a device."""
    for path in (database, *(_beside(database, suffix) for suffix in ("wal", "shm"))):
        try:
            folders.refuse_not_plain(path)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}").helped_by(REINDEX) from error


@contextlib.contextmanager
def reading_as_writer(engine: Engine) -> Iterator[Connection]:
    """As `reading`, in a process that writes."""
    with engine.connect().execution_options(only_reads=True) as connection:
        yield connection


def builder(database: Path) -> Engine:
    """An engine on a new file of this process alone: no journal, no syncing."""

    def connect() -> sqlite3.Connection:
        return _sqlite(database, "mode=rwc", 0, ("journal_mode = OFF", "synchronous = OFF"))

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


@contextlib.contextmanager
def store_errors(database: Path, busy_seconds: float = BUSY_SECONDS) -> Iterator[None]:
    """Turn SQLite's errors into a StoreError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise _explained(database, str(error.orig), busy_seconds) from error
    except sqlite3.Error as error:
        raise _explained(database, str(error), busy_seconds) from error


def _explained(database: Path, message: str, busy_seconds: float) -> StoreError:
    if "locked" in message or "busy" in message:
        locked = f"another process kept it locked for {busy_seconds:g} s"
        return StoreError(
            f"{database}: {locked}; try again, or end that process and rebuild the index"
        ).helped_by(REINDEX)
    if "full" in message:
        return StoreError(f"{database}: the disk is full")
    if "readonly" in message or "unable to open" in message:
        return StoreError(f"{database}: cannot be opened for this: {message}").helped_by(REINDEX)
    if any(words in message for words in ("malformed", "not a database", "no such")):
        return StoreError(f"{database}: damaged ({message})").helped_by(REINDEX)
    return StoreError(f"{database}: {message}")


def _sqlite(
    database: Path, options: str, busy_seconds: float, settings: Sequence[str] = ()
) -> sqlite3.Connection:
    # Transactions are begun by the listeners below, not by the driver, which would do it late.
    connection = sqlite3.connect(
        f"file:{quote(str(database.absolute()))}?{options}",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(f"{database.name}-{suffix}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
