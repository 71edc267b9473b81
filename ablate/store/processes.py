"""Identify processes, and ask what this one may use."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

#: (host, pid, process start) -> whether it lives; None where that cannot be told from here
Alive = Callable[[str, int, float], bool | None]

_TOLERANCE = 2.0  # seconds; start times come in clock ticks, and clocks are slewed


def process_start(pid: int | None = None) -> float:
    """When a process (this one) started, in a form that a jump of the clock does not change.

    On Linux seconds since boot, else unix time; psutil.NoSuchProcess if there is none.
    """
    pid = os.getpid() if pid is None else pid
    since_boot = _since_boot(pid)
    return psutil.Process(pid).create_time() if since_boot is None else since_boot


def is_alive(host: str, pid: int, start: float) -> bool | None:
    """Whether a process lives; None where it ran on another host, for unknown is not dead.

    `start` is what `process_start` gave, or psutil's `create_time`.
    """
    if host != socket.gethostname():
        return None
    if not 0 < pid < 2**31:
        return False
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        starts = (process.create_time(), process_start(pid))
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None
    return any(abs(known - start) <= _TOLERANCE for known in starts)


@contextlib.contextmanager
def garbage_collector_off() -> Iterator[None]:
    """Disable the garbage collector where many objects are made and kept: it would find nothing."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def garbage_collector_on() -> Iterator[None]:
    """Enable the garbage collector, if it is disabled, where many objects are made and dropped."""
    if gc.isenabled():
        yield
        return
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.disable()
        gc.unfreeze()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and `taskset` take some away
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _since_boot(pid: int) -> float | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
