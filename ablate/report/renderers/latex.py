"""LaTeX: booktabs tables that compile as pasted into a document.

A table wider than the text is scaled down to it; one with very many rows breaks over pages, which
`longtable` can do in one column only: a comment above the tables says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from ablate.report.choices import Engine
from ablate.report.renderers.tex import settled, without_command
from ablate.report.renderers.tex import unsettled as tex
from ablate.report.tables.table import Show, Table, TableRow
from ablate.report.tables.text import Shown, row_label, show

_LONGEST_FLOAT = 46  #: lines of the table that fit a page; longer tables break over pages
_NOTE_CHARACTERS = 86  #: of a note's line in one column
_NOTE_LINE = 0.86  #: height of a note's line in lines of the table
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z±])")
_BREAK = r" \\ "
_WIDEST_HEAD = 14  #: characters
_WIDEST_LABEL = 40


def render_latex(tables: Sequence[Table], engine: Engine = Engine.PDFLATEX) -> str:
    """All tables; the first lines name the packages and fonts that the preamble needs."""
    tables = [_without_conclusions(table) for table in tables]
    labelled = _each_said_once(tables, _keys(tables))
    long = [_is_long(one.table) for one in labelled]
    blocks = [_long(one) if _is_long(one.table) else _float(one) for one in labelled]
    body = "\n".join(blocks)
    needed = {
        "booktabs": True,
        "graphicx": not all(long),
        "longtable": any(long),
        "pifont": r"\ding{" in body,
    }
    packages = [name for name, needs in needed.items() if needs]
    needs = " ".join(f"\\usepackage{{{name}}}" for name in packages)
    head = f"% Needs in the preamble: {needs}\n"
    if any(long):
        head += "% longtable, for tables of many rows, needs \\onecolumn in a two-column class.\n"
    return head + _other_scripts(body, engine) + settled(body, engine)


def _without_conclusions(table: Table) -> Table:
    """The table without words that its interval says already: they would make its type tiny."""
    kept = [i for i, column in enumerate(table.columns) if column.show is not Show.CONCLUSION]
    return replace(
        table,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(replace(row, cells=tuple(row.cells[i] for i in kept)) for row in table.rows),
    )


def _other_scripts(body: str, engine: Engine) -> str:
    """A comment on characters that LaTeX has no command for, if there are any."""
    characters = without_command(body)
    if not characters:
        return ""
    codes = " ".join(f"U+{ord(one):04X}" for one in characters)
    if engine is Engine.LUALATEX:
        return f"% Needs a font (fontspec) with {codes}.\n"
    return f"% pdflatex has no command for {codes}: --latex-engine lualatex prints them.\n"


def _is_long(table: Table) -> bool:
    """Whether the table and its notes would run off a page of the usual height."""
    groups = len({row.group for row in table.rows if row.group})
    notes = sum(-(-len(note) // _NOTE_CHARACTERS) for note in table.footer)
    lines = len(table.corner) + 3 + 1.5 * groups + sum(_lines(table, row) for row in table.rows)
    return lines + _NOTE_LINE * notes > _LONGEST_FLOAT


def _lines(table: Table, row: TableRow) -> int:
    """Lines that a row takes: those of its label, or of the cell that says most."""
    shown = (show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True))
    counts = (1 + len(one.details) * (not (one.best or one.second)) for one in shown)
    return max(len(_label_lines(row)), *counts, 1)


def _keys(tables: Sequence[Table]) -> list[str]:
    """Labels that are unique in the document: "tab:lpred-symmetry-one-part-2"."""
    used: Counter[str] = Counter()
    keys = []
    for table in tables:
        name = re.sub(r"[^A-Za-z0-9]+", "-", f"{table.study}-{table.layout}").strip("-")
        used[name] += 1
        keys.append(f"tab:{name}" + (f"-{used[name]}" if used[name] > 1 else ""))
    return keys


@dataclass(frozen=True)
class _Labelled:
    """A table with its label, and the labels of those that have notes of it."""

    table: Table
    key: str
    elsewhere: tuple[str, ...]


def _each_said_once(tables: Sequence[Table], keys: Sequence[str]) -> list[_Labelled]:
    """The tables, each without the question and the notes that an earlier one of its study has."""
    first: dict[tuple[str, str], str] = {}  # (study, sentence) -> label of the table that has it
    found = []
    for table, key in zip(tables, keys, strict=True):
        asked = first.setdefault((table.key, table.question), key)
        question = table.question if asked == key else ""
        notes, elsewhere = [], dict[str, None]()
        for note in table.footer:
            sentences = _SENTENCE_END.split(note)
            places = [first.setdefault((table.key, one), key) for one in sentences]
            own = [one for one, place in zip(sentences, places, strict=True) if place == key]
            notes += [" ".join(own)] if own else []
            elsewhere |= dict.fromkeys(place for place in places if place != key)
        kept = replace(table, question=question, footer=tuple(notes))
        found.append(_Labelled(kept, key, tuple(elsewhere)))
    return found


def _float(labelled: _Labelled) -> str:
    table, key = labelled.table, labelled.key
    lines = [
        r"\begin{table}[tbp]",
        r"\centering",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        r"\setlength{\belowcaptionskip}{4pt}",
        rf"\caption{{{_caption(table)}}}",
        rf"\label{{{key}}}",
        rf"\sbox0{{\begin{{tabular}}{{{_alignment(table)}}}",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        *_body(table),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
        *_notes(labelled),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _long(labelled: _Labelled) -> str:
    table, key = labelled.table, labelled.key
    lines = [
        r"\begingroup",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{{_alignment(table)}}}",
        rf"\caption{{{_caption(table)}}}\label{{{key}}}\\",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *_body(table),
        r"\end{longtable}",
        *_notes(labelled),
        r"\endgroup",
    ]
    return "\n".join(lines) + "\n"


def _caption(table: Table) -> str:
    sentences = [f"{table.title}.", table.question, *table.headline[:1]]
    return " ".join(tex(one) for one in sentences if one)


def _alignment(table: Table) -> str:
    return "@{}l" + "r" * len(table.columns) + "@{}"


def _heads(table: Table) -> list[str]:
    return [
        _line([tex(corner), *(_stacked(column.heads[index]) for column in table.columns)])
        for index, corner in enumerate(table.corner)
    ]


def _stacked(head: str) -> str:
    """A head that is long for the numbers below it, on several lines."""
    lines = wrap(head, _WIDEST_HEAD, break_long_words=False, break_on_hyphens=False)
    if len(lines) < 2:
        return tex(head)
    return rf"\shortstack[r]{{{_BREAK.join(map(tex, lines))}}}"


def _body(table: Table) -> list[str]:
    lines, group = [], ""
    for row in table.rows:
        if row.group and row.group != group:
            span = 1 + len(table.columns)
            lines.append(r"\addlinespace")
            lines.append(rf"\multicolumn{{{span}}}{{@{{}}l}}{{\textit{{{tex(row.group)}}}}} \\")
        group = row.group or group
        lines.append(_row(table, row))
    return lines


def _row(table: Table, row: TableRow) -> str:
    shown = (show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True))
    indent = r"\quad " if row.group else ""
    return _line([indent + _label(row), *map(_emphasised, shown)])


def _label(row: TableRow) -> str:
    """The label, on several lines where it would make the numbers beside it tiny."""
    lines = _label_lines(row)
    if len(lines) < 2:
        return tex(row_label(row))
    return rf"\begin{{tabular}}[t]{{@{{}}l@{{}}}}{_BREAK.join(map(tex, lines))}\end{{tabular}}"


def _label_lines(row: TableRow) -> list[str]:
    return wrap(row_label(row), _WIDEST_LABEL, break_long_words=False, break_on_hyphens=False)


def _emphasised(shown: Shown) -> str:
    text = tex(shown.text)
    if shown.best:
        return rf"\textbf{{\boldmath {text}}}"
    if shown.second:
        return rf"\underline{{\smash{{{text}}}}}"  # an arrow would push the line onto the next row
    if not shown.details:
        return text
    small = _BREAK.join(rf"\scriptsize {tex(detail)}" for detail in shown.details)
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text}{_BREAK}{small}\end{{tabular}}"


def _notes(labelled: _Labelled) -> list[str]:
    notes = [tex(note) for note in labelled.table.footer]
    if labelled.elsewhere:
        places = " and ".join(rf"Table~\ref{{{key}}}" for key in labelled.elsewhere)
        notes.append(f"See {'also ' * bool(notes)}the notes of {places}.")
    return [
        r"\par\smallskip",
        r"\noindent\parbox{\linewidth}{\footnotesize\raggedright",
        "\\\\\n".join(notes) + "}",
    ]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
