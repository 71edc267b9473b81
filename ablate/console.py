"""All that ablate prints through rich; nothing else imports it.

Other rooms hand over plain text and say what should stand out; markup is never read out of it.
Tables are laid out here and not by rich, so that headings span columns, numbers never break, and
the same table is the same text under every version of rich.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PLAIN_WIDTH = 100  #: of files and pipes, which have no width of their own
_GAP = 2  #: blanks between columns
_PROSE = 24  #: cells wider than this are words that may break, not a number
_NARROWEST_LABEL = 16


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of text and how it should look."""

    text: str
    style: str = ""  #: a rich style: "bold", "underline", "italic"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as the terminal needs it; all columns but the first are right-aligned."""

    title: str
    subtitle: str
    heads: tuple[str, ...]  #: of each column; lines separated by newlines
    rows: tuple[tuple[Styled, ...], ...]  #: a row of one piece is a heading over all columns
    notes: tuple[str, ...]
    series: str = ""  #: tables of one series share what they have in common


def console(*, stderr: bool = False) -> Console:
    """Console on stdout or stderr; without a terminal behind it, plain text of a fixed width."""
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False)
    if out.is_terminal or "COLUMNS" in os.environ:
        return out
    return Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def escape(text: str) -> str:
    """Text in which rich finds no markup."""
    from rich.markup import escape as rich_escape

    return rich_escape(text)


def stands_out() -> bool:
    """Whether bold and underlined text can be told apart on stdout."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def print_grids(out: Console, grids: Sequence[Grid]) -> None:
    """Tables with their notes; what several of a series share is printed once.

    A subtitle stands under the first of them, a note under the last.
    """
    from rich.text import Text

    last_with: dict[tuple[str, str], int] = {}  # (series, note) -> number of its last grid
    for index, grid in enumerate(grids):
        last_with.update(dict.fromkeys([(grid.series, note) for note in grid.notes], index))
    introduced: set[tuple[str, str]] = set()
    for index, grid in enumerate(grids):
        out.print(Text(grid.title, style="bold"))
        if grid.subtitle and (grid.series, grid.subtitle) not in introduced:
            introduced.add((grid.series, grid.subtitle))
            out.print(Text(grid.subtitle, style="italic"))
        out.print()
        lines = Text("\n").join(table_lines(grid, out.width))  # one print costs as much as a line
        out.print(lines, no_wrap=True, overflow="ignore", crop=False)
        out.print()
        notes = [note for note in grid.notes if last_with[grid.series, note] == index]
        for note in notes:
            out.print(Text(note, style="dim"))
        if notes:
            out.print()


def grids_text(grids: Sequence[Grid], width: int = PLAIN_WIDTH) -> str:
    """What `print_grids` prints, as plain text."""
    from rich.console import Console

    stream = io.StringIO()
    print_grids(Console(file=stream, width=width, highlight=False, color_system=None), grids)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def table_lines(grid: Grid, width: int) -> Iterator[Text]:
    """Lines of the grid's head and rows, at most `width` wide unless words are too long for it."""
    from rich.text import Text

    rows = [row for row in grid.rows if len(row) > 1]
    widths = _widths(grid.heads, rows, width)
    rule = "─" * min(width, sum(widths) + _GAP * (len(widths) - 1))
    heads = [
        [line for part in head.split("\n") for line in _wrapped(part, size)]
        for head, size in zip(grid.heads, widths, strict=True)
    ]
    tallest = max(map(len, heads))
    spread = tuple([""] * (tallest - len(head)) + head for head in heads)
    yield from _lines(spread, [""] * len(heads), widths)
    yield Text(rule)
    for row in grid.rows:
        if len(row) == 1:
            yield Text(row[0].text, style=row[0].style)
        else:
            cells = [_wrapped(cell.text, size) for cell, size in zip(row, widths, strict=True)]
            yield from _lines(cells, [cell.style for cell in row], widths)
    yield Text(rule)


def _lines(
    columns: Sequence[Sequence[str]], styles: Sequence[str], widths: Sequence[int]
) -> Iterator[Text]:
    """A row of cells, each one or more lines, from the top."""
    from rich.cells import cell_len
    from rich.text import Text

    for pieces in zip_longest(*columns, fillvalue=""):
        line = Text()
        for index, (piece, style, size) in enumerate(zip(pieces, styles, widths, strict=True)):
            blank = " " * max(0, size - cell_len(piece))
            line.append(" " * _GAP if index else "")
            line.append("" if index == 0 else blank)
            line.append(piece.replace("\u00a0", " "), style=style)
            line.append(blank if index == 0 else "")
        yield line


def _widths(heads: Sequence[str], rows: Sequence[Sequence[Styled]], limit: int) -> list[int]:
    """Column widths: labels and prose give way first, numbers only if they must."""
    from rich.cells import cell_len

    columns = [[row[index].text for row in rows] for index in range(len(heads))]
    words = [
        max((cell_len(w) for w in _words([head, *column])), default=1)
        for head, column in zip(heads, columns, strict=True)
    ]
    natural = [
        max([word, *(cell_len(text) for text in column)])
        for word, column in zip(words, columns, strict=True)
    ]
    widths = list(natural)
    breaking = [sum(cell_len(t) > w for t in c) for w, c in zip(words, columns, strict=True)]
    prose = [i for i, size in enumerate(natural) if i == 0 or size > _PROSE]
    for candidates in (prose, range(len(widths))):
        for index in sorted(candidates, key=lambda i: (breaking[i], -natural[i])):
            excess = sum(widths) + _GAP * (len(widths) - 1) - limit
            if excess > 0:
                least = max(words[index], _NARROWEST_LABEL if index == 0 else 0)
                widths[index] = max(min(least, widths[index]), widths[index] - excess)
    return widths


def _words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from text.replace("\n", " ").split(" ")


def _wrapped(text: str, width: int) -> list[str]:
    """Text broken at blanks, but not at no-break spaces; leading blanks indent every line."""
    from rich.cells import cell_len

    indent = " " * (len(text) - len(text.lstrip(" ")))
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if not word:
            continue
        longer = f"{line} {word}" if line else indent + word
        if line and cell_len(longer) > width:
            lines.append(line)
            longer = indent + word
        line = longer
    # The blank that stands in for a mark keeps numbers aligned.
    return [*lines, line + " " * (len(text) - len(text.rstrip(" ")))]
