"""One door to all renderers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from ablate.errors import InputError, Problem, did_you_mean
from ablate.report.tables.table import Table

FORMATS = ("terminal", "markdown", "latex", "csv", "json", "html")


def render(tables: Sequence[Table], format: str) -> str:  # noqa: A002
    """The tables as text in one of `FORMATS`; InputError names them for any other."""
    if format not in FORMATS:
        raise InputError(
            Problem("--format", "", f'no format "{format}"', did_you_mean(format, FORMATS))
        )
    module = import_module(f"ablate.report.renderers.{format}")
    renderer: Callable[[Sequence[Table]], str] = getattr(module, f"render_{format}")
    return renderer(tables)
