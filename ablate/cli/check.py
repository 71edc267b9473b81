"""`ablate check`: recompute every number of a bundle's report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ablate.cli.common import DebugOption, JsonOption, guarded, tell
from ablate.console import json_text

_MOST_SHOWN = 10


@guarded
def check(
    bundle: Annotated[Path, typer.Argument(help="An archive of `ablate bundle`.")],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Recompute every number of a bundle's report, offline; exit code 1 if something differs.

    Example: ablate check supplement.zip
    """
    from dataclasses import asdict

    from ablate.report.bundle.recompute import check_bundle

    checked = check_bundle(bundle)
    if as_json:
        typer.echo(json_text(asdict(checked)))
        raise typer.Exit(1 if checked.differences else 0)
    for notice in checked.notices:
        tell(f"notice: {notice}", err=True)
    for sentence in checked.differences[:_MOST_SHOWN]:
        tell(sentence)
    if len(checked.differences) > _MOST_SHOWN:
        tell(f"and {len(checked.differences) - _MOST_SHOWN} more; --json lists all")
    verdict = "all as reported" if not checked.differences else f"{len(checked.differences)} differ"
    tell(f"{checked.study}: {checked.jobs} jobs, {checked.numbers} values recomputed: {verdict}")
    raise typer.Exit(1 if checked.differences else 0)
