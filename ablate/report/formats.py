"""Render tables in any format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ablate.errors import InputError, Problem, did_you_mean
from ablate.report.choices import Engine, Format

if TYPE_CHECKING:
    from ablate.report.tables.table import Table


def render(
    tables: Sequence[Table],
    format: str,  # noqa: A002
    engine: Engine = Engine.PDFLATEX,
) -> str:
    """The tables as text in one `Format`, by name; InputError names them for any other.

    `engine` is what compiles "latex".
    """
    if format not in list(Format):
        right = did_you_mean(format, [*Format])
        raise InputError(Problem("--format", "", f'no format "{format}"', right))
    if format == Format.LATEX:
        from ablate.report.renderers.latex import render_latex

        return render_latex(tables, engine)
    return _renderer(Format(format))(tables)


def _renderer(chosen: Format) -> Callable[[Sequence[Table]], str]:
    """What renders tables in a format other than LaTeX; only its module is loaded."""
    if chosen is Format.TERMINAL:
        from ablate.report.renderers.terminal import render_terminal

        return render_terminal
    if chosen is Format.MARKDOWN:
        from ablate.report.renderers.markdown import render_markdown

        return render_markdown
    if chosen is Format.CSV:
        from ablate.report.renderers.csv import render_csv

        return render_csv
    if chosen is Format.JSON:
        from ablate.report.renderers.json import render_json

        return render_json
    from ablate.report.renderers.html import render_html

    return render_html
