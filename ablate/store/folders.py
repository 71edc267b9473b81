"""Folders inside a results folder, worked in without following a link.

A results folder may come from anybody. A link in it could lead a write to any file of the user, a
pipe could keep a read waiting for ever. So the way below the results folder is walked by
descriptors, no component of it may be a link, only regular files are opened, and what is parsed has
a limit.

    folder = Folder(results / "runs" / job, depth=2)   # `results` is the user's own path
    folder.read("config.json", most_bytes=16 * MIB)

Everything here raises OSError as the system gives it, and `NotPlainError`, an OSError too, for what
is no regular file or lies behind a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
TEMPORARY = ".tmp"  #: suffix of files that no reader looks at

#: What file systems say that cannot bring a folder onto the disk: network mounts, FUSE
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)

#: What opening says of a link, of a file in the place of a folder, of a pipe without a reader.
_NOT_PLAIN = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EMLINK)

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotPlainError(OSError):
    """A link, a pipe or a device in the place of a file or folder, or a file far too large."""


@dataclass(frozen=True)
class Folder:
    """A folder of which the last `depth` components may be no links; those before are the user's.

    A file's name may be no path.
    """

    path: Path
    depth: int = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the folder."""
        trusted = self.path.parents[self.depth - 1] if self.depth else self.path
        names = self.path.parts[len(self.path.parts) - self.depth :]
        descriptor = os.open(trusted, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                inner = _open(self.path, name, _ENTER, descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def make(self) -> None:
        """Make the folder and what is missing above it."""
        trusted = self.path.parents[self.depth - 1] if self.depth else self.path
        trusted.mkdir(parents=True, exist_ok=True)
        for depth in range(self.depth):
            outer = Folder(self.path.parents[self.depth - 1 - depth], depth)
            name = self.path.parts[len(self.path.parts) - self.depth + depth]
            outer.make_inside(name)
        with self.opened():  # finds out now whether a link or a file stands in its place
            pass

    def make_inside(self, name: str) -> None:
        """Make a folder in this one, unless it is there; OSError if this one is not."""
        with self.opened() as descriptor, contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=descriptor)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a regular file; returns its descriptor."""
        _check_name(name)
        with self.opened() as folder:
            extra = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = _open(self.path / name, name, flags | extra, folder, mode)
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path / name))
        raise _not_plain(self.path / name)

    def read(self, name: str, *, most_bytes: int) -> bytes:
        """The content of a file; NotPlainError if it is larger than `most_bytes`."""
        with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
            if os.fstat(file.fileno()).st_size > most_bytes:
                what = f"larger than {most_bytes / MIB:g} MiB, so it is not read"
                raise NotPlainError(errno.EFBIG, what, str(self.path / name))
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that readers see the old content or all of the new, after power loss too.

        If this raises, the file is as it was before and nothing is left next to it. Only a disk
        that fails as the new name is brought onto it may leave the new content there. A writer that
        is killed may leave a temporary file behind, which `remove_temporaries` takes away.
        """
        _check_name(name)
        temporary = f".{name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}"
        with self.opened() as folder:
            try:
                _write_through(temporary, content, folder)
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            _sync(folder)

    def names(self) -> list[str]:
        """What is in the folder, by name."""
        with self.opened() as folder:
            return sorted(os.listdir(folder))  # noqa: PTH208 - a descriptor has no Path

    def remove(self, name: str) -> None:
        """Remove a file, or a link itself."""
        _check_name(name)
        with self.opened() as folder:
            os.unlink(name, dir_fd=folder)

    def rename(self, name: str, new: str) -> Path:
        """Rename a file, a link or a folder inside the folder; returns its new path."""
        _check_name(name)
        _check_name(new)
        with self.opened() as folder:
            os.replace(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        return self.path / new

    def sync(self) -> None:
        """Make names that were added to, or renamed in, the folder survive power loss.

        Some file systems cannot do that for a folder; the names are there all the same.
        """
        with self.opened() as folder:
            _sync(folder)

    def remove_temporaries(self) -> None:
        """Remove what killed writers left; only for a folder that nobody else writes to now."""
        with contextlib.suppress(OSError):
            for name in self.names():
                if name.startswith(".") and name.endswith(TEMPORARY):
                    with contextlib.suppress(OSError):
                        self.remove(name)


def refuse_not_plain(path: Path) -> None:
    """Raise NotPlainError if `path` is there and no regular file, for libraries that open it."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise _not_plain(path)


def _open(path: Path, name: str, flags: int, folder: int, mode: int = 0o666) -> int:
    try:
        return os.open(name, flags, mode, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_PLAIN:
            raise _not_plain(path) from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def _not_plain(path: Path) -> NotPlainError:
    what = "is a link, a pipe or a device; nothing in a results folder may be, remove it"
    return NotPlainError(errno.ELOOP, what, str(path))


def _check_name(name: str) -> None:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise NotPlainError(errno.EINVAL, "is no name of a file", name)


def _write_through(name: str, content: bytes, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
