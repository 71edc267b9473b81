"""Tidying a results folder: forget studies, and find what nothing needs any more.

Everything here is for the holder of the orchestrator's lock.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.store.files import CORRUPT, TEMPORARY
from ablate.store.folders import Folder
from ablate.store.index import Index
from ablate.store.rundir import RunDirectory, run_names
from ablate.store.studies import document_path, document_paths, read_document


@dataclass(frozen=True)
class Waste:
    """Something that no study needs."""

    path: Path
    what: str
    size: int  #: bytes


def forget(index: Index, name: str) -> list[str]:
    """Forget the study of this name or key; returns the keys of what was forgotten.

    By its name, those go with it that differ in nothing but code. Results and looks stay: jobs
    that no other study has can then be cleaned away. Raises InputError if there is no such study
    or several could be meant, StoreError if its document cannot be removed.
    """
    key = index.find_study(name)
    known = index.find_studies(superseded=True)
    chosen = next(study for study in known if study.key == key)
    settings = (chosen.name, chosen.profile, chosen.overrides)
    keys = [key] if name == key else [
        study.key for study in known if (study.name, study.profile, study.overrides) == settings
    ]  # fmt: skip
    for one in keys:
        path = document_path(index.results, one)
        try:
            with contextlib.suppress(FileNotFoundError):
                Folder(path.parent, depth=1).remove(path.name)
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed: {error.strerror}") from error
    index.forget_studies(keys)
    return keys


def find_waste(results: Path) -> list[Waste]:
    """What could be removed: jobs that no study has, results set aside, and unfinished files.

    Raises StoreError if a study document cannot be read: its jobs would seem to be nobody's.
    """
    needed: set[str] = set()
    for path in document_paths(results):
        needed |= {job.id for job in read_document(path).plan.jobs}
    found = []
    for name in sorted(run_names(results)):
        with contextlib.suppress(StoreError):
            run = RunDirectory.of(results, name)
            if run.path.is_symlink():
                continue
            if name not in needed:
                found.append(Waste(run.path, "a job that no study has", _size(run.path)))
            else:
                found += _leftovers(run)
    return found


def remove(waste: Waste, results: Path) -> None:
    """Remove something that `find_waste` found; StoreError if that is not possible."""
    try:
        if waste.path.parent == results / "runs":
            with Folder(waste.path.parent, depth=1).opened() as folder:
                shutil.rmtree(waste.path.name, dir_fd=folder)
        else:
            Folder(waste.path.parent, depth=2).remove(waste.path.name)
    except OSError as error:
        raise StoreError(f"{waste.path}: cannot be removed: {error.strerror}") from error


def _leftovers(run: RunDirectory) -> Iterator[Waste]:
    """Files of a job that were set aside, or that a killed writer left."""
    for name in run.folder.names():
        path = run.path / name
        if name.endswith((CORRUPT, TEMPORARY)) and stat.S_ISREG(path.lstat().st_mode):
            what = "a result that was set aside" if name.endswith(CORRUPT) else "an unfinished file"
            yield Waste(path, what, path.lstat().st_size)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, links not followed."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - much faster
        for place, _, names in os.walk(folder)
        for name in names
    )
