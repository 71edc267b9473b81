"""`ablate bundle`: one archive of a study for reviewers, which `ablate check` recomputes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli import complete
from ablate.cli.common import (
    DebugOption,
    ResultsOption,
    existing_results,
    guarded,
    study_name,
    tell,
)

if TYPE_CHECKING:
    from ablate.store.query import JobState

_MOST_SHOWN = 10  #: jobs that a warning names one by one


@guarded
def bundle(
    study: Annotated[
        str,
        typer.Argument(
            help="Name of a study, or its file.",
            show_default=False,
            autocompletion=complete.study_names,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The archive; default: STUDY.zip here.")
    ] = None,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Write study, configs, events, per-seed results, report and checklist into one archive.

    Weights, logs, host names and your folders are left out.

    Example: ablate bundle lpred_symmetry --out supplement.zip
    """
    from ablate.errors import Remedy
    from ablate.report.bundle.archive import without_result, write_bundle
    from ablate.report.filenames import safe_name
    from ablate.store.index import Index

    folder = existing_results(results, study)
    with Index.open(folder) as index:
        key = index.find_study(study_name(study) or study)
        (found,) = index.find_studies(key)
        path = out or Path(f"{safe_name(found.name)}.zip")
        jobs = write_bundle(index, key, path)
    check = Remedy("check", (str(path),))
    lacking = without_result(jobs)
    _warn(lacking)
    count = f"{len({job.id for job in jobs})} jobs"
    count += f", {len(lacking)} of them without a result" if lacking else ""
    tell(f"{path}: {count}, {path.stat().st_size / 2**20:.1f} MiB; `{check}`")


def _warn(lacking: Sequence[JobState]) -> None:
    """Name the jobs without a result, before the archive is sent."""
    from ablate.cli.describe import job_in_words
    from ablate.matrix.identity import short

    for job in lacking[:_MOST_SHOWN]:
        how = f"{job.status}: {job.error}" if job.error else f"{job.status}"
        tell(f"warning: no result of {short(job.id)} ({job_in_words(job)}), {how}", err=True)
    if len(lacking) > _MOST_SHOWN:
        tell(f"warning: nor of {len(lacking) - _MOST_SHOWN} more; `ablate status --all`", err=True)
