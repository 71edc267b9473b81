"""Markdown: GitHub's tables, every character of the content escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ablate.console import without_controls
from ablate.report.tables.table import Show, Table, TableRow
from ablate.report.tables.text import Shown, row_label, show

_SPECIAL = re.compile(r"([\\`*\[\]<>|~$#])")
_EMPHASIS = re.compile(r"(?<![^\W_])(?<!\u0303)_|_(?![^\W_])")  # underscores not inside a word
_COMMAND = re.compile(r"\\`(ablate .*?)\\`")  # one of ours, in an escaped sentence
_BLOCK = re.compile(r"^(?:[-+](?=[- ]|$)|\d{1,9}(?=[.)](?: |$)))")  # starts a list or is a rule


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    one_line = without_controls(re.sub(r"[ \t\r\n]+", " ", text))
    text = _SPECIAL.sub(r"\\\1", one_line.replace("&", "&amp;"))
    return _BLOCK.sub(_inert, _EMPHASIS.sub(r"\\_", text.strip(" ")))


def _sentence(text: str) -> str:
    """A sentence whose commands, in backquotes, are code; the rest is shown as it is."""
    return _COMMAND.sub(lambda found: f"`{_as_code(found[1])}`", escape(text))


def _as_code(escaped: str) -> str:
    """Escaped text as it reads between backquotes, where nothing is escaped."""
    return re.sub(r"\\(.)", r"\1", escaped).replace("&amp;", "&")


def _inert(start: re.Match[str]) -> str:
    """The start of a line without its meaning: only signs can be escaped, so "1." is "1\\."."""
    return start[0] + "\\" if start[0].isdecimal() else "\\" + start[0]


def render_markdown(tables: Sequence[Table]) -> str:
    """All tables, a heading above and a list of notes below each."""
    return "\n".join(_render(table) for table in tables)


def _render(table: Table) -> str:
    lines = [f"### {escape(table.title)}", ""]
    if table.question:
        lines += [escape(table.question), ""]
    if table.headline:
        lines += [f"**{_sentence(table.headline[0])}**", *map(_sentence, table.headline[1:]), ""]
    heads = [table.corner, *(column.heads for column in table.columns)]
    lines.append(_line(["<br>".join(escape(h) for h in head if h) for head in heads]))
    sides = [":---" if column.show is Show.CONCLUSION else "---:" for column in table.columns]
    lines.append("|" + "|".join([":---", *sides]) + "|")
    group = ""
    for row in table.rows:
        if row.group and row.group != group:
            lines.append(_line([f"*{escape(row.group)}*", *[""] * len(table.columns)]))
        group = row.group or group
        lines.append(_line(_cells(table, row)))
    lines += ["", *(f"- {_sentence(note)}" for note in table.footer), ""]
    return "\n".join(lines)


def _cells(table: Table, row: TableRow) -> list[str]:
    shown = (show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True))
    return [escape(row_label(row)), *map(_emphasised, shown)]


def _emphasised(shown: Shown) -> str:
    text = escape(shown.text)
    if shown.best:
        return f"**{text}**"
    if shown.second:
        return f"<ins>{text}</ins>"
    return f"{text} ({escape(', '.join(shown.details))})" if shown.details else text


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
