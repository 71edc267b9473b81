"""SHA-256 digests of files, remembered for each user by what the file system says of a file.

A file whose device, inode, size, modification and change time are those of the last look has the
content of the last look. So a data set of many gigabytes is read once and not for every command.
The memory lies in the user's cache folder, never in a results folder. Without it, nothing is lost
but time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

#: A file that changed this recently may change again without a new time: clocks of file systems
#: tick in milliseconds, some in seconds. Its digest is used, but not remembered.
_SETTLED_S = 2.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    device INTEGER, inode INTEGER, size INTEGER, modified INTEGER, changed INTEGER, digest TEXT,
    PRIMARY KEY (device, inode, size, modified, changed)
) WITHOUT ROWID
"""
_SELECT = (
    "SELECT digest FROM digests"
    " WHERE device = ? AND inode = ? AND size = ? AND modified = ? AND changed = ?"
)


class FileState(NamedTuple):
    """What the file system says of a file; times in nanoseconds."""

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """The state that a `stat` call found."""
        return cls(
            status.st_dev,
            status.st_ino
            - (2**64 if status.st_ino >= 2**63 else 0),  # SQLite's integers are signed
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


def cache_folder() -> Path:
    """The user's cache folder: $XDG_CACHE_HOME/ablate, else ~/.cache/ablate."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "ablate"


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's content; raises OSError if it can't be read."""
    return file_digests([path])[0]


def file_digests(
    paths: Sequence[Path | str], is_sound: Callable[[Path | str], bool] = lambda _: True
) -> list[str]:
    """SHA-256 (hex) of each file's content, read by all cores; raises OSError for the first.

    `is_sound` looks at each file that is read, in a thread; one that is not is not remembered.
    """
    states = [FileState.of(os.stat(path)) for path in paths]  # noqa: PTH116 - much faster
    with _memory() as memory:
        digests = [memory.recall(state) for state in states]
        missing = [i for i, digest in enumerate(digests) if not digest]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            read = pool.map(_read, [paths[i] for i in missing], chunksize=64)
            sound = pool.map(is_sound, [paths[i] for i in missing], chunksize=64)
            for i, (digest, state), keep in zip(missing, read, sound, strict=True):
                digests[i] = digest
                if state is not None and keep:
                    memory.remember(state, digest)
    return digests


def _read(path: Path | str) -> tuple[str, FileState | None]:
    """A file's digest, and the state to remember it by; None where it may still change."""
    # Not blocking: a named pipe in the place of a file would make the reader wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(None, "is no regular file", str(path))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        state = FileState.of(os.fstat(descriptor))
    age = time.time() - max(before.st_mtime, before.st_ctime)
    settled = state == FileState.of(before) and age > _SETTLED_S
    return digest, state if settled else None


class _Memory:
    """The remembered digests; a damaged or unreachable file remembers nothing."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection
        self._learned: dict[FileState, str] = {}

    def recall(self, state: FileState) -> str:
        """The digest that was remembered for a state; "" if there is none."""
        if self._connection is None:
            return ""
        try:
            row = self._connection.execute(_SELECT, state).fetchone()
        except sqlite3.Error:
            return ""
        return str(row[0]) if row else ""

    def remember(self, state: FileState, digest: str) -> None:
        """Keep a digest for `save`."""
        self._learned[state] = digest

    def save(self) -> None:
        """Write down what was learned, all at once."""
        if self._connection is None or not self._learned:
            return
        rows = [(*state, digest) for state, digest in self._learned.items()]
        with contextlib.suppress(sqlite3.Error), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO digests VALUES (?,?,?,?,?,?)", rows
            )


@contextlib.contextmanager
def _memory() -> Iterator[_Memory]:
    connection = None
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / "digests.sqlite3", timeout=5)
        connection.execute(_SCHEMA)
    except (OSError, RuntimeError, sqlite3.Error):
        if connection is not None:
            connection.close()
        connection = None
    memory = _Memory(connection)
    try:
        yield memory
        memory.save()
    finally:
        if connection is not None:
            connection.close()


def combined(digests: Mapping[str, str]) -> str:
    """One SHA-256 (hex) over names and digests, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(digests):
        digest.update(f"{name}\0{digests[name]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
