"""`ablate reindex`: rebuild the index from the run directories."""

from __future__ import annotations

from ablate.cli.common import DebugOption, ResultsOption, existing_results, guarded, tell


@guarded
def reindex(results: ResultsOption = None, debug: DebugOption = False) -> None:
    """Rebuild the index from run directories and study documents; nothing else is touched."""
    from ablate.store.rebuild import reindex as rebuild_index

    folder = existing_results(results)
    rebuilt = rebuild_index(folder)
    for sentence in rebuilt.left_out:
        tell(f"left out: {sentence}", err=True)
    tell(f"{folder / 'ablate.db'}: {rebuilt.jobs} jobs of {rebuilt.studies} studies")
