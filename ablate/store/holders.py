"""Processes that prove to hold a file: the only ones besides our own workers that may be signalled.

A process number in a file is a claim. It may be forged, copied with its folder, or belong to
somebody else by now. A process holds a file if that very file (device and inode) is among its open
files, for writing: then a copy of a results folder is held by nobody, and a process that only reads
a log is no worker. It is addressed through a descriptor that was opened before the look, so that
what is signalled is what was looked at.

Where the system tells no such thing (not Linux, files of another user), nobody holds anything.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


@contextlib.contextmanager
def holding(pid: int, file: Path) -> Iterator[int | None]:
    """A descriptor of process `pid` if it holds `file`, else None, for use in `with`.

    None for numbers that name no single process: 0, negative ones.
    """
    descriptor = _open_process(pid)
    try:
        holds_it = descriptor is not None and _has_open(pid, file) and not _ended(descriptor)
        yield descriptor if holds_it else None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def holds(pid: int, file: Path) -> bool:
    """Whether process `pid` proves to hold `file`."""
    with holding(pid, file) as process:
        return process is not None


def holders(file: Path) -> list[int]:
    """Numbers of all processes that prove to hold `file`; `end_process` checks again."""
    try:
        pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []
    return [pid for pid in pids if holds(pid, file)]


def end_process(pid: int, file: Path, number: signal.Signals = signal.SIGKILL) -> bool:
    """Signal process `pid` if it proves to hold `file`; returns whether it was signalled.

    Process 1, this process, and those of its own group or session are never signalled.
    """
    if pid == 1 or _is_related(pid):
        return False
    with holding(pid, file) as process:
        if process is None:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(process, number)
            return True
    return False


def _open_process(pid: int) -> int | None:
    if isinstance(pid, bool) or not isinstance(pid, int) or pid < 1:
        return None
    try:
        return os.pidfd_open(pid)
    except (OSError, OverflowError, AttributeError):  # gone, no such number, or not on this system
        return None


def _is_related(pid: int) -> bool:
    """Whether a process is this one, or in its group or session; True where that is unknown."""
    try:
        return os.getpgid(pid) == os.getpgrp() or os.getsid(pid) == os.getsid(0)
    except (OSError, OverflowError, TypeError):
        return True


def _has_open(pid: int, file: Path) -> bool:
    """Whether a process has this very file open for writing."""
    try:
        own = file.lstat()
        descriptors = [entry.name for entry in (_PROC / str(pid) / "fd").iterdir()]
    except OSError:
        return False
    if not stat.S_ISREG(own.st_mode):
        return False
    return any(_is_open(pid, name, own) for name in descriptors)


def _is_open(pid: int, descriptor: str, file: os.stat_result) -> bool:
    folder = _PROC / str(pid)
    try:
        found = (folder / "fd" / descriptor).stat()
        if (found.st_dev, found.st_ino) != (file.st_dev, file.st_ino):
            return False
        lines = (folder / "fdinfo" / descriptor).read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next(line.split()[1] for line in lines.splitlines() if line.startswith("flags:"))
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _ended(process: int) -> bool:
    """Whether a process has ended: its number may be another's, so what was seen counts nothing."""
    return bool(select.select([process], [], [], 0)[0])
