"""`ablate report`: the tables of a paper, its figures, and a page that shows both."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import DebugOption, ResultsOption, existing_results, guarded
from ablate.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
    from ablate.report.table import Table
    from ablate.store.index import Index
    from ablate.store.results import StudyResults


class Format(StrEnum):
    """What a table can be printed as."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class Epoch(StrEnum):
    """Which epoch's metrics are shown."""

    LAST = "last"
    BEST = "best"


ENDINGS = {
    ".txt": Format.TERMINAL,
    ".md": Format.MARKDOWN,
    ".tex": Format.LATEX,
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".html": Format.HTML,
}


@guarded
def report(
    study: Annotated[str | None, typer.Argument(help="Name of a study; default: all.")] = None,
    table: Annotated[bool, typer.Option("--table", help="Print tables (the default).")] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Of the tables; default: terminal.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the tables; its ending says the format.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="Only this metric.")] = None,
    epoch: Annotated[
        Epoch, typer.Option("--epoch", help="last, or the best on the test set (optimistic).")
    ] = Epoch.LAST,
    power: Annotated[
        float | None, typer.Option("--power", help="Seeds needed to detect this difference.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a self-contained page per study.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for figures, as PDF and PNG.")
    ] = None,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print the table of each study: mean ± std over seeds, differences, intervals."""
    from ablate.report import render
    from ablate.report.publish import write_all_figures, write_pages, write_text
    from ablate.report.render_terminal import print_tables
    from ablate.store.index import Index

    tables_too = table or not (html or figures)
    chosen = _table_format(tables_too, format_, out, power)
    written: list[Path] = []
    with Index.open(existing_results(results)) as index:
        found = study_results(index, study)
        if tables_too:
            shown = _tables(found, metric, epoch, power)
            if out is not None:
                write_text(out, render(shown, chosen))
                written.append(out)
            elif chosen is Format.TERMINAL:
                print_tables(shown)
            else:
                typer.echo(render(shown, chosen), nl=False)
        if html is not None:
            written += write_pages(index, found, html, metric, epoch)
        if figures is not None:
            written += write_all_figures(index, found, figures, metric, epoch)
    for path in written:
        typer.echo(str(path))


def study_results(index: Index, name: str | None) -> list[StudyResults]:
    """Results of the named study, or of all; InputError if there is none."""
    from ablate.store import query

    keys = sorted(index.find_studies(name))
    if not keys:
        known = list(dict.fromkeys(listed.plan.name for listed in query.studies(index)))
        message = f'no study "{name}"' if name else "no study has been run"
        raise InputError(Problem(str(index.results), "", message, did_you_mean(name or "", known)))
    return [query.study_results(index, key) for key in keys]


def _tables(
    found: list[StudyResults], metric: str | None, epoch: str, power: float | None
) -> list[Table]:
    from ablate.report import power_report, tables

    if power is not None:
        return [power_report(one, power, metric, epoch) for one in found]
    return [table for one in found for table in tables(one, metric, epoch)]


def _table_format(
    tables_too: bool, format_: Format | None, out: Path | None, power: float | None
) -> Format:
    """Format of the tables; InputError names every option that has nothing to act on."""
    given = {"--format": format_, "--out": out, "--power": power}
    if not tables_too:
        problems = [
            Problem(
                option, "", "is about tables, which --html and --figures replace", "add --table"
            )
            for option, value in given.items()
            if value is not None
        ]
        if problems:
            raise InputError(problems)
    if format_ is not None or out is None:
        return format_ or Format.TERMINAL
    if out.suffix not in ENDINGS:
        endings = ", ".join(ENDINGS)
        message = f'the ending "{out.suffix}" names no format'
        raise InputError(Problem("--out", str(out), message, f"one of {endings}, or --format"))
    return ENDINGS[out.suffix]
