"""Scratch folders for results, removed at the end, or at the next use after a kill."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ablate-scratch-"
_MARK = "in-use.lock"  #: locked by whoever works in the folder, absent where it is kept


@dataclass
class Scratch:
    """A temporary folder."""

    path: Path
    kept: bool = False

    def keep(self) -> Path:
        """Keep the folder for inspection."""
        self.kept = True
        (self.path / _MARK).unlink(missing_ok=True)
        return self.path


@contextmanager
def scratch_folder() -> Iterator[Scratch]:
    """A folder that is gone at the end unless it is kept, or after a SIGKILL at the next use."""
    remove_left_behind(Path(tempfile.gettempdir()))
    scratch = Scratch(Path(tempfile.mkdtemp(prefix=PREFIX)))
    descriptor = os.open(scratch.path / _MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield scratch
    finally:
        if not scratch.kept:
            shutil.rmtree(scratch.path, ignore_errors=True)
        os.close(descriptor)


def remove_left_behind(folder: Path) -> None:
    """Remove this user's scratch folders in which nobody works any more."""
    for path in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if path.is_symlink() or path.lstat().st_uid != os.getuid():
                continue
            descriptor = os.open(path / _MARK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
