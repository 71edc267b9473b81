"""HTML: one `<table>` per table, all text escaped; a page embeds and styles it, a file wraps it.

Class names: `ablate-table`, `headline`, `best`, `second`, `group`, `missing`, `notes`,
`published`, a row's role, and `baseline` at its cell in a grid. A `td` carries the unrounded number
it shows as `data-value`, so that a page can sort.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from ablate.console import without_controls
from ablate.matrix.plan import Role
from ablate.report.tables.notation import Symbol, split
from ablate.report.tables.table import Cell, Column, Effect, Quantity, Show, Table, TableRow
from ablate.report.tables.text import EQUALS, row_label, show

_COMMAND = re.compile(r"`(ablate [^`]*)`")


def inline(text: str) -> str:
    """Escaped text with the paper's symbols as letters with subscripts."""
    return "".join(
        f"<var>{escape(piece.letter)}{'&#x303;' if piece.tilde else ''}</var>"
        f"<sub>{escape(piece.subscript)}</sub>"
        if isinstance(piece, Symbol)
        else escape(piece)
        for piece in split(without_controls(text))
    )


def prose(text: str) -> str:
    """As `inline`, with our own commands, which stand between backticks, as code."""
    return "".join(
        f"<code>{escape(without_controls(piece))}</code>" if index % 2 else inline(piece)
        for index, piece in enumerate(_COMMAND.split(text))
    )


def render_html(tables: Sequence[Table]) -> str:
    """All tables, one after the other."""
    return "\n".join(render_table(table) for table in tables) + "\n"


def document(tables: str) -> str:
    """What `render_html` gave as a whole document, which says how its bytes are to be read."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>Tables</title>\n</head>\n<body>\n{tables}</body>\n</html>\n"
    )


def render_table(table: Table, *, footer: bool = True) -> str:
    """One table, with its notes as `tfoot` unless the page sets them itself."""
    lines = [
        f'<table class="ablate-table" data-layout="{escape(table.layout)}">',
        f"<caption>{inline(table.title)}{_headline(table)}</caption>",
        "<thead>",
        *_heads(table),
        "</thead>",
        *_bodies(table),
    ]
    if footer:
        notes = "".join(f"<p>{prose(note)}</p>" for note in table.footer)
        span = 1 + len(table.columns)
        lines += [f'<tfoot><tr><td class="notes" colspan="{span}">{notes}</td></tr></tfoot>']
    return "\n".join([*lines, "</table>"])


def _headline(table: Table) -> str:
    """The study's answer, above the first table of a metric."""
    return "".join(f'<p class="headline">{prose(line)}</p>' for line in table.headline)


def _heads(table: Table) -> list[str]:
    lines = []
    for index, corner in enumerate(table.corner):
        heads = "".join(
            f'<th scope="col">{inline(column.heads[index])}</th>' for column in table.columns
        )
        lines.append(f'<tr><th scope="col">{inline(corner)}</th>{heads}</tr>')
    return lines


def _bodies(table: Table) -> list[str]:
    lines, group = ["<tbody>"], ""
    for row in table.rows:
        if row.group and row.group != group:
            span = 1 + len(table.columns)
            lines += [
                "</tbody>",
                "<tbody>",
                f'<tr class="group"><th scope="rowgroup" colspan="{span}">'
                f"<span>{inline(row.group)}</span></th></tr>",
            ]
        group = row.group or group
        lines.append(_row(table, row))
    return [*lines, "</tbody>"]


def _row(table: Table, row: TableRow) -> str:
    cells = "".join(
        _cell(column, cell, grid=table.layout == "grid")
        for column, cell in zip(table.columns, row.cells, strict=True)
    )
    role = f' class="{row.role.value}"' if row.role else ""
    label = inline(row_label(row).replace(" = ", EQUALS))
    return f'<tr{role}><th scope="row">{label}</th>{cells}</tr>'


def _cell(column: Column, cell: Cell | Effect | Quantity | None, *, grid: bool) -> str:
    shown = show(column, cell)
    text = inline(shown.text)
    if shown.best:
        text = f'<strong class="best">{text}</strong>'
    elif shown.second:
        text = f'<u class="second">{text}</u>'
    if shown.details:
        text += f' <small class="missing">({inline(", ".join(shown.details))})</small>'
    value = _sortable(column, cell)
    data = "" if value is None else f' data-value="{value!r}"'
    if isinstance(cell, Quantity) and cell.published:
        data += ' class="published"'
    if grid and isinstance(cell, Cell) and cell.role is Role.BASELINE:
        data += ' class="baseline"'
    return f"<td{data}>{text}</td>"


def _sortable(column: Column, cell: Cell | Effect | Quantity | None) -> float | None:
    if cell is None or isinstance(cell, Quantity):
        return None if cell is None else cell.value
    if column.show is Show.N:
        return cell.n if isinstance(cell, Cell) else cell.comparison.n
    if column.show in (Show.VALUE, Show.OUTCOME):
        return cell.mean if isinstance(cell, Cell) else None
    one = cell.comparison
    return None if one is None else {Show.DIFFERENCE: one.mean, Show.P: one.p}.get(column.show)
