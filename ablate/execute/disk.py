"""Room on the disk for what is known to be large, before anything runs."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ablate.errors import InputError, Problem
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TABLE, table_bytes
from ablate.store.rundir import RunDirectory


def require_room(
    jobs: Iterable[str],
    configs: Mapping[str, JobConfig],
    runs: Callable[[str], RunDirectory],
    results: Path,
) -> None:
    """Raise InputError if the tables of teacher features that these jobs fill do not fit."""
    tables = [job for job in jobs if configs[job].program == TABLE]
    needed = sum(table_bytes(configs[job]) - _reserved(runs(job)) for job in tables)
    free = shutil.disk_usage(results).free
    if needed > free:
        gib = 2**30
        message = (
            f"{len(tables)} tables of teacher features need {needed / gib:.1f} GiB more, and "
            f"{free / gib:.1f} GiB are free"
        )
        right = 'free some room, choose another folder, or --set teacher.table="off"'
        raise InputError(Problem(str(results), "", message, right))


def _reserved(run: RunDirectory) -> int:
    """Bytes that an interrupted job holds already: it reserves all of its table at its start."""
    with contextlib.suppress(OSError):
        return sum(file.lstat().st_size for file in run.artifacts.iterdir())
    return 0
