"""Downloads that are safe to interrupt and to run from several processes at once."""

from __future__ import annotations

import socket
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo

_FAILURES = (OSError, EOFError, RuntimeError, HTTPException, tarfile.TarError, zlib.error)
_SILENCE = 30.0  #: seconds without a byte after which a server counts as gone


def download(
    info: DataInfo, data_dir: Path, subfolder: str, fetch: Callable[[Path], object], right: str
) -> None:
    """Let `fetch` fill an empty folder, then move its `subfolder` into `data_dir` file by file.

    A download that is cut short leaves nothing behind, and of two at a time each sees its own.
    Raises `InputError` when it fails; `right` then says what the user can put into the folder.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=data_dir) as temporary:
            with _impatient():
                fetch(Path(temporary))
            _move(Path(temporary), subfolder, data_dir)
    except _FAILURES as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{info.title} is not in {data_dir.resolve()} and can't be downloaded: {reason}"
        raise InputError(Problem("data", info.name, message, right)) from error


def _move(source: Path, subfolder: str, target: Path) -> None:
    for file in sorted((source / subfolder).rglob("*")):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)


@contextmanager
def _impatient() -> Iterator[None]:
    """Give connections a timeout, so that none hangs for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
