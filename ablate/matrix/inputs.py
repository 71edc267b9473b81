"""What decides a result besides settings and code: the data's files and facts, given weights."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import lru_cache
from pathlib import Path

from ablate.matrix.identity import canonical
from ablate.methods.catalog import DataInfo, data_fingerprint


def data_inputs(info: DataInfo) -> dict[str, str]:
    """Digest of what is known of a data set before it is loaded, under the name "data".

    How many images train, how they are cropped, mirrored and normalised: facts that the training
    code reads and its digest does not cover. Of an image folder, names and sizes of its files.
    """
    facts = dataclasses.asdict(info)
    for words in ("name", "title"):  # which change no result
        del facts[words]
    text = canonical([facts, data_fingerprint(info.name)])
    return {"data": hashlib.sha256(text.encode()).hexdigest()}


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache
def _file_digest(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
