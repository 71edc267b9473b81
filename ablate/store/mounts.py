"""Tell file systems of this machine alone from those that machines share."""

from __future__ import annotations

from pathlib import Path

import psutil

#: File systems on which a lock that can be taken has no holder anywhere. Others may be shared.
LOCAL = frozenset(
    (
        "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "ramfs",
        "reiserfs", "tmpfs", "ufs", "xfs", "zfs",
    )
)  # fmt: skip


def is_local(path: Path) -> bool:
    """Whether locks below `path` are seen by every process that could hold one; else False."""
    resolved = path.resolve()
    kinds = {
        Path(partition.mountpoint): partition.fstype
        for partition in psutil.disk_partitions(all=True)
    }
    for folder in (resolved, *resolved.parents):
        if folder in kinds:
            return kinds[folder].lower() in LOCAL
    return False
