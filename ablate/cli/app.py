"""The command line; each command lives in a file of its own and imports its room when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

import ablate
from ablate.cli.begin import init, new
from ablate.cli.bundle import bundle
from ablate.cli.check import check
from ablate.cli.cluster import cancel, sync
from ablate.cli.doctor import doctor
from ablate.cli.export import export
from ablate.cli.import_plan import import_plan
from ablate.cli.jobs import logs, retry, show
from ablate.cli.list_parts import parts
from ablate.cli.planning import preview, schema
from ablate.cli.reindex import reindex
from ablate.cli.report import report
from ablate.cli.run import run
from ablate.cli.status import status
from ablate.cli.upkeep import clean, forget, merge
from ablate.cli.verify import verify

app = typer.Typer(
    name="ablate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("import")(import_plan)
_COMMANDS: tuple[Callable[..., None], ...] = (
    init, new, parts, run, status, report, export, show, logs, retry, verify, reindex, preview,
    schema, doctor, forget, clean, merge, sync, cancel, bundle, check,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"ablate {ablate.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Ablation studies: declared, resumable, and reported as a paper's tables.

    From a plan to a table: ablate import plan.md, ablate run STUDY, ablate report STUDY
    """
