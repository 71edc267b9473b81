"""LaTeX: booktabs tables that compile as pasted into any document class."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ablate.report.table import Row, Table
from ablate.report.tex import tex
from ablate.report.text import Shown, row_label, show

_LONGEST_FLOAT = 40  #: rows; longer tables break over pages


def render_latex(tables: Sequence[Table]) -> str:
    """All tables; the first line names the packages that the preamble needs."""
    packages = ["booktabs"]
    if any(_is_long(table) for table in tables):
        packages.append("longtable")
    needs = " ".join(f"\\usepackage{{{name}}}" for name in packages)
    used: dict[str, int] = {}
    blocks = [_long(t, _key(t, used)) if _is_long(t) else _float(t, _key(t, used)) for t in tables]
    return f"% Needs in the preamble: {needs}\n" + "\n".join(blocks)


def _is_long(table: Table) -> bool:
    return len(table.rows) > _LONGEST_FLOAT


def _key(table: Table, used: dict[str, int]) -> str:
    """A label that is unique in the document: "tab:lpred-symmetry-one-part-2"."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{table.study}-{table.layout}").strip("-")
    used[name] = used.get(name, 0) + 1
    return f"tab:{name}" + (f"-{used[name]}" if used[name] > 1 else "")


def _float(table: Table, key: str) -> str:
    lines = [
        r"\begin{table}[tbp]",
        r"\centering",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{_caption(table)}}}",
        rf"\label{{{key}}}",
        rf"\begin{{tabular}}{{{_alignment(table)}}}",
        r"\toprule",
        *_heads(table),
        r"\midrule",
        *_body(table),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(table),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _long(table: Table, key: str) -> str:
    lines = [
        r"\begingroup",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
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
        *_notes(table),
        r"\endgroup",
    ]
    return "\n".join(lines) + "\n"


def _caption(table: Table) -> str:
    title, question = tex(table.title), tex(table.question)
    return f"{title}. {question}" if question else f"{title}."


def _alignment(table: Table) -> str:
    return "@{}l" + "r" * len(table.columns) + "@{}"


def _heads(table: Table) -> list[str]:
    return [
        _line([tex(corner), *(tex(column.heads[index]) for column in table.columns)])
        for index, corner in enumerate(table.corner)
    ]


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


def _row(table: Table, row: Row) -> str:
    shown = (show(column, cell) for column, cell in zip(table.columns, row.cells, strict=True))
    indent = r"\quad " if row.group else ""
    return _line([indent + tex(row_label(row)), *map(_emphasised, shown)])


def _emphasised(shown: Shown) -> str:
    text = tex(shown.text)
    if shown.best:
        return rf"\textbf{{\boldmath {text}}}"
    return rf"\underline{{{text}}}" if shown.second else text


def _notes(table: Table) -> list[str]:
    notes = "\\\\\n".join(tex(note) for note in table.footer)
    return [r"\par\smallskip", r"\parbox{\linewidth}{\footnotesize\raggedright", notes + "}"]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
