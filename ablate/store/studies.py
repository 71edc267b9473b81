"""Study documents: the truth about which jobs a study has, as run directories are about jobs.

results/studies/<key of the plan>.json
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError
from ablate.matrix.plan import PlannedJob, StudyPlan
from ablate.store import values
from ablate.store.folders import MIB, Folder
from ablate.store.results_format import write_format

_MOST_BYTES = 256 * MIB


@dataclass(frozen=True)
class StudyDocument:
    """A plan as it stands in the results folder."""

    plan: StudyPlan
    registered: float  #: unix time when it was last asked for

    def content(self) -> bytes:
        """What the file holds."""
        document = {"registered": self.registered, "plan": self.plan.to_json()}
        return json.dumps(document, ensure_ascii=False).encode() + b"\n"


def write_document(results: Path, document: StudyDocument) -> None:
    """Write a study document atomically; OSError as the system gives it."""
    path = document_path(results, document.plan.key)
    write_format(results)
    folder = Folder(path.parent, depth=1)
    folder.make()
    folder.write(path.name, document.content())


def read_document(path: Path) -> StudyDocument:
    """Read a study document; StoreError if it is absent, damaged, or another study's."""
    try:
        content = values.parsed(
            Folder(path.parent, depth=1).read(path.name, most_bytes=_MOST_BYTES)
        )
        plan = StudyPlan.from_json(content["plan"])
        if path.stem != plan.key:
            raise ValueError(f'its content belongs to "{plan.key}": it was changed, or renamed')
        return StudyDocument(plan, float(content["registered"]))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    except values.MISSHAPEN as error:
        raise StoreError(f"{path}: damaged: {error}") from error


def document_path(results: Path, key: str) -> Path:
    """Path of a study's document; StoreError for a key that would lead elsewhere."""
    if not re.fullmatch(r"\w[\w.+-]*", key):
        raise StoreError(f'"{key}" cannot name a study: letters, digits, "_", "-" and "." can')
    return results / "studies" / f"{key}.json"


def document_paths(results: Path) -> Iterator[Path]:
    """All study documents of a results folder, by key."""
    folder = Folder(results / "studies", depth=1)
    with contextlib.suppress(OSError):
        names = folder.names()
        yield from (folder.path / name for name in names if _is_document(name))


def _is_document(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def merge(earlier: StudyPlan, new: StudyPlan) -> StudyPlan:
    """Add to a plan the seeds that were asked for earlier.

    Rows that the new plan no longer has, or that compute something else by now, are dropped: one
    row must not mix results of old and new code. Whatever the kept jobs wait for is kept with them.
    """
    if earlier.data != new.data:
        return new
    present = {(job.variant, job.pair, job.seed) for job in new.jobs if job.variant is not None}
    rows = _unchanged(earlier, new)
    kept = [
        job
        for job in earlier.jobs
        if (job.variant, job.pair) in rows and (job.variant, job.pair, job.seed) not in present
    ]
    if not kept:
        return new
    needed = _upstream(earlier, kept) - {job.id for job in new.jobs}
    upstream = [job for job in earlier.jobs if job.variant is None and job.id in needed]
    seeds = {*new.seeds, *(job.seed for job in kept)}
    jobs = (*upstream, *new.jobs, *kept)
    return dataclasses.replace(new, seeds=tuple(sorted(seeds)), jobs=jobs)


def _unchanged(earlier: StudyPlan, new: StudyPlan) -> set[tuple[str | None, str]]:
    """Rows (variant, pair) of the new plan that compute what they did earlier."""
    return {
        (label, pair)
        for label, pairs in new.rows.items()
        for pair, content in pairs.items()
        if earlier.rows.get(label, {}).get(pair) == content
    }


def _upstream(plan: StudyPlan, needing: list[PlannedJob]) -> set[str]:
    """Ids of all that some jobs wait for, directly or not."""
    waits = {job.id: job.upstream for job in plan.jobs}
    needed: set[str] = set()
    spreading = [name for job in needing for name in job.upstream]
    while spreading:
        name = spreading.pop()
        if name not in needed:
            needed.add(name)
            spreading += waits.get(name, ())
    return needed
