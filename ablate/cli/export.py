"""`ablate export`: every job as a record, for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from ablate.cli.common import DebugOption, ResultsOption, existing_results, guarded


@guarded
def export(
    study: Annotated[str | None, typer.Argument(help="Only the jobs of this study.")] = None,
    format_: Annotated[str, typer.Option("--format", help="json")] = "json",
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print a record per job: variant, pair, seed, status, attempts, metrics, digest."""
    import json

    from ablate.store.index import Index
    from ablate.store.query import export as export_records

    with Index.open(existing_results(results)) as index:
        records = export_records(index, study)
    typer.echo(json.dumps(records, indent=2, ensure_ascii=False))
