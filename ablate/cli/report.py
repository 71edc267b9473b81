"""`ablate report`: the tables of a paper."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import DebugOption, ResultsOption, existing_results, guarded
from ablate.errors import InputError, Problem, did_you_mean

if TYPE_CHECKING:
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


@guarded
def report(
    study: Annotated[str | None, typer.Argument(help="Name of a study; default: all.")] = None,
    table: Annotated[bool, typer.Option("--table", help="Print tables (the default).")] = False,
    format_: Annotated[Format, typer.Option("--format", help="Of the tables.")] = Format.TERMINAL,
    metric: Annotated[str | None, typer.Option("--metric", help="Only this metric.")] = None,
    epoch: Annotated[
        Epoch, typer.Option("--epoch", help="last, or the best on the test set (optimistic).")
    ] = Epoch.LAST,
    power: Annotated[
        float | None, typer.Option("--power", help="Seeds needed to detect this difference.")
    ] = None,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print the table of each study: mean ± std over seeds, differences, intervals."""
    from ablate.report import power_report, render, tables
    from ablate.store.index import Index

    found = []
    with Index.open(existing_results(results)) as index:
        for one in study_results(index, study):
            if power is not None:
                found.append(power_report(one, power, metric, epoch))
            else:
                found += tables(one, metric, epoch)
    typer.echo(render(found, format_), nl=False)


def study_results(index: Index, name: str | None) -> list[StudyResults]:
    """Results of the named study, or of all; InputError if there is none."""
    from ablate.store import query

    plans = [listed.plan for listed in query.studies(index)]
    chosen = [plan for plan in plans if name in (None, plan.name, plan.key)]
    if not chosen:
        known = list(dict.fromkeys(plan.name for plan in plans))
        message = f'no study "{name}"' if name else "no study has been run"
        raise InputError(Problem(str(index.results), "", message, did_you_mean(name or "", known)))
    return [query.study_results(index, plan.key) for plan in chosen]
