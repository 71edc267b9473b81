"""`ablate status`: how each study and each job stands, and which jobs resumed from where."""

from __future__ import annotations

from typing import Annotated

import typer

from ablate.cli.common import DebugOption, ResultsOption, guarded

JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]


@guarded
def status(
    study: Annotated[str | None, typer.Argument(help="Only this study.")] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show each job's state and attempts, and for a resumed one the step it resumed from."""
