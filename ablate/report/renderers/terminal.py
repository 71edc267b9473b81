"""The terminal: bold and underline where there is a terminal, * and + where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.console import PLAIN_WIDTH, Styled, TextTable, grids_text
from ablate.report.tables.footer import EMPHASIS, explains_marks
from ablate.report.tables.table import Show, Table
from ablate.report.tables.text import EQUALS, NBSP, Shown, row_label, show

_BEST, _SECOND = "•", "◦"
_PLAIN_WORDS = f"{_BEST} best mean, {_SECOND} second"


def render_terminal(tables: Sequence[Table], width: int = PLAIN_WIDTH) -> str:
    """The tables as plain text of a fixed width."""
    return grids_text([grid_of(table, plain=True) for table in tables], width)


def grid_of(table: Table, *, plain: bool) -> TextTable:
    """The console's form of a table."""
    shown = [
        [show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
        for row in table.rows
    ]
    # Where a column has marks, its other cells leave room for one.
    ranked = [any(one.best or one.second for one in column) for column in zip(*shown, strict=True)]
    rows: list[tuple[Styled, ...]] = []
    group = ""
    for row, cells in zip(table.rows, shown, strict=True):
        if row.group and row.group != group:
            rows.append((Styled(row.group, "italic"),))
        group = row.group or group
        label = Styled(("  " if row.group else "") + row_label(row).replace(" = ", EQUALS))
        rows.append(
            (
                label,
                *(
                    _plain(one, room=room) if plain else _styled(one)
                    for one, room in zip(cells, ranked, strict=True)
                ),
            )
        )
    heads = [table.corner, *(column.heads for column in table.columns)]
    notes = table.footer
    if plain:
        notes = tuple(note.replace(EMPHASIS, _PLAIN_WORDS) for note in notes)
    lines = tuple("\n".join(head) for head in heads)
    words = (i for i, column in enumerate(table.columns, 1) if column.show is Show.CONCLUSION)
    return TextTable(
        title=table.title,
        subtitle=table.question,
        heads=lines,
        rows=tuple(rows),
        notes=notes,
        series=table.key,
        lead=table.headline,
        words=frozenset(words),
        legends=tuple(filter(explains_marks, notes)),
    )


def _plain(shown: Shown, *, room: bool) -> Styled:
    mark = _BEST if shown.best else _SECOND if shown.second else ""
    if mark:
        return Styled(f"{shown.line}{NBSP}{mark}")  # a mark alone on a line marks nothing
    return Styled(f"{shown.line}  " if room else shown.line)


def _styled(shown: Shown) -> Styled:
    return Styled(shown.line, "bold" if shown.best else "underline" if shown.second else "")
