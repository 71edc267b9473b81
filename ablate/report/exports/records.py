"""Tables as tidy records for machines: full precision, one record per row, pair and metric.

Fields of a record, in this order; what does not exist is None:

study, key (differs where profile, overrides or code do), profile, data, metric, unit,
higher_is_better, selection ("last" or "best"),
pair, variant, role, group,
planned, n, diverged, missing ({seed: reason}), mean, sd, values ({seed: value}), rank,
difference_n, difference, difference_sd, low, high, p, df (the simultaneous interval that tables
print, its p value and degrees of freedom), verdict, tested ("yes", or why not), family,
plain_low, plain_high, plain_p (paired t interval and test of the row alone, not adjusted),
published (value of the source that the table's footer names; no part of any statistic).

Rows that stand beside a study's own, Teacher and a published Student, have a record per pair with
no role, mean being the teacher's value, and none of what needs seeds.

A cell that stands in several tables gives one record; its rank is that among all rows of its pair.

A table on seeds needed gives a record per comparison instead: study, key, metric, selection,
wanted_half_width (in the metric's unit), row, group (the pair, where there are several), then what
the table shows, and notes ({column: why it is None}, such as "over 10,000" seeds).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ablate.methods.metrics import Metric
from ablate.report.tables.table import Cell, Comparison, Quantity, Table, TableRow

Record = dict[str, Any]

_PLAIN = ("plain_low", "plain_high", "plain_p")


def records(tables: Sequence[Table]) -> list[Record]:
    """All records of the tables, each cell once."""
    found: dict[tuple[Any, ...], Record] = {}
    # A grid ranks among its own cells only, so its cells count where no other table has them.
    for table in sorted(tables, key=lambda table: table.layout == "grid"):
        for row, cell in table.cells:
            key = (table.key, table.selection, cell.metric, cell.pair, cell.variant)
            record = _record(table, row, cell)
            known = found.setdefault(key, record)
            if known["published"] is None:
                known["published"] = record["published"]
    return [*found.values(), *_yardsticks(tables, list(found.values())), *_plain_records(tables)]


def _yardsticks(tables: Sequence[Table], others: Sequence[Record]) -> Iterator[Record]:
    """Rows of quantities in tables of cells: what the study's rows are held against."""
    blank = dict.fromkeys(others[0]) if others else {}
    for table in tables:
        if table.layout != "pairs" or table.metric is None:
            continue
        about = blank | _about(table, table.metric)
        for row in (row for row in table.rows if row.role is None):
            found: dict[str, Record] = {}
            for name, quantity in _quantities(table, row):
                pair = name.removesuffix(" published")
                own = {"pair": pair, "variant": row.label, "group": row.group}
                record = found.setdefault(pair, about | own)
                record["published" if quantity.published else "mean"] = finite(quantity.value)
            yield from found.values()


def _plain_records(tables: Sequence[Table]) -> list[Record]:
    """Rows of tables that hold quantities only, such as those on power."""
    return [
        {
            "study": table.study,
            "key": table.key,
            "metric": table.metric.name if table.metric else None,
            "selection": table.selection.value,
            "wanted_half_width": finite(table.half_width),
            "row": row.label,
            "group": row.group,
        }
        | {name: finite(quantity.value) for name, quantity in _quantities(table, row)}
        | {"notes": {name: quantity.note for name, quantity in _quantities(table, row)
                     if quantity.note}}
        for table in tables
        if table.layout == "power"
        for row in table.rows
    ]  # fmt: skip


def _quantities(table: Table, row: TableRow) -> Iterator[tuple[str, Quantity]]:
    """Name of its column and quantity, for each of a row."""
    for column, cell in zip(table.columns, row.cells, strict=True):
        if isinstance(cell, Quantity):
            yield column.key, cell


def _record(table: Table, row: TableRow, cell: Cell) -> Record:
    return {
        **_about(table, cell.metric),
        "pair": cell.pair,
        "variant": cell.variant,
        "role": cell.role.value,
        "group": row.group,
        "planned": cell.planned,
        "n": cell.n,
        "diverged": cell.diverged,
        "missing": {str(seed): why for seed, why in cell.missing},
        "mean": finite(cell.mean),
        "sd": finite(cell.sd),
        "values": {str(seed): finite(value) for seed, value in cell.values},
        "rank": cell.rank,
        **_comparison(cell.comparison),
        "published": _published(table, row, cell),
    }


def _about(table: Table, metric: Metric) -> Record:
    return {
        "study": table.study,
        "key": table.key,
        "profile": table.profile,
        "data": table.data,
        "metric": metric.name,
        "unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "selection": table.selection.value,
    }


def _comparison(one: Comparison | None) -> Record:
    return {
        "difference_n": one and one.n,
        "difference": one and finite(one.mean),
        "difference_sd": one and finite(one.sd),
        **{name: one and finite(getattr(one, name)) for name in ("low", "high", "p", "df")},
        "verdict": one and one.verdict.value,
        "tested": one and one.tested.value,
        "family": one and one.family,
        **{name: one and finite(getattr(one, name)) for name in _PLAIN},
    }


def _published(table: Table, row: TableRow, cell: Cell) -> float | None:
    """The published value right of the cell, if the table has one."""
    if not table.published:
        return None
    after = False
    for other in row.cells:
        if other is cell:
            after = True
        elif after and isinstance(other, Quantity) and other.published:
            return finite(other.value)
    return None


def finite(value: float | None) -> float | None:
    """The value, or None where it is no number."""
    return value if value is not None and math.isfinite(value) else None
