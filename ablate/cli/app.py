"""The command line; each command lives in a file of its own and imports its room when called."""

from __future__ import annotations

import typer

from ablate.cli.export import export
from ablate.cli.import_plan import import_plan
from ablate.cli.jobs import logs, retry, show
from ablate.cli.planning import schema
from ablate.cli.reindex import reindex
from ablate.cli.report import report
from ablate.cli.run import run
from ablate.cli.status import status
from ablate.cli.verify import verify

app = typer.Typer(
    name="ablate",
    help="Ablation studies: declared, resumable, and reported as a paper's tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (run, status, report, export, show, logs, retry, verify, reindex, schema):
    app.command()(command)
app.command("import")(import_plan)
