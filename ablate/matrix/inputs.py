"""Files that a user gives and that decide a result: teacher checkpoints and image folders."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from ablate.errors import InputError
from ablate.methods.catalog import data_fingerprint, data_info
from ablate.methods.method import Method
from ablate.settings import Settings
from ablate.study.model import PairEntry
from ablate.study.parse import Draft


def find_checkpoint(draft: Draft, settings: Settings, pair: PairEntry) -> tuple[str, Path] | None:
    """(SHA-256, path) of the checkpoint for the pair's teacher, or None to train the teacher."""
    if pair.teacher_checkpoint:
        path = (draft.path.parent / Path(pair.teacher_checkpoint).expanduser()).resolve()
        if not path.is_file():
            draft.problem("pairs", f"no teacher checkpoint {path}", "relative to the study file")
            return None
        return file_digest(path), path
    if not settings.teacher_checkpoints:
        return None
    folder = settings.path(settings.teacher_checkpoints) / f"{pair.teacher}_vanilla"
    found = sorted(folder.glob("*.pth"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        draft.problem("pairs", f"several checkpoints in {folder}: {names}", "leave one there")
    return (file_digest(found[0]), found[0]) if found else None


@cache
def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_inputs(draft: Draft, data: str, method: Method) -> dict[str, str]:
    """Fingerprint of a data set that only its files define; {} for registered ones."""
    if not method.networks:
        return {}
    try:
        data_info(data)
        fingerprint = data_fingerprint(data)
    except InputError as error:
        draft.problems += [p for p in error.problems if p not in draft.problems]
        return {}
    return {"data": fingerprint} if fingerprint else {}
