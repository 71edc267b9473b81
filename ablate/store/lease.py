"""Leases: files that say who holds a folder, on file systems where nothing else does.

lock.lease-000001, lock.lease-000002, …   beside the file "lock"; the highest number counts

A lease is taken by creating the file of the next number exclusively, which works on every file
system and lets one taker win. Its holder raises `beat` in it every few seconds. Whoever finds a
lease watches that number on a clock of its own: one that has not moved for `EXPIRES_S` is void, so
clocks of different machines are never compared. A holder that was asleep finds a higher number, or
its own file gone, and knows that it has lost its hold. The highest file stays when it is given
back: to remove it would let a number be used twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from ablate.store import values
from ablate.store.folders import Folder
from ablate.store.holders import holds
from ablate.store.processes import is_alive, process_start

BEATS_EVERY_S = 5.0
EXPIRES_S = 60.0  #: without a beat
_LENGTH = 1024  #: bytes of a file, always, so that a beat is written in place
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Lease:
    """Who holds a folder, as its file says."""

    number: int
    host: str = ""
    pid: int = 0
    process_start: float = 0.0
    token: str = ""  #: drawn anew for each lease
    beat: int = 0
    released: bool = False


@dataclass(frozen=True)
class LeaseFiles:
    """The leases of one lock: files beside it, named after it."""

    folder: Folder
    lock: str  #: name of the lock's file

    def name(self, number: int) -> str:
        """Name of the file of a lease."""
        return f"{self.lock}.lease-{number:06d}"

    def newest(self) -> Lease | None:
        """The lease that counts; None if nobody ever held the lock.

        One that cannot be read counts as somebody's of whom no beat is seen. Raises OSError.
        """
        pattern = re.compile(re.escape(self.lock) + r"\.lease-(\d{6,9})")
        names = self.folder.names()
        numbers = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
        if not numbers:
            return None
        number = max(numbers)
        try:
            found = json.loads(self.folder.read(self.name(number), most_bytes=_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return Lease(number)
        return _parsed(found, number) if isinstance(found, dict) else Lease(number)

    def take_next(self, before: Lease | None) -> tuple[Lease, int] | None:
        """Take the lease after `before`; returns it with its open file, None if another was faster.

        Raises OSError as the system gives it.
        """
        lease = Lease(
            number=before.number + 1 if before else 1,
            host=socket.gethostname(),
            pid=os.getpid(),
            process_start=process_start(),
            token=secrets.token_hex(16),
        )
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            descriptor = self.folder.open(self.name(lease.number), flags)
        except FileExistsError:
            return None
        write(descriptor, lease)
        if before is not None:
            with contextlib.suppress(OSError):
                self.folder.remove(self.name(before.number))
        return lease, descriptor

    def why_lost(self, lease: Lease, descriptor: int) -> str:
        """Why a lease is lost; "" while it is held, or where that cannot be read now."""
        place = self.folder.path
        try:
            there = (place / self.name(lease.number)).lstat()
        except FileNotFoundError:
            return f"{place} was moved, removed or cleared while it was in use"
        except OSError:
            return ""
        own = os.fstat(descriptor)
        if (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
            return f"{place} was replaced while it was in use"
        with contextlib.suppress(OSError):
            now = self.newest()
            if now is not None and now.number > lease.number:
                return f"{place} was taken over by process {now.pid} on {now.host}"
        return ""


def write(descriptor: int, lease: Lease) -> None:
    """Write a lease into its file, in place; a full disk costs a beat and nothing else."""
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, json.dumps(asdict(lease)).encode().ljust(_LENGTH), 0)


@dataclass
class LeaseWatch:
    """Decide whether a lease is held, by whether its beat still changes."""

    clock: Callable[[], float] = time.monotonic
    _seen: tuple[str, int, int] | None = None
    _since: float = field(default=0.0)

    def holds(self, files: LeaseFiles, lease: Lease | None, *, locked_locally: bool) -> bool:
        """Whether a lease is held.

        `locked_locally`: the caller has the kernel's lock on a file system of this machine alone;
        then the holder is another only if it proves to have the lease open, after somebody
        removed the lock's file.
        """
        if lease is None or lease.released:
            return False
        if locked_locally:
            return holds(lease.pid, files.folder.path / files.name(lease.number))
        if lease.host and is_alive(lease.host, lease.pid, lease.process_start) is False:
            return False
        seen = (lease.token, lease.number, lease.beat)
        if seen != self._seen:
            self._seen, self._since = seen, self.clock()
        return self.clock() - self._since < EXPIRES_S


def _parsed(found: Mapping[str, object], number: int) -> Lease:
    return Lease(
        number=number,
        host=values.text(found.get("host")) or "",
        pid=values.count(found.get("pid")) or 0,
        process_start=values.real(found.get("process_start")) or 0.0,
        token=values.text(found.get("token")) or "",
        beat=values.count(found.get("beat")) or 0,
        released=found.get("released") is True,
    )
