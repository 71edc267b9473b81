"""Merge the results folders of two machines: the same job has the same id in both.

Nothing in the folder is overwritten and nothing in the other is changed; doing it again changes
nothing. A job is taken over if it is done, its result is sound, its files are what it wrote, and it
was computed with the upstream work that is here then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ablate.errors import InputError, Problem, StoreError
from ablate.matrix.identity import job_id, short
from ablate.store import artifacts
from ablate.store.folders import MIB, Folder
from ablate.store.job_result import JobResult
from ablate.store.looks import FOLDER as LOOKS
from ablate.store.looks import Look
from ablate.store.rebuild import check_results, rebuild
from ablate.store.results_format import check_format
from ablate.store.rundir import AbsentError, RunDirectory, run_directories
from ablate.store.studies import (
    StudyDocument,
    document_path,
    document_paths,
    merge,
    read_document,
    write_document,
)

_FILES = ("config.json", "events.jsonl", "log.txt", "result.json")
_CHUNK = 4 * MIB
_MOST_LOOK = MIB


@dataclass
class Merged:
    """What a merge did."""

    jobs: int = 0  #: taken over
    known: int = 0  #: done here too, with the same result
    unfinished: int = 0  #: not done there
    studies: int = 0  #: added, or given more seeds
    refused: list[str] = field(default_factory=list)  #: a sentence about each that was not taken


def merge_results(results: Path, other: Path) -> Merged:
    """Take over the finished jobs, studies and looks of another results folder.

    For the holder of this folder's orchestrator lock. Raises InputError if both are the same
    folder or the other is none, StoreError for one of another format, or where nothing was run.
    """
    if results.resolve() == other.resolve():
        raise InputError(Problem(str(other), "", "is this results folder itself"))
    check_results(other)
    for folder in (results, other):
        check_format(folder)
    merged = Merged()
    try:
        for run in _upstream_first(other, merged):
            _take_over(run, RunDirectory.of(results, run.id), merged)
        _merge_studies(results, other, merged)
        _merge_looks(results, other)
    except OSError as error:
        raise StoreError(f"{error.filename or results}: {error.strerror}") from error
    rebuild(results)
    return merged


def _upstream_first(other: Path, merged: Merged) -> Iterator[RunDirectory]:
    """Run directories, each after those that it needs."""
    needs: dict[str, set[str]] = {}
    for run in run_directories(other):
        try:
            config = run.config()
        except StoreError as error:
            merged.refused.append(str(error))
            continue
        if job_id(config) == run.id:
            needs[run.id] = set(config.upstream.values())
        else:
            merged.refused.append(f"{run.path}: its config is another job's")
    done: set[str] = set()
    while ready := [job for job in needs if not (needs[job] & needs.keys()) - done]:
        for job in ready:
            done.add(job)
            del needs[job]
            yield RunDirectory.of(other, job)


def _take_over(there: RunDirectory, here: RunDirectory, merged: Merged) -> None:
    try:
        result = there.read_result()
        wrong = artifacts.damage(there, result)
    except AbsentError:
        merged.unfinished += 1
        return
    except StoreError as error:
        merged.refused.append(str(error))
        return
    if here.has_result_file() or here.events_size():
        _compare(here, result, merged)
        return
    wrong = wrong or _other_upstream(there, here, result)
    if wrong:
        merged.refused.append(f"job {short(there.id)}: {wrong}")
        return
    _copy(there, here)
    merged.jobs += 1


def _compare(here: RunDirectory, there: JobResult, merged: Merged) -> None:
    """Compare a job that was begun in both folders: this folder's stays."""
    own = here.result()
    if own is None:
        told = f"begun here and not done; to take over the finished one, remove {here.path} first"
        merged.refused.append(f"job {short(here.id)}: {told}")
    elif (own.metrics, own.best, own.weights_digest) == (
        there.metrics,
        there.best,
        there.weights_digest,
    ):
        merged.known += 1
    else:
        merged.refused.append(f"job {short(here.id)}: the results differ; this folder's stays")


def _other_upstream(there: RunDirectory, here: RunDirectory, result: JobResult) -> str:
    """Why a job was not computed with the upstream work of this folder; "" if it was."""
    results = here.path.parents[1]
    upstream = {}
    for role, name in there.config().upstream.items():
        upstream[role] = RunDirectory.of(results, name).result()
        if upstream[role] is None:
            return f"its {role.replace('_', ' ')} is not finished here"
    return artifacts.outdated(result, upstream)


def _copy(there: RunDirectory, here: RunDirectory) -> None:
    """Copy a finished job's files aside, then put them in their place in one step."""
    aside = Folder(here.path.parent / f".merging-{secrets.token_hex(4)}", depth=2)
    aside.make()
    try:
        copy = Folder(aside.path / "artifacts", depth=3)
        copy.make()
        Folder(aside.path / "checkpoints", depth=3).make()
        present = set(there.folder.names())
        _copy_files(there.folder, aside, present.intersection(_FILES))
        _copy_files(there.artifact_folder, copy, there.read_result().artifacts)
        Folder(here.path.parent, depth=1).rename(aside.path.name, here.id)
        if wrong := artifacts.damage(here, here.read_result()):
            here.set_result_aside()
            raise StoreError(f"{wrong}: it was damaged as it was copied")
    finally:
        shutil.rmtree(aside.path, ignore_errors=True)
    Folder(here.path.parent, depth=1).sync()


def _copy_files(source: Folder, target: Folder, names: Iterable[str]) -> None:
    for name in names:
        with (
            os.fdopen(source.open(name, os.O_RDONLY), "rb") as reading,
            os.fdopen(target.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as writing,
        ):
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())


def _merge_studies(results: Path, other: Path, merged: Merged) -> None:
    for path in document_paths(other):
        try:
            there = read_document(path)
            target = document_path(results, there.plan.key)
        except StoreError as error:
            merged.refused.append(str(error))
            continue
        if target.exists():
            here = read_document(target)
            plan = merge(there.plan, here.plan)
            if plan == here.plan:
                continue
            there = StudyDocument(plan, here.registered)
        write_document(results, there)
        merged.studies += 1


def _merge_looks(results: Path, other: Path) -> None:
    """Looks are named by their content, so that copying merges them."""
    source, target = Folder(other / LOOKS, depth=1), Folder(results / LOOKS, depth=1)
    with contextlib.suppress(FileNotFoundError):
        for name in source.names():
            content = source.read(name, most_bytes=_MOST_LOOK)
            if f"{hashlib.sha256(content).hexdigest()}.json" != name:
                continue
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                Look.from_json(json.loads(content))
                target.make()
                if not (target.path / name).exists():
                    target.write(name, content)
