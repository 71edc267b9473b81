"""How many seeds intervals of a wanted half-width take, given the spread seen so far."""

from __future__ import annotations

import math

from ablate.errors import InputError, Problem
from ablate.methods.metrics import Metric
from ablate.methods.parts import format_value
from ablate.report.choices import Notes, Selection
from ablate.report.tables import footer
from ablate.report.tables.analysis import Analysis, analyse
from ablate.report.tables.seeds_advice import needed_by, seeds_command
from ablate.report.tables.table import Cell, Column, Quantity, Show, Table, TableRow
from ablate.store.results import StudyResults

_COLUMNS = (
    Column("n", ("n",), Show.QUANTITY),
    Column("half_width", ("Half-width now",), Show.QUANTITY),
    Column("spread", ("Spread",), Show.QUANTITY),
    Column("seeds", ("Seeds, about",), Show.QUANTITY),
    Column("seeds_low", ("at least",), Show.QUANTITY),
    Column("seeds_high", ("at most",), Show.QUANTITY),
)


def power_table(
    results: StudyResults,
    half_width: float,
    metric: Metric,
    selection: Selection,
    notes: Notes = Notes.SHORT,
) -> Table:
    """A row per comparison: the spread seen, and the seeds that `half_width` needs."""
    if not (math.isfinite(half_width) and half_width > 0):
        raise InputError(
            Problem("--power", "", f"{half_width} is no half-width", "a number above 0")
        )
    if not metric.compared:
        why = "depends on the machine" if metric.cost else "may sum other terms in each row"
        raise InputError(Problem("--power", metric.name, f"{metric.label} {why} and is not tested"))
    plan, analysis = results.plan, analyse(results, metric, selection)
    several = len(plan.pairs) > 1
    rows = [
        TableRow(cell.variant, _cells(analysis, cell, half_width), cell.role, cell.pair * several)
        for pair in plan.pairs
        for cell in analysis.comparisons
        if cell.pair == pair
    ]
    size = format_value(half_width) + (" points" if metric.unit == "%" else "")
    return Table(
        "power",
        plan.name,
        plan.key,
        f"{plan.title}: seeds for intervals within ±{size}, {metric.label}",
        plan.question,
        ("Variant",),
        _COLUMNS,
        tuple(rows),
        (*footer.of_power(results, analysis, size, notes), *_command(analysis, half_width)),
        metric=metric,
        selection=selection,
        profile=plan.profile,
        data=plan.data,
        analyses=(analysis,),
        half_width=half_width,
    )


def _command(analysis: Analysis, half_width: float) -> list[str]:
    """The command that gets the seeds of the row that needs most."""
    needs = [needed_by(analysis, cell, half_width) for cell in analysis.comparisons]
    counts = [one.about for one in needs if one is not None]
    if not counts or None in counts or not analysis.plan.profile:
        return []
    most = max(filter(None, counts))
    if most <= len(analysis.plan.seeds):
        return []
    return [f"For all rows: {seeds_command(analysis.plan, most)}."]


def _cells(analysis: Analysis, cell: Cell, half_width: float) -> tuple[Quantity, ...]:
    one, digits = cell.comparison, cell.metric.digits
    needed = needed_by(analysis, cell, half_width)
    family = analysis.family(cell.pair)
    now = None
    if one is not None and one.low is not None and one.high is not None:
        now = (one.high - one.low) / 2
    spread = max(family.pooled_sd or 0.0, one.sd or 0.0) if one and family and needed else None
    counts = (needed.about, needed.low, needed.high) if needed else ()
    return (
        Quantity(one.n if one else 0, 0),
        Quantity(now, digits),
        Quantity(spread, digits),
        *(Quantity(count, 0, note="over 10,000" if count is None else "") for count in counts),
        *[Quantity(None)] * (3 - len(counts)),
    )
