"""The options of `ablate report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ablate.errors import InputError, Problem
from ablate.report.choices import Engine, Format, Notes, Selection

ENDINGS = {
    ".txt": Format.TERMINAL,
    ".md": Format.MARKDOWN,
    ".tex": Format.LATEX,
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".html": Format.HTML,
}


TableOption = Annotated[bool, typer.Option("--table", help="Print tables (the default).")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Format of the tables; default: terminal.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="File for the tables; its ending says the format.")
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help='Only this metric. With --from: "NAME:UNIT:higher" (or lower), also repeated.',
    ),
]
EpochOption = Annotated[
    Selection,
    typer.Option(
        "--epoch",
        help="last, or best: on the validation split, or without one on the test set (optimistic).",
    ),
]
PowerOption = Annotated[
    float | None, typer.Option("--power", help="Seeds needed for intervals of this half-width.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", help="Write a self-contained page per study.")
]
FiguresOption = Annotated[
    Path | None, typer.Option("--figures", help="Folder for figures, as PDF and PNG.")
]
CaptionsOption = Annotated[
    bool,
    typer.Option("--captions", help="Write captions beside the figures (.tex, .txt), not in them."),
]
NotesOption = Annotated[
    Notes, typer.Option("--notes", help="Below a table: at most four lines, or all.")
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Report a file of other tools: .csv, .parquet or .jsonl with columns variant, seed, "
        "one per metric, and if need be pair, group, status.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--latex-engine", help="LaTeX engine for --format latex; lualatex supports every script."
    ),
]
BaselineOption = Annotated[
    str | None,
    typer.Option("--baseline", help="With --from: the reference row; default: the first."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="With --from: a column's name there, variant=run_name."),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all", help="All studies, also those that were run again since, under the same name."
    ),
]


def check_only_from(
    baseline: str | None, column: list[str] | None, metric: list[str] | None
) -> None:
    """InputError for options that only --from has a use for."""
    options = {"--baseline": baseline, "--column": column}
    problems = [
        Problem(option, "", "is about a file of other tools", "add --from FILE")
        for option, value in options.items()
        if value is not None
    ]
    if metric and len(metric) > 1:
        problems.append(Problem("--metric", "", "is given several times", "once, or with --from"))
    if problems:
        raise InputError(problems)


def check_not_from(
    study: str | None, epoch: Selection, results: str | None, *, everything: bool
) -> None:
    """InputError for what --from, which reads one file, has no use for."""
    options = {
        f"study {study}": study is not None,
        "--epoch": epoch is not Selection.LAST,
        "--all": everything,
        "--results": results is not None,
    }
    problems = [
        Problem(option, "", "is about results of ablate's own", "leave it out, or --from")
        for option, is_set in options.items()
        if is_set
    ]
    if problems:
        raise InputError(problems)
