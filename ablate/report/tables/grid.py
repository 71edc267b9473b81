"""Two-part grids: one part's values as rows, the other's as columns, the baseline in its cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.matrix.plan import Role, StudyPlan
from ablate.methods.parts import Value, format_value
from ablate.methods.registry import BUILT_IN
from ablate.report.choices import Notes
from ablate.report.tables import footer
from ablate.report.tables.analysis import Analysis, baseline_label, rerank
from ablate.report.tables.table import Cell, Column, Show, Table, TableRow
from ablate.store.results import StudyResults

_Spot = tuple[Value, Value]  #: (value of the row's part, value of the column's part)


@dataclass(frozen=True)
class Grid:
    """The shape of one two-part ablation."""

    group: str
    row_part: str
    column_part: str
    row_values: tuple[Value, ...]
    column_values: tuple[Value, ...]
    labels: Mapping[tuple[Value, Value], str]  #: spot -> label of the variant that stands there
    alone: bool = True  #: no other grid in its study, from which its title would have to tell it

    @property
    def name(self) -> str:
        """What titles add to the study's: ": m_c × m_r", or nothing if it is alone."""
        return "" if self.alone else f": {self.group}"


def find_grids(plan: StudyPlan) -> list[Grid]:
    """Groups of variants that change the same two parts.

    A variant that changes only one of them stands in the baseline's row or column. No grid
    if rows of another group fill its holes: the best cell might be one that is not shown.
    """
    groups: dict[str, list[int]] = {}
    for index, variant in enumerate(plan.variants):
        if variant.role is Role.VARIANT:
            groups.setdefault(variant.group, []).append(index)
    grids = []
    for group, members in groups.items():
        parts: dict[str, None] = {}
        for index in members:
            parts.update(dict.fromkeys(plan.variants[index].changes))
        both = [i for i in members if len(plan.variants[i].changes) == 2]
        if len(parts) == 2 and len(both) >= 2 and all(name in plan.baseline for name in parts):
            grids.append(_shape(plan, group, members, *_axes(plan, both[0])))
    wide = [g for g in grids if len(g.row_values) > 1 and len(g.column_values) > 1]
    wide = [g for g in wide if not _is_filled_by_others(plan, g)]
    return [replace(g, alone=len(wide) == 1) for g in wide]


def _is_filled_by_others(plan: StudyPlan, grid: Grid) -> bool:
    """Whether a row of another group stands in a hole of the grid."""
    first, second = grid.row_part, grid.column_part
    spots = {
        (v.changes.get(first, plan.baseline[first]), v.changes.get(second, plan.baseline[second]))
        for v in plan.variants
        if v.role is Role.VARIANT and v.changes.keys() <= {first, second}
    }
    missing = spots - grid.labels.keys()
    return any(row in grid.row_values and column in grid.column_values for row, column in missing)


def _axes(plan: StudyPlan, index: int) -> tuple[str, str]:
    first, second = plan.variants[index].changes
    return first, second


def _shape(plan: StudyPlan, group: str, members: list[int], first: str, second: str) -> Grid:
    base: _Spot = (plan.baseline[first], plan.baseline[second])
    labels: dict[_Spot, str] = {base: baseline_label(plan)}
    for index in members:
        changes = plan.variants[index].changes
        spot = (changes.get(first, base[0]), changes.get(second, base[1]))
        labels[spot] = plan.variants[index].label
    return Grid(
        group,
        first,
        second,
        _in_order([spot[0] for spot in labels]),
        _in_order([spot[1] for spot in labels]),
        labels,
    )


def _in_order(values: list[Value]) -> tuple[Value, ...]:
    """Distinct values: numbers ascending, words as the study gives them."""
    distinct = list(dict.fromkeys(values))
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in distinct):
        return tuple(sorted(distinct))
    return tuple(distinct)


def part_text(plan: StudyPlan, part: str, value: Value) -> str:
    """A part at a value, in the paper's words where the method is the package's own."""
    method = next(v.method for v in plan.variants if v.role is Role.BASELINE)
    known = BUILT_IN.get(method)
    if known is not None and known.has_part(part):
        declared = known.part(part)
        if value in declared.value_labels:
            return declared.value_labels[value]
    return f"{plan.part_labels.get(part, part)} = {format_value(value)}"


def grid(results: StudyResults, analysis: Analysis, pair: str, shape: Grid, notes: Notes) -> Table:
    """The grid's table on one pair, ranked among its own cells."""
    plan, metric = analysis.plan, analysis.metric
    places = {
        spot: analysis.cells[label, pair]
        for spot, label in shape.labels.items()
        if (label, pair) in analysis.cells
    }
    ranked = dict(zip(places, rerank(list(places.values()), metric), strict=True))
    columns = [
        Column(head := part_text(plan, shape.column_part, value), (head,), Show.OUTCOME)
        for value in shape.column_values
    ]
    rows = []
    for row_value in shape.row_values:
        cells: list[Cell | None] = [
            ranked.get((row_value, column_value)) for column_value in shape.column_values
        ]
        rows.append(TableRow(part_text(plan, shape.row_part, row_value), tuple(cells)))
    base = plan.baseline[shape.row_part], plan.baseline[shape.column_part]
    baseline = (
        f"Baseline: {part_text(plan, shape.row_part, base[0])}, "
        f"{part_text(plan, shape.column_part, base[1])}."
    )
    return Table(
        "grid",
        plan.name,
        plan.key,
        f"{plan.title}{shape.name}: {metric.label}, {pair}",
        plan.question,
        ("",),
        tuple(columns),
        tuple(rows),
        footer.of_table(
            results, analysis, list(places.values()), notes, pairs=(pair,), more=(baseline,)
        ),
        metric=metric,
        selection=analysis.selection,
        profile=plan.profile,
        data=plan.data,
        analyses=(analysis,),
    )
