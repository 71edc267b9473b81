"""JSON: {"schema", "tables", "records"}.

`tables` names each table: layout, study, key, title, question, metric, selection, profile, data,
family (comparisons that Holm adjusts for), published (source), footer. `records` are described in
`ablate.report.exports.records`. Numbers have full precision; NaN and infinity never occur.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ablate.report.exports.records import Record, records
from ablate.report.tables.table import Table

SCHEMA = "ablate.report/1"


def render_json(tables: Sequence[Table]) -> str:
    """The document, indented, in UTF-8 characters."""
    document = {
        "schema": SCHEMA,
        "tables": [_head(table) for table in tables],
        "records": records(tables),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _head(table: Table) -> Record:
    return {
        "layout": table.layout,
        "study": table.study,
        "key": table.key,
        "title": table.title,
        "question": table.question,
        "metric": table.metric.name if table.metric else None,
        "selection": table.selection.value,
        "profile": table.profile,
        "data": table.data,
        "family": table.family,
        "published": table.published or None,
        "footer": list(table.footer),
    }
