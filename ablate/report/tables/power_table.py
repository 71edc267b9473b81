"""How many seeds would show a wanted effect, given the spread seen so far."""

from __future__ import annotations

import math

from ablate.errors import InputError, Problem
from ablate.methods.metrics import Metric
from ablate.methods.parts import format_value
from ablate.report.tables import footer
from ablate.report.tables.analysis import ALPHA, POWER, Analysis, analyse
from ablate.report.tables.table import Cell, Column, Quantity, Row, Selection, Show, Table
from ablate.statistics.paired import FEWEST_PAIRS_FOR_MARKS
from ablate.statistics.power import power_of
from ablate.store.results import StudyResults

_COLUMNS = (
    Column("n", ("n",), Show.QUANTITY),
    Column("difference", ("Difference",), Show.QUANTITY),
    Column("spread", ("Spread",), Show.QUANTITY),
    Column("power_now", ("Power now",), Show.QUANTITY),
    Column("seeds_alone", ("Seeds, alone",), Show.QUANTITY),
    Column("seeds_family", ("Seeds, family",), Show.QUANTITY),
)


def power_table(
    results: StudyResults, effect: float, metric: Metric, selection: Selection
) -> Table:
    """A row per comparison: the spread seen, the power at hand, the seeds that `effect` needs."""
    if not (math.isfinite(effect) and effect > 0):
        raise InputError(Problem("--power", "", f"{effect} is no effect", "a number above 0"))
    if metric.cost or not metric.comparable:
        why = "depends on the machine" if metric.cost else "may sum other terms in each row"
        raise InputError(Problem("--power", metric.name, f"{metric.label} {why} and is not tested"))
    plan, analysis = results.plan, analyse(results, metric, selection)
    several = len(plan.pairs) > 1
    rows = [
        Row(cell.variant, _cells(analysis, cell, effect), cell.role, cell.pair if several else "")
        for pair in plan.pairs
        for cell in analysis.comparisons
        if cell.pair == pair
    ]
    size = format_value(effect) + (" points" if metric.unit == "%" else "")
    return Table(
        "power",
        plan.name,
        plan.key,
        f"{plan.title}: seeds to detect {size}, {metric.label}",
        plan.question,
        ("Variant",),
        _COLUMNS,
        tuple(rows),
        (
            *footer.provenance(results, selection),
            footer.seeds_line(plan.seeds, analysis.cells.values(), several_pairs=several),
            *_reading(analysis, size),
        ),
        metric,
        selection,
        plan.profile,
        plan.data,
        analysis.family,
        effect=effect,
    )


def _cells(analysis: Analysis, cell: Cell, effect: float) -> tuple[Quantity, ...]:
    comparison, digits = cell.comparison, cell.metric.digits
    if comparison is None or comparison.std is None:
        n = comparison.n if comparison else 0
        mean = comparison.mean if comparison else None
        unknown = Quantity(None)
        return (Quantity(n, 0), Quantity(mean, digits, signed=True), *[unknown] * 4)
    n, std = comparison.n, comparison.std
    shown = (Quantity(n, 0), Quantity(comparison.mean, digits, signed=True), Quantity(std, digits))
    if comparison.undefined:
        return (*shown, *[Quantity(None, note="undefined")] * 3)
    few = n < FEWEST_PAIRS_FOR_MARKS
    return (
        *shown,
        Quantity(None if few else power_of(effect, std, n, analysis.level), 2),
        _seeds(footer.seeds_to_mark(effect, std, ALPHA)),
        _seeds(footer.seeds_to_mark(effect, std, analysis.level)),
    )


def _seeds(count: int | None) -> Quantity:
    return Quantity(count, 0, note="over 10,000" if count is None else "")


def _reading(analysis: Analysis, size: str) -> tuple[str, ...]:
    if not analysis.comparisons:
        return (
            "The study has no ablated variants: other methods are compared with the baseline but "
            "not tested, so there is no test whose power could be told.",
        )
    lines = [
        "Spread: sample standard deviation of the paired differences over common seeds. Seeds: "
        f"how many a two-sided paired t test needs to find a true difference of {size} with "
        f"{100 * POWER:.0f} % probability, alone at α = {ALPHA:g}, and as one of the study's "
        f"comparisons at {footer.level_text(analysis)}; never fewer than "
        f"{FEWEST_PAIRS_FOR_MARKS}, below which no table marks anything. Power now: that "
        f"probability with the seeds at hand, where they are {FEWEST_PAIRS_FOR_MARKS} or more, as "
        "one of the study's comparisons.",
    ]
    counts = [c.comparison.n for c in analysis.comparisons if c.comparison and c.comparison.std]
    if counts:
        low, high = _spread_factors(min(counts))
        lines.append(
            f"A spread seen over {min(counts)} seeds is itself uncertain: the true one may be "
            f"{low:.1f} to {high:.1f} times as large (95 % interval), and the seeds needed "
            "change with its square."
        )
    return tuple(lines)


def _spread_factors(n: int) -> tuple[float, float]:
    """Bounds of true over sample standard deviation of normal data, from chi-square quantiles."""
    from scipy.special import chdtri

    df = n - 1
    return (
        math.sqrt(df / float(chdtri(df, ALPHA / 2))),
        math.sqrt(df / float(chdtri(df, 1 - ALPHA / 2))),
    )
