"""Files that are either whole or absent, whatever kills the writer."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

TEMPORARY = ".tmp"  #: suffix of files that no reader looks at
CORRUPT = ".corrupt"  #: suffix of damaged files, kept for a look

#: What file systems say that cannot bring a folder onto the disk: network mounts, FUSE
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or all of the new, even after power loss.

    Raises OSError as the system gives it (a full disk: ENOSPC); then `path` is as it was before
    and nothing is left next to it. Only a disk that fails as the new name is brought onto it may
    leave the new content there. A writer that is killed may leave a temporary file behind, which
    `remove_temporaries` takes away.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        _write_through(temporary, content)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were added to, or renamed in, a folder survive power loss.

    Some file systems cannot do that for a folder; the names are there all the same.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left; only for a folder that nobody else writes to now."""
    for leftover in folder.glob(f".*{TEMPORARY}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
