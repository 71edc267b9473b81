"""The options of `ablate report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    Selection, typer.Option("--epoch", help="last, or the best on the test set (optimistic).")
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
