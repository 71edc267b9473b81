"""Locks that the kernel releases when their holder dies, and that say who holds them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

from ablate.errors import BusyError, StoreError
from ablate.store.folders import Folder

_POLL_SECONDS = 0.1
_MOST_BYTES = 64 * 1024
_HELD: weakref.WeakSet[FolderLock] = weakref.WeakSet()


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    since: float  #: unix time
    command: str

    def lives(self) -> bool | None:
        """Whether there is a process of this number; None where it ran on another host."""
        return psutil.pid_exists(self.pid) if self.host == socket.gethostname() else None

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f'process {self.pid} on {self.host} since {since}, "{self.command}"'


def orchestrator_lock(results: Path) -> Path:
    """Lock file of the one process that may run jobs in a results folder."""
    return results / "orchestrator.lock"


class FolderLock:
    """An exclusive lock on a file; held until `release`, the end of `with`, or death.

    The file stays when the lock is released: removing it would let two processes each lock a
    file of that name.
    """

    def __init__(self, path: Path, command: str = "", *, depth: int = 0) -> None:
        """Name a lock, without taking it.

        `command` is shown to those who find it taken; the last `depth` folders on the way to
        it may be no links.
        """
        self.path = path
        self.command = command
        self._folder = Folder(path.parent, depth)
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, wait_seconds: float = 0) -> FolderLock:
        """Take the lock, waiting for it at most so long; BusyError says who has it.

        Raises StoreError where the folder is missing, read-only, or cannot be locked at all.
        """
        deadline = time.monotonic() + wait_seconds
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                holder = holder_of(self.path)
                raise BusyError(f"{self.path.parent} is in use by {holder or 'another process'}")
            time.sleep(_POLL_SECONDS)
        return self

    def try_acquire(self) -> bool:
        """Take the lock if it is free, and say whether it is ours now; StoreError as `acquire`."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = self._folder.open(self.path.name, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be locked: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise StoreError(f"{self.path}: cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor
        _HELD.add(self)
        self._sign(Holder(os.getpid(), socket.gethostname(), time.time(), self.command))
        return True

    def release(self) -> None:
        """Give the lock back; no effect if it isn't held."""
        if self._descriptor is not None:
            self._sign(None)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._forget()

    def _sign(self, holder: Holder | None) -> None:
        """Say who holds the lock; a full disk must not stop us from holding it."""
        assert self._descriptor is not None
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            if holder is not None:
                os.pwrite(self._descriptor, json.dumps(asdict(holder)).encode(), 0)

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        _HELD.discard(self)
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> FolderLock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def holder_of(path: Path) -> Holder | None:
    """Who signed a lock file last; None if nobody did. It may have died since."""
    try:
        found = json.loads(Folder(path.parent).read(path.name, most_bytes=_MOST_BYTES))
        return Holder(int(found["pid"]), str(found["host"]), float(found["since"]),
                      str(found["command"]))  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _forget_in_child() -> None:
    """A forked child must not keep its parent's locks alive beyond the parent's death."""
    for lock in list(_HELD):
        lock._forget()  # closes the child's copy; the parent still holds it


os.register_at_fork(after_in_child=_forget_in_child)
