"""`ablate reindex`: rebuild the index from the run directories."""

from __future__ import annotations

import typer

from ablate.cli.common import DebugOption, ResultsOption, existing_results, guarded


@guarded
def reindex(results: ResultsOption = None, debug: DebugOption = False) -> None:
    """Rebuild the index from run directories and study documents; nothing else is touched."""
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.rebuild import rebuild

    folder = existing_results(results)
    with FolderLock(orchestrator_lock(folder), "ablate reindex"):
        rebuild(folder)
    typer.echo(f"rebuilt {folder / 'ablate.db'}")
