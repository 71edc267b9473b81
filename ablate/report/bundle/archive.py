"""The archive: a results folder of one study without weights, and the report made of it.

    README.md        what this is, and the command that checks it
    CHECKLIST.md     paragraphs on settings, error bars and compute, as conferences ask for them
    report.json      the tables in full precision; report.md: the same to read
    digests.json     SHA-256 of every other file
    results/         format.json, studies/, looks/ and per job config, events and result

Host names, process numbers and folders of the user are left out: reviews are blind. The same
results give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import zipfile
from collections.abc import Iterable
from pathlib import Path

import ablate
from ablate.errors import InputError, Problem, StoreError
from ablate.methods.lifecycle import JobStatus
from ablate.report.bundle.checklist import checklist
from ablate.store.extract import study_files
from ablate.store.files import atomic_write
from ablate.store.index import Index
from ablate.store.query import JobState
from ablate.store.results import StudyResults

DIGESTS, REPORT, TABLES, CHECKLIST, README = (
    "digests.json", "report.json", "report.md", "CHECKLIST.md", "README.md",
)  # fmt: skip
RESULTS = "results/"
_BIRTH = (1980, 1, 1, 0, 0, 0)  #: of every file; an archive can say no earlier time

_TEXT = """# {title}

Everything that the numbers of this study come from: what was run (`results/studies`), the resolved
configuration, the events of every epoch and the result of each job (`results/runs`), and the report
made of it (`report.json`, `report.md`). Weights and logs are not included.

Check it, offline and without a GPU:

    pip install ablate=={version}
    ablate check {name}

That recomputes every number of the report from the per-seed results and names the first that
differs. Digests say that files are as they were written, not who wrote them.
"""


def write_bundle(index: Index, key: str, path: Path) -> list[JobState]:
    """Write the archive of a study; returns its jobs, those without a result included.

    Raises InputError while jobs of the study are running, StoreError if files cannot be read or
    written.
    """
    from ablate.store.query import job_states, seconds_worked, study_results

    jobs = job_states(index, key)
    running = [job for job in jobs if job.status is JobStatus.RUNNING]
    if running:
        message = f"{len(running)} of its {len(jobs)} jobs are running"
        raise InputError(Problem(key, "", message, "bundle it when they have ended"))
    results = study_results(index, key).for_others()
    own = study_files(index.results, key, [job.id for job in jobs])
    files = {RESULTS + name: content for name, content in own.items()}
    files[CHECKLIST] = checklist(results, jobs, seconds_worked(index)).encode()
    files |= report_files(results)
    files[README] = _TEXT.format(
        title=results.plan.title, version=ablate.__version__, name=shlex.quote(path.name)
    ).encode()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    about = {"ablate": ablate.__version__, "study": key, "files": digests}
    files[DIGESTS] = json.dumps(about, indent=2, sort_keys=True).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, _packed(files))
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    return jobs


def without_result(jobs: Iterable[JobState]) -> list[JobState]:
    """Jobs whose outcome is not known: neither done nor diverged. Each once."""
    known = (JobStatus.DONE, JobStatus.DIVERGED)
    return [job for job in {job.id: job for job in jobs}.values() if job.status not in known]


def report_files(results: StudyResults) -> dict[str, bytes]:
    """The report of a bundle: what is written into it, and what the check makes anew."""
    from ablate.report import render, study_tables
    from ablate.report.choices import Notes

    tables = study_tables(results, notes=Notes.FULL)
    return {
        REPORT: render(tables, "json").encode(),
        TABLES: render(tables, "markdown").encode(),
    }


def _packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _BIRTH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return stream.getvalue()
