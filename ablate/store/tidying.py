"""Tidying: forget studies, and find what nothing needs any more, also in the data folder.

Everything here is for the holder of the orchestrator's lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import StoreError
from ablate.matrix.inputs import DATA, data_inputs
from ablate.methods.catalog import (
    DECODED_FOLDER,
    SOURCE_FILE,
    DataInfo,
    content_name,
    split_subset,
)
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
    needed = _needed_jobs(results)
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


def find_unused_maps(results: Path, data_dir: Path) -> list[Waste]:
    """Image folders decoded into `data_dir` that no job of a study in this results folder reads.

    A study of another results folder may: its next job decodes them again. Raises StoreError as
    `find_waste` does.
    """
    decoded = data_dir / DECODED_FOLDER
    places = sorted(decoded.iterdir()) if decoded.is_dir() else []
    used = _data_read(results) if places else set()
    found = []
    for place in places:
        if place.is_dir() and not place.is_symlink():
            info = _decoded_data(place)
            if info is None or not any(_is_this(info, *one) for one in used):
                source = f'"{info.name}"' if info else "a folder that is not known"
                found.append(Waste(place, f"decoded images of {source}", _size(place)))
    return found


def _data_read(results: Path) -> set[tuple[str, str]]:
    """Name and digest of each data set that the jobs of studies here read, where they began."""
    found = set()
    for name in _needed_jobs(results):
        with contextlib.suppress(StoreError):
            config = RunDirectory.of(results, name).config()
            found.add((config.data, config.inputs.get(DATA, "")))
    return found


def _needed_jobs(results: Path) -> set[str]:
    """Jobs of the studies of this results folder."""
    documents = (read_document(path) for path in document_paths(results))
    return {job.id for document in documents for job in document.plan.jobs}


def _decoded_data(place: Path) -> DataInfo | None:
    """What was decoded into a folder, None where nobody wrote it down."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        return DataInfo(**json.loads((place / SOURCE_FILE).read_text()))
    return None


def _is_this(info: DataInfo, data: str, digest: str) -> bool:
    """Whether a job's data set, or a part of it, is this one, by name and by content."""
    whole, subset = split_subset(data)
    part = info if subset is None else replace(info, train=subset)
    return whole == content_name(info.name) and data_inputs(part)[DATA] == digest


def remove_map(waste: Waste) -> None:
    """Remove decoded images; StoreError if they are being decoded or can't be removed.

    A job that has them mapped goes on: its memory map outlives the file's name.
    """
    try:
        with (waste.path / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(waste.path)
    except BlockingIOError:
        raise StoreError(f"{waste.path}: in use: a job decodes these images now") from None
    except OSError as error:
        raise StoreError(f"{waste.path}: cannot be removed: {error.strerror}") from error


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
