"""Limits of a container or batch system: cores, memory, and processes killed for memory.

Limits of control groups, version 1 and 2; the narrowest of the process's group and those above it
counts. Where nothing is limited, or nothing can be read, there is no limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.store.processes import usable_cores

_NO_LIMIT = 2**60  #: version 1 writes a number of about this size where memory is not limited


@dataclass(frozen=True)
class Limits:
    """Limits of the process's control groups; None where there is no limit."""

    cores: float | None = None
    memory_bytes: int | None = None


def limits(root: Path = Path("/")) -> Limits:
    """Read the limits; `root` is where /proc and /sys lie."""
    cores = [quota for folder in _groups(root, "cpu") if (quota := _cores(folder)) is not None]
    memory = [
        size
        for folder in _groups(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (size := _number(_read(folder / name))) is not None and size < _NO_LIMIT
    ]
    return Limits(min(cores, default=None), min(memory, default=None))


def available_cores(root: Path = Path("/")) -> int:
    """Cores that may be kept busy: by affinity and by quota, at least one."""
    quota = limits(root).cores
    return usable_cores() if quota is None else max(1, min(usable_cores(), int(quota)))


def memory_kills(root: Path = Path("/")) -> int:
    """How many processes the kernel has killed so far for lack of memory, as far as we can see."""
    for folder in _groups(root, "memory"):
        for name in ("memory.events", "memory.oom_control"):
            if found := re.search(r"^oom_kill (\d+)", _read(folder / name), re.MULTILINE):
                return int(found[1])
    found = re.search(r"^oom_kill (\d+)", _read(root / "proc/vmstat"), re.MULTILINE)
    return int(found[1]) if found else 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's group and those above it, for one controller."""
    mounts = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if not names:  # version 2
            top = mounts if (mounts / "cgroup.controllers").exists() else mounts / "unified"
        elif controller in names.split(","):
            top = next((t for t in (mounts / controller, mounts / names) if t.exists()), mounts)
        else:
            continue
        inside = Path(path.lstrip("/"))
        if ".." not in inside.parts:  # a group outside of what is mounted here
            yield from (top / part for part in (inside, *inside.parents))


def _cores(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _read(folder / "cpu.cfs_quota_us").strip()
        period = _read(folder / "cpu.cfs_period_us").strip()
    of, every = _number(quota), _number(period or "100000")
    return of / every if of and every else None


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdecimal() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
