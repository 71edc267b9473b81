"""Locks that the kernel releases when their holder dies, and that say who holds them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
import weakref
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

import psutil

from ablate.errors import BusyError, StoreError
from ablate.store.folders import Folder
from ablate.store.lease import BEATS_EVERY_S, Lease, LeaseFiles, LeaseWatch, write
from ablate.store.mounts import is_local

_POLL_SECONDS = 0.1
_MOST_BYTES = 64 * 1024
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
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
    """An exclusive hold on a folder; held until `release`, the end of `with`, or death.

    Two things keep others out: the kernel's lock on a file, which is the proof on a file system of
    this machine alone, and a lease beside it (`ablate.store.lease`), which works on every other
    and finds out that somebody removed the file or moved the folder. The file stays when the lock
    is released: removing it would let two processes each lock a file of that name.
    """

    def __init__(self, path: Path, command: str = "", *, depth: int = 0) -> None:
        """Name a lock, without taking it.

        `command` is shown to those who find it taken; the last `depth` folders on the way to
        it may be no links.
        """
        self.path = path
        self.command = command
        self.lost = ""  #: why it is held no more although it was not released; "" else
        self._folder = Folder(path.parent, depth)
        self._leases = LeaseFiles(self._folder, path.name)
        self._watch = LeaseWatch()
        self._descriptor: int | None = None
        self._lease: tuple[Lease, int] | None = None
        self._over = threading.Event()

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
        """Take the lock if it is free; returns whether this object has it. StoreError as `acquire`.

        A lease of a machine that cannot be asked is free once this object, in several tries,
        has seen it without a beat for `lease.EXPIRES_S`.
        """
        if self._descriptor is not None:
            return True
        try:
            return self._try()
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be locked: {error.strerror}") from error

    def _try(self) -> bool:
        descriptor = self._folder.open(self.path.name, os.O_RDWR | os.O_CREAT)
        try:
            locked = _flock(descriptor)
            lease = self._take_lease(certain=bool(locked)) if locked is not False else None
        except BaseException:
            os.close(descriptor)
            raise
        if lease is None:
            os.close(descriptor)
            return False
        self._descriptor, self._lease, self.lost = descriptor, lease, ""
        self._over = threading.Event()
        _HELD.add(self)
        self._sign(Holder(os.getpid(), socket.gethostname(), time.time(), self.command))
        threading.Thread(target=self._keep, args=(self._over,), daemon=True, name="lease").start()
        return True

    def _take_lease(self, *, certain: bool) -> tuple[Lease, int] | None:
        before = self._leases.newest()
        locally = certain and is_local(self.path.parent)
        if self._watch.holds(self._leases, before, locked_locally=locally):
            return None
        return self._leases.take_next(before)

    def _keep(self, over: threading.Event) -> None:
        """Beat until the lock is given back or lost."""
        while not over.wait(BEATS_EVERY_S) and self.beat():
            pass

    def beat(self) -> bool:
        """Show that the holder lives, and look whether it still holds; False once it doesn't."""
        if self._lease is None:
            return False
        lease, descriptor = self._lease
        lease = replace(lease, beat=lease.beat + 1)
        self.lost = self._leases.why_lost(lease, descriptor)
        if not self.lost:
            write(descriptor, lease)
            self._lease = lease, descriptor
        return not self.lost

    def release(self) -> None:
        """Give the lock back; no effect if it isn't held."""
        if self._descriptor is None:
            return
        self._over.set()
        if self._lease is not None and not self.lost:
            lease, descriptor = self._lease
            write(descriptor, replace(lease, released=True))
        self._sign(None)
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._forget()

    def _sign(self, holder: Holder | None) -> None:
        """Write who holds the lock; a full disk does not release it."""
        assert self._descriptor is not None
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            if holder is not None:
                os.pwrite(self._descriptor, json.dumps(asdict(holder)).encode(), 0)

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        lease, self._lease = self._lease, None
        _HELD.discard(self)
        for one in (descriptor, lease[1] if lease else None):
            if one is not None:
                os.close(one)

    def __enter__(self) -> FolderLock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def is_held(path: Path, *, depth: int = 0) -> bool | None:
    """Whether a process of this machine holds a lock; None where that cannot be told from here.

    That is so on a file system that other machines share, or that knows no locks. Nothing is
    taken or changed.
    """
    if not is_local(path.parent):
        return None
    try:
        descriptor = Folder(path.parent, depth).open(path.name, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        locked = _flock(descriptor)
    finally:
        os.close(descriptor)  # which gives the lock back
    return None if locked is None else not locked


def _flock(descriptor: int) -> bool | None:
    """Take the kernel's lock; False if another has it, None where the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


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
