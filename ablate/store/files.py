"""Write files atomically: a reader sees the old content or all of the new."""

from __future__ import annotations

from pathlib import Path

from ablate.store.folders import TEMPORARY, Folder

CORRUPT = ".corrupt"  #: suffix of damaged files, kept for a look

__all__ = ["CORRUPT", "TEMPORARY", "atomic_write", "remove_temporaries", "sync_folder"]


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file outside of results folders as `Folder.write` does; OSError as there."""
    Folder(path.parent).write(path.name, content)


def sync_folder(folder: Path) -> None:
    """Make names that were added to, or renamed in, a folder survive power loss."""
    Folder(folder).sync()


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left; only for a folder that nobody else writes to now."""
    Folder(folder).remove_temporaries()
