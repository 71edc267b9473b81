"""Limits of containers, version 1 and 2, read from files that look like /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.execute.launch import limits
from ablate.execute.launch.limits import Limits, available_cores, memory_kills
from ablate.store.processes import usable_cores

GIB = 2**30


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


V2 = {
    "proc/self/cgroup": "0::/system.slice/box\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/fs/cgroup/system.slice/memory.max": "max\n",
    "sys/fs/cgroup/system.slice/cpu.max": "400000 100000\n",
    "sys/fs/cgroup/system.slice/box/memory.max": f"{2 * GIB}\n",
    "sys/fs/cgroup/system.slice/box/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/system.slice/box/memory.events": "low 0\noom 3\noom_kill 2\n",
}
V1 = {
    "proc/self/cgroup": "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",  # the container sees its own at top
    "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
}
FREE = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
    "proc/vmstat": "pgfault 1\noom_kill 7\n",
}


@pytest.mark.parametrize(
    ("files", "found", "kills", "cores"),
    [
        (V2, Limits(1.5, 2 * GIB), 2, 1),
        (V1, Limits(0.5, GIB), 5, 1),
        (FREE, Limits(), 7, usable_cores()),
        ({}, Limits(), 0, usable_cores()),
        ({"proc/self/cgroup": "nonsense\n0::/../../other\n:::\n"}, Limits(), 0, usable_cores()),
    ],
    ids=["v2", "v1", "unlimited", "nothing", "nonsense"],
)
def test_limits(
    tmp_path: Path, files: dict[str, str], found: Limits, kills: int, cores: int
) -> None:
    root = tree(tmp_path, files)
    assert limits.limits(root) == found
    assert memory_kills(root) == kills
    assert available_cores(root) == cores


def test_no_limit_of_version_1_is_none(tmp_path: Path) -> None:
    content = {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert limits.limits(tree(tmp_path, {**V1, **content})).memory_bytes is None
