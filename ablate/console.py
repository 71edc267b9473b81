"""All that ablate prints through rich; nothing else imports it.

Other rooms hand over plain text and say what should stand out; markup is never read out of it.
Tables are laid out here and not by rich, so that headings span columns, numbers never break, and
the same table is the same text under every version of rich. Where nothing can stand out, as in
files and pipes, the text is written as it is: rich would take longer over it than all else that a
report does.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest
from operator import le
from typing import TYPE_CHECKING, NamedTuple

from ablate.letters import in_letters_of

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 100  #: of files and pipes, which have no width of their own
_NARROWEST = 20  #: of a terminal; what claims less, such as COLUMNS=0, does not know its width
_GAP = 2  #: blanks between columns
_INDENT = 2  #: blanks before the rows under a heading
_SENTENCES = frozenset({1})  #: column of words in a list of labels and sentences
_PROSE = 24  #: cells wider than this are words that may break, not a number
_NARROWEST_LABEL = 16
_NBSP = "\u00a0"
_RULE = "─"
_NARROW = re.compile("[ -~\u00a0-\u02ff—…←-↓−─]*")  # each takes one cell, and no-break spaces too
#: Control characters but tabs and newlines, and those that reorder the text around them.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


class Styled(NamedTuple):
    """A piece of text and how it should look."""

    text: str
    style: str = ""  #: a rich style: "bold", "underline", "italic"


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as the terminal needs it; columns of numbers are right-aligned."""

    title: str
    subtitle: str
    heads: tuple[str, ...]  #: of each column; lines separated by newlines
    rows: tuple[tuple[Styled, ...], ...]  #: a row of one piece is a heading over all columns
    notes: tuple[str, ...]
    series: str = ""  #: tables of one series share what they have in common
    lead: tuple[str, ...] = ()  #: sentences above the table
    words: frozenset[int] = frozenset()  #: columns besides the first that hold words
    legends: tuple[str, ...] = ()  #: those of the notes that every table of a series repeats


class Line(NamedTuple):
    """A line of output, and which of its characters should stand out."""

    text: str
    spans: tuple[tuple[str, int, int], ...] = ()  #: (rich style, from, to)


def console(*, stderr: bool = False) -> Console:
    """Console on stdout or stderr; where no width is known, plain text of a fixed width."""
    from rich.console import Console

    class Sturdy(Console):
        def on_broken_pipe(self) -> None:
            """Ignore a closed pipe, where rich would end the process: the run must go on."""
            self.quiet = True

    kind = Sturdy if stderr else Console
    out = kind(stderr=stderr, highlight=False)
    if (out.is_terminal or "COLUMNS" in os.environ) and out.width >= _NARROWEST:
        return out
    return kind(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def stands_out(out: Console) -> bool:
    """Whether bold and underlined text can be told apart there."""
    return out.color_system is not None


def print_lines(out: Console, lines: Iterable[Line]) -> None:
    """Print lines as they are: in a terminal those too long for it wrap there."""
    lines = (line._replace(text=in_letters_of(out.encoding, line.text)) for line in lines)
    if not stands_out(out):
        out.file.write(_plain(lines))
        out.file.flush()
        return
    from rich.text import Span, Text

    text = Text("\n").join(
        Text(clean(line.text), spans=[Span(start, end, style) for style, start, end in line.spans])
        for line in lines
    )
    out.print(text, no_wrap=True, overflow="ignore", crop=False)


def grids_text(grids: Sequence[TextTable], width: int = PLAIN_WIDTH) -> str:
    """The lines of `grids_lines` as plain text."""
    return _plain(grids_lines(grids, width))


def _plain(lines: Iterable[Line]) -> str:
    return clean("".join(line.text.rstrip(" ") + "\n" for line in lines))


def clean(text: str) -> str:
    """Text that cannot move a terminal's cursor, change its colours or reorder its words."""
    return without_controls(text).replace(_NBSP, " ")


def json_text(value: object) -> str:
    """JSON, indented, in UTF-8 characters but for controls, which stand as escapes.

    Raises ValueError for numbers that JSON does not have.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_controls(text: str) -> str:
    """The text with U+FFFD for control characters and for those that reorder what is around."""
    return text if text.isascii() and text.isprintable() else _CONTROLS.sub("\ufffd", text)


def grids_lines(grids: Sequence[TextTable], width: int, encoding: str = "utf-8") -> Iterator[Line]:
    """Tables with their notes, at most `width` wide unless words are too long for it.

    In the letters that the encoding has, which must be known before columns are laid out.
    What several of a series share is said once: a subtitle under the first of them, a note under
    the last. What explains marks stands under every table that has them.
    """
    grids = [in_letters_of(encoding, grid) for grid in grids]
    last_with: dict[tuple[str, str], int] = {}  # (series, note) -> number of its last grid
    for index, grid in enumerate(grids):
        last_with.update(dict.fromkeys([(grid.series, note) for note in grid.notes], index))
    introduced: set[tuple[str, str]] = set()
    for index, grid in enumerate(grids):
        yield from _prose(grid.title, "bold", width)
        if grid.subtitle and (grid.series, grid.subtitle) not in introduced:
            introduced.add((grid.series, grid.subtitle))
            yield from _prose(grid.subtitle, "italic", width)
        for sentence in grid.lead:
            yield from _prose(sentence, "", width)
        yield Line("")
        yield from table_lines(grid, width)
        yield Line("")
        notes = [
            note
            for note in grid.notes
            if note in grid.legends or last_with[grid.series, note] == index
        ]
        for note in notes:
            yield from _prose(note, "dim", width)
        if notes:
            yield Line("")


def table_lines(grid: TextTable, width: int) -> Iterator[Line]:
    """Lines of the grid's head and rows, at most `width` wide unless words are too long for it.

    A column of words that would fold stands under the table instead, its sentences beside the
    labels of their rows.
    """
    apart = [index for index in grid.words if _folds(grid, index, width)]
    yield from _rows(_without(grid, apart), width)
    for index in sorted(apart):
        yield from _listed(grid, index, width)


def _folds(grid: TextTable, index: int, width: int) -> bool:
    """Whether a cell of this column takes several lines in a table of this width."""
    sizes = [[size_of(cell.text) for cell in row] for row in grid.rows]
    size = _widths(grid, sizes, width)[index]
    return any(len(row) > 1 and row[index] > size for row in sizes)


def _without(grid: TextTable, apart: Sequence[int]) -> TextTable:
    """The table without some of its columns."""
    kept = [index for index in range(len(grid.heads)) if index not in apart]
    return replace(
        grid,
        heads=tuple(grid.heads[index] for index in kept),
        rows=tuple(
            tuple(row[index] for index in kept) if len(row) > 1 else row for row in grid.rows
        ),
        words=frozenset(new for new, old in enumerate(kept) if old in grid.words),
    )


def _listed(grid: TextTable, index: int, width: int) -> Iterator[Line]:
    """A column of words as lines of label and sentence; headings only where labels need them."""
    rows = [row for row in grid.rows if len(row) == 1 or row[index].text.strip()]
    labels = [row[0].text.strip() for row in rows if len(row) > 1]
    if len(set(labels)) == len(labels):
        rows = [row for row in rows if len(row) > 1]
    size = min(max(map(size_of, labels), default=0) + _INDENT, width // 2)
    head = grid.heads[index].replace("\n", " ")
    yield Line(f"{head[:1].upper()}{head[1:]}:")
    for row in rows:
        if len(row) == 1:
            yield _styled(row[0].text, row[0].style)
        else:
            label = row[0]._replace(text=" " * _INDENT + row[0].text.strip())
            yield from _wrapped_row((label, row[index]), (size, width - size - _GAP), _SENTENCES)


def _rows(grid: TextTable, width: int) -> Iterator[Line]:
    sizes = [[size_of(cell.text) for cell in row] for row in grid.rows]
    widths = _widths(grid, sizes, width)
    rule = Line(_RULE * min(width, _total(widths)))
    heads = [
        [line for part in head.split("\n") for line in _wrapped(part, size)]
        for head, size in zip(grid.heads, widths, strict=True)
    ]
    tallest = max(map(len, heads))
    for pieces in zip(*([""] * (tallest - len(head)) + head for head in heads), strict=True):
        cells = [Styled(piece) for piece in pieces]
        yield _line(cells, list(map(size_of, pieces)), widths, grid.words)
    yield rule
    for row, own in zip(grid.rows, sizes, strict=True):
        if len(row) == 1:
            yield _styled(row[0].text, row[0].style)
        elif all(map(le, own, widths)):
            yield _line(row, own, widths, grid.words)
        else:
            yield from _wrapped_row(row, widths, grid.words)
    yield rule


def _prose(text: str, style: str, width: int) -> Iterator[Line]:
    for line in _wrapped(text, width):
        yield _styled(line, style)


def _styled(text: str, style: str) -> Line:
    return Line(text, ((style, 0, len(text)),) if style else ())


def _wrapped_row(
    row: Sequence[Styled], widths: Sequence[int], words: frozenset[int]
) -> Iterator[Line]:
    """A row of cells of which some take several lines, from the top."""
    columns = [_wrapped(cell.text, size) for cell, size in zip(row, widths, strict=True)]
    for pieces in zip_longest(*columns, fillvalue=""):
        cells = [Styled(piece, cell.style) for piece, cell in zip(pieces, row, strict=True)]
        yield _line(cells, list(map(size_of, pieces)), widths, words)


def _line(
    pieces: Sequence[Styled], sizes: Sequence[int], widths: Sequence[int], words: frozenset[int]
) -> Line:
    """Cells beside each other, padded to their widths: words on their right, numbers before."""
    texts: list[str] = []
    spans: list[tuple[str, int, int]] = []
    at = 0
    columns = zip(pieces, sizes, widths, strict=True)
    for index, ((piece, style), size, width) in enumerate(columns):
        before = _GAP if index else 0
        room = width - size
        before, after = (before, room) if not index or index in words else (before + room, 0)
        text = " " * before + piece + " " * after
        if style:
            start = at + before
            spans.append((style, start, start + len(piece)))
        at += len(text)
        texts.append(text)
    return Line("".join(texts), tuple(spans))


def _widths(grid: TextTable, sizes: Sequence[Sequence[int]], limit: int) -> list[int]:
    """Column widths: labels and prose give way first, numbers only if they must."""
    head_words = [max(map(size_of, _words(head))) for head in grid.heads]
    columns = list(zip(head_words, *(row for row in sizes if len(row) > 1), strict=True))
    natural = [max(1, *column) for column in columns]
    if _total(natural) <= limit:
        return natural
    texts = zip(*(row for row in grid.rows if len(row) > 1), strict=True)
    words = [
        max([size, *(size_of(word) for cell in column for word in _words(cell.text))])
        for size, column in zip_longest(head_words, texts, fillvalue=())
    ]
    widths = list(natural)
    breaking = [sum(size > word for size in c) for word, c in zip(words, columns, strict=True)]
    prose = [i for i, size in enumerate(natural) if i == 0 or size > _PROSE]
    for candidates in (prose, range(len(widths))):
        for index in sorted(candidates, key=lambda i: (breaking[i], -natural[i])):
            excess = _total(widths) - limit
            if excess > 0:
                least = max(words[index], _NARROWEST_LABEL if index == 0 else 0)
                widths[index] = max(min(least, widths[index]), widths[index] - excess)
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _words(text: str) -> list[str]:
    return text.replace("\n", " ").split(" ")


@lru_cache(maxsize=2**14)  # heads and labels come again and again
def size_of(text: str) -> int:
    """Cells of a terminal that a text takes."""
    if _NARROW.fullmatch(text):  # numbers and most words: rich would look at every character
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _wrapped(text: str, width: int) -> list[str]:
    """Text broken at blanks, but not at no-break spaces; leading blanks indent every line."""
    if size_of(text) <= width:
        return [text]
    indent = " " * (len(text) - len(text.lstrip(" ")))
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if not word:
            continue
        longer = f"{line} {word}" if line else indent + word
        if line and size_of(longer) > width:
            lines.append(line)
            longer = indent + word
        line = longer
    # The blank that stands in for a mark keeps numbers aligned.
    return [*lines, line + " " * (len(text) - len(text.rstrip(" ")))]
