"""Render tables in any format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from ablate.errors import InputError, Problem, did_you_mean
from ablate.report.tables.table import Table

FORMATS = ("terminal", "markdown", "latex", "csv", "json", "html")


def render(tables: Sequence[Table], format: str, engine: str = "pdflatex") -> str:  # noqa: A002
    """The tables as text in one of `FORMATS`; InputError names them for any other.

    `engine`, "pdflatex" or "lualatex", is what compiles "latex".
    """
    if format not in FORMATS:
        raise InputError(
            Problem("--format", "", f'no format "{format}"', did_you_mean(format, FORMATS))
        )
    if format == "latex":
        from ablate.report.renderers.latex import render_latex
        from ablate.report.renderers.tex import Engine

        return render_latex(tables, Engine(engine))
    module = import_module(f"ablate.report.renderers.{format}")
    renderer: Callable[[Sequence[Table]], str] = getattr(module, f"render_{format}")
    return renderer(tables)
