"""`ablate bundle`: one archive of a study for reviewers, which `ablate check` recomputes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from ablate.report.bundle.archive import write_bundle
    from ablate.report.filenames import safe_name
    from ablate.store.index import Index

    folder = existing_results(results, study)
    with Index.open(folder) as index:
        key = index.find_study(study_name(study) or study)
        (found,) = index.find_studies(key)
        path = out or Path(f"{safe_name(found.name)}.zip")
        jobs = write_bundle(index, key, path)
    check = Remedy("check", (str(path),))
    tell(f"{path}: {jobs} jobs, {path.stat().st_size / 2**20:.1f} MiB; `{check}`")
