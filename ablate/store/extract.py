"""One study out of a results folder, without weights and names of machines, and back again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ablate.errors import Remedy, StoreError
from ablate.matrix.identity import job_id, short
from ablate.store.folders import MIB, Folder
from ablate.store.ingest import contradiction
from ablate.store.looks import FOLDER as LOOKS
from ablate.store.rebuild import rebuild
from ablate.store.results_format import FILE as FORMAT_FILE
from ablate.store.rundir import run_directories
from ablate.store.studies import document_path, read_document

_JOB_FILES = ("config.json", "events.jsonl", "result.json")
_ABOUT_A_MACHINE = ("host", "pid", "process_start", "traceback")
_ABOVE = re.compile(r"(?<![\w/:.])/(?:[^/\s\"']+/)+")  #: the folders of an absolute path
_MOST_BYTES = 256 * MIB


def study_files(results: Path, key: str, jobs: Sequence[str]) -> dict[str, bytes]:
    """Path below the results folder -> content, of all that a study's numbers come from.

    Raises StoreError for a file that cannot be read, or an event log with damaged lines.
    """
    try:
        return dict(_files(results, key, jobs))
    except OSError as error:
        raise StoreError(f"{error.filename or results}: {error.strerror}") from error


def restore(results: Path, files: Mapping[str, bytes]) -> tuple[int, list[str]]:
    """Make a results folder of such files; returns how many jobs it has, and what is wrong.

    For an empty folder and names that were checked. Wrong is a file that cannot be read, a result
    that contradicts its job's last epoch, a configuration that is another job's.
    """
    for name, content in files.items():
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    wrong = list(rebuild(results).left_out)
    runs = list(run_directories(results))
    for run in runs:
        try:
            if job_id(run.config()) != run.id:
                wrong.append(f"job {short(run.id)}: its configuration is another job's")
            if doubt := contradiction(run, run.events(), run.result()):
                wrong.append(doubt)
        except StoreError as error:
            wrong.append(str(error))
    sentences = dict.fromkeys(sentence.replace(f"{results}/", "") for sentence in wrong)
    return len(runs), list(sentences)


def _files(results: Path, key: str, jobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    yield FORMAT_FILE, Folder(results, depth=0).read(FORMAT_FILE, most_bytes=_MOST_BYTES)
    path = document_path(results, key)
    document = read_document(path)
    plan = document.plan.for_others()
    yield path.relative_to(results).as_posix(), replace(document, plan=plan).content()
    looks = Folder(results / LOOKS, depth=1)
    for name in looks.names() if looks.path.is_dir() else ():
        if name.endswith(".json") and not name.startswith("."):
            yield f"{LOOKS}/{name}", looks.read(name, most_bytes=MIB)
    for job in jobs:
        run = Folder(results / "runs" / job, depth=2)
        present = set(run.names()) if run.path.is_dir() else set()
        for name in _JOB_FILES:
            if name in present:
                content = run.read(name, most_bytes=_MOST_BYTES)
                anonymous = _anonymous(content, job) if name == "events.jsonl" else content
                yield f"runs/{job}/{name}", anonymous


def _anonymous(events: bytes, job: str) -> bytes:
    """The events without what names a machine, or the folders of its user."""
    lines = []
    for number, line in enumerate(events.splitlines(), start=1):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"job {short(job)}: line {number} of its events is damaged, so the bundle could "
                "not be told from a changed one"
            ).helped_by(Remedy("show", (short(job),))) from error
        known = isinstance(event, dict)
        kept = {k: v for k, v in event.items() if k not in _ABOUT_A_MACHINE} if known else event
        if known and isinstance(kept.get("message"), str):
            kept["message"] = _ABOVE.sub("", kept["message"])
        lines.append(json.dumps(kept, ensure_ascii=False).encode() + b"\n")
    return b"".join(lines)
