"""CSV: the tidy records, one line each; `values` and `missing` as "0=71.2; 1=71.5".

A text that a spreadsheet would take for a formula has an apostrophe in front, as in exports, and
U+FFFD stands for control characters and for those that reorder text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from ablate.console import without_controls
from ablate.report.exports.frame import no_formula
from ablate.report.exports.records import records
from ablate.report.tables.table import Table


def render_csv(tables: Sequence[Table]) -> str:
    """One header and one line per record, columns as in `ablate.report.exports.records`."""
    found = records(tables)
    columns: dict[str, None] = {}
    for record in found:
        columns.update(dict.fromkeys(record))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    for record in found:
        writer.writerow({key: _text(value) for key, value in record.items()})
    return stream.getvalue()


def _text(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "; ".join(f"{key}={one!r}" if isinstance(one, float) else f"{key}={one}"
                         for key, one in value.items())  # fmt: skip
    return no_formula(without_controls(value)) if isinstance(value, str) else value
