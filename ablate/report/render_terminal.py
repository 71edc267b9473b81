"""The terminal: bold and underline where there is a terminal, * and + where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.console import PLAIN_WIDTH, Grid, Styled, console, grids_text, print_grids, stands_out
from ablate.report.table import Row, Table
from ablate.report.text import Shown, row_label, show

_EMPHASIS_WORDS = "Best bold, second underlined"
_PLAIN_WORDS = "Best *, second +"


def render_terminal(tables: Sequence[Table], width: int = PLAIN_WIDTH) -> str:
    """The tables as plain text of a fixed width."""
    return grids_text([grid_of(table, plain=True) for table in tables], width)


def print_tables(tables: Sequence[Table]) -> None:
    """Print the tables on stdout, as it is: a terminal, a file or a pipe."""
    plain = not stands_out()
    print_grids(console(), [grid_of(table, plain=plain) for table in tables])


def grid_of(table: Table, *, plain: bool) -> Grid:
    """The console's form of a table."""
    rows: list[tuple[Styled, ...]] = []
    group = ""
    for row in table.rows:
        if row.group and row.group != group:
            rows.append((Styled(row.group, "italic"),))
        group = row.group or group
        rows.append(_row(table, row, plain=plain))
    heads = [table.corner, *(column.heads for column in table.columns)]
    notes = table.footer
    if plain:
        notes = tuple(note.replace(_EMPHASIS_WORDS, _PLAIN_WORDS) for note in notes)
    lines = tuple("\n".join(head) for head in heads)
    return Grid(table.title, table.question, lines, tuple(rows), notes, table.key)


def _row(table: Table, row: Row, *, plain: bool) -> tuple[Styled, ...]:
    label = Styled(("  " if row.group else "") + row_label(row))
    shown = [show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True)]
    ranked = [_has_rank(table, index) for index in range(len(shown))]
    return (
        label,
        *(
            _plain(one, aligned=aligned) if plain else _styled(one)
            for one, aligned in zip(shown, ranked, strict=True)
        ),
    )


def _has_rank(table: Table, index: int) -> bool:
    """Whether any cell of the column has a mark, so that the others leave room for it."""
    shown = (show(table.columns[index], row.cells[index]) for row in table.rows)
    return any(one.best or one.second for one in shown)


def _plain(shown: Shown, *, aligned: bool) -> Styled:
    mark = "*" if shown.best else "+" if shown.second else " " if aligned else ""
    return Styled(shown.line + mark)


def _styled(shown: Shown) -> Styled:
    return Styled(shown.line, "bold" if shown.best else "underline" if shown.second else "")
