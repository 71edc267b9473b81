"""`ablate reindex`: rebuild the index from the run directories."""

from __future__ import annotations

from dataclasses import asdict

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ResultsOption,
    existing_results,
    guarded,
    print_json,
    tell,
)


@guarded
def reindex(
    results: ResultsOption = None, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Rebuild the index from run directories and study documents; nothing else is touched.

    Example: ablate reindex --results results
    """
    from ablate.cli.glance import counted
    from ablate.store.rebuild import reindex as rebuild_index

    folder = existing_results(results)
    rebuilt = rebuild_index(folder)
    for sentence in rebuilt.left_out:
        tell(f"left out: {sentence}", err=True)
    if as_json:
        print_json({"index": folder / "ablate.db", **asdict(rebuilt)})
        return
    jobs, studies = counted(rebuilt.jobs, "job"), counted(rebuilt.studies, "study")
    tell(f"{folder / 'ablate.db'}: {jobs}, {studies}")
