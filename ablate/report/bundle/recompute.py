"""Check a bundle: nothing in it is believed that can be computed.

The archive is a stranger's data: only names that a bundle has are read, none of them leads out of
the folder they are unpacked in, sizes have limits, nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import ablate
from ablate.errors import InputError, Problem, StoreError
from ablate.report.bundle.archive import (
    DIGESTS,
    REPORT,
    RESULTS,
    TABLES,
    report_files,
    without_result,
)
from ablate.store.extract import restore
from ablate.store.index import Index

_NAMES = re.compile(
    r"(?:README\.md|CHECKLIST\.md|report\.md|report\.json|digests\.json"
    r"|results/format\.json|results/studies/\w[\w.+-]{0,200}\.json|results/looks/[0-9a-f]{64}\.json"
    r"|results/runs/[0-9a-f]{64}/(?:config\.json|events\.jsonl|result\.json))",
    re.ASCII,
)
_MIB = 2**20
_MOST_FILES = 200_000
_MOST_BYTES = 2048 * _MIB  #: of all files
_CLOSE = 1e-9  #: relative; other machines round the last bits otherwise
_NAMING = ("study", "metric", "pair", "family", "variant", "name")  #: what tells entries apart


@dataclass(frozen=True)
class Checked:
    """What the check of a bundle found."""

    study: str
    jobs: int
    numbers: int  #: compared
    differences: tuple[str, ...]  #: a sentence each, in the order of the report
    notices: tuple[str, ...]


def check_bundle(path: Path) -> Checked:
    """Recompute every number of a bundle's report; InputError for what is no bundle."""
    files = _unpacked(path)
    about = _object(path, DIGESTS, files)
    report = _object(path, REPORT, files)
    differences = list(_damaged(files, about))
    with tempfile.TemporaryDirectory(prefix="ablate-check-") as folder:
        results = Path(folder)
        own = {
            name.removeprefix(RESULTS): content
            for name, content in files.items()
            if name.startswith(RESULTS)
        }
        jobs, wrong = restore(results, own)
        differences += wrong
        computed, notices = _computed(path, results, str(about.get("study", "")))
    found = list(_differences(report, json.loads(computed[REPORT]), ""))
    differences += [sentence for sentence in found if sentence]
    if about.get("ablate") != ablate.__version__:
        notices.append(
            f"made by ablate {about.get('ablate')}, checked by {ablate.__version__}: words of the "
            "report were not compared"
        )
    elif not differences and files.get(TABLES) != computed[TABLES]:
        differences.append(f"{TABLES} does not say what {REPORT} says")
    study = report["tables"][0]["study"] if report.get("tables") else str(about.get("study"))
    return Checked(str(study), jobs, len(found), tuple(differences), tuple(notices))


def _computed(path: Path, results: Path, key: str) -> tuple[dict[str, bytes], list[str]]:
    """The report made anew, and a notice on planned jobs without a result."""
    from ablate.store.query import job_states, study_results

    try:
        with Index.open(results) as index:
            files = report_files(study_results(index, key))
            jobs = job_states(index, key)
    except (InputError, StoreError) as error:
        raise InputError(Problem(str(path), "results", f"holds no study {key}: {error}")) from error
    lacking, planned = len(without_result(jobs)), len({job.id for job in jobs})
    notice = f"{lacking} of {planned} planned jobs have no result in the bundle"
    return files, [notice] if lacking else []


def _unpacked(path: Path) -> dict[str, bytes]:
    """Name -> content of all files; InputError if it is no bundle, or too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if problem := _unfit(entries):
                raise InputError(Problem(str(path), "", problem, "a file of `ablate bundle`"))
            return {one.filename: _content(archive, one) for one in entries}
    except OSError as error:
        raise InputError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        right = "a file of `ablate bundle`"
        raise InputError(Problem(str(path), "", f"is no sound archive: {error}", right)) from error


def _unfit(entries: list[zipfile.ZipInfo]) -> str:
    """Why these are not the files of a bundle; "" if they are."""
    if len(entries) > _MOST_FILES:
        return f"has {len(entries):,} files, at most {_MOST_FILES:,} are read"
    size = sum(one.file_size for one in entries)
    if size > _MOST_BYTES:
        return f"unpacks to {size / _MIB:,.0f} MiB, at most {_MOST_BYTES / _MIB:,.0f} are read"
    names = [one.filename for one in entries]
    if len(set(names)) < len(names):
        return "has a file twice"
    for one in entries:
        kind = stat.S_IFMT(one.external_attr >> 16)
        if not _NAMES.fullmatch(one.filename) or kind not in (0, stat.S_IFREG):
            return f'has "{one.filename}", which no bundle has'
    return ""


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is not as long as the archive says")
    return content


def _object(path: Path, name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        found = json.loads(files[name])
    except KeyError:
        raise InputError(Problem(str(path), "", f"has no {name}")) from None
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), name, f"is no JSON: {error}")) from error
    if not isinstance(found, dict):
        raise InputError(Problem(str(path), name, "is no object"))
    return found


def _damaged(files: Mapping[str, bytes], about: Mapping[str, Any]) -> Iterator[str]:
    """A sentence on every file that is not as it was written."""
    digests = about.get("files")
    known = digests if isinstance(digests, dict) else {}
    for name in sorted(files.keys() | known.keys()):
        if name == DIGESTS:
            continue
        if name not in files:
            yield f"{name} is missing"
        elif hashlib.sha256(files[name]).hexdigest() != known.get(name):
            yield f"{name} is not what the bundle was made with"


def _differences(told: Any, found: Any, place: str) -> Iterator[str]:
    """For each value of the report what is wrong with it, "" if nothing."""
    if isinstance(told, dict) and isinstance(found, dict):
        place = _named(found, place)
        for key in dict.fromkeys((*found, *told)):
            yield from _differences(told.get(key), found.get(key), f"{place}{key}: ")
    elif isinstance(told, list) and isinstance(found, list):
        for one, other in zip_longest(told, found):
            yield from _differences(one, other, place)
    elif _equal(told, found):
        yield ""
    else:
        yield f"{place}the report says {_shown(told)}, recomputed {_shown(found)}"


def _named(entry: Mapping[str, Any], place: str) -> str:
    names = [str(entry[key]) for key in _NAMING if isinstance(entry.get(key), str) and entry[key]]
    return f"{place}{', '.join(names)}: " if names else place


def _equal(told: Any, found: Any) -> bool:
    if isinstance(told, bool) or isinstance(found, bool):
        return told is found
    if isinstance(told, int | float) and isinstance(found, int | float):
        return math.isclose(told, found, rel_tol=_CLOSE, abs_tol=1e-12)
    return bool(told == found)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
