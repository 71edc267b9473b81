"""One honest sentence per comparison, and one for the study.

A sentence claims a difference only where the table has an arrow: four or more seeds, and an
interval that excludes zero after Holm's adjustment.
"""

from __future__ import annotations

from ablate.matrix.plan import Role
from ablate.report.analysis import Analysis
from ablate.report.statistics import FEWEST_PAIRS_FOR_MARKS, Mark
from ablate.report.table import Cell, Comparison
from ablate.report.text import NBSP, interval_text, number, p_text, reasons


def verdicts(analysis: Analysis) -> list[str]:
    """A sentence for every comparison of the family, in the order of the tables."""
    return [verdict(analysis, cell) for cell in analysis.comparisons]


def verdict(analysis: Analysis, cell: Cell) -> str:
    """What `cell`'s comparison with the baseline does and does not say."""
    comparison = cell.comparison
    if comparison is None:
        raise ValueError(f"{cell.variant} is the baseline; there is nothing to compare it with")
    if comparison.n == 0 or comparison.mean is None:
        return _nothing_yet(analysis, cell)
    with_seeds = _with_seeds(comparison.n, cell.planned)
    if comparison.undefined:
        return _undefined(analysis, cell, comparison, with_seeds)
    if comparison.mark in (Mark.BETTER, Mark.WORSE):
        return _told_apart(analysis, cell, comparison, with_seeds)
    interval = _interval(cell, comparison)
    size = _amount(cell, comparison.mean, signed=True)
    difference = (
        f"{with_seeds} the difference {_measured(cell)}of {cell.variant} to "
        f"{analysis.baseline}{_place(analysis, cell)}, {size}"
    )
    if not interval:
        return f"{difference}, has no interval: one seed says nothing about chance."
    return f"{difference} {interval}, {_why_not(analysis, comparison)}."


def study_verdict(analysis: Analysis) -> str:
    """The comparisons of a study in one sentence."""
    cells = analysis.comparisons
    if not cells:
        return _untested(analysis)
    if len(cells) == 1:
        return verdict(analysis, cells[0])
    found = [
        f"{cell.variant}{_place(analysis, cell)} ({cell.comparison.mark.value} by "
        f"{_amount(cell, abs(cell.comparison.mean or 0))})"
        for cell in cells
        if cell.comparison and cell.comparison.mark in (Mark.BETTER, Mark.WORSE)
    ]
    open_ones = any(not c.comparison or c.comparison.n < c.planned for c in cells)
    so_far = "So far, of" if open_ones else "Of"
    start = f"{so_far} {len(cells)} comparisons with {analysis.baseline}{_metric_place(cells[0])}"
    if found:
        return f"{start}, {len(found)} can be told from zero: {', '.join(found)}."
    few = sum(1 for c in cells if c.comparison and c.comparison.mark is Mark.DESCRIPTIVE)
    if few == len(cells):
        return (
            f"{start}, none can be told from zero: all have fewer than "
            f"{FEWEST_PAIRS_FOR_MARKS} seeds, so the numbers only describe."
        )
    return f"{start}, none can be told from zero."


def _untested(analysis: Analysis) -> str:
    """A study without ablated variants: other methods are compared, and no claim is tested."""
    others = [v.label for v in analysis.plan.variants if v.role is Role.REFERENCE]
    if not others:
        return "The study compares nothing with its baseline."
    methods = f"{len(others)} method{'s' * (len(others) > 1)}"
    return f"The study compares {methods} with {analysis.baseline}, untested: {', '.join(others)}."


def _nothing_yet(analysis: Analysis, cell: Cell) -> str:
    baseline = analysis.cells[analysis.baseline, cell.pair]
    gaps = [
        f"{one.variant}: {', '.join(reasons(one)) or 'no results planned'}"
        for one in (cell, baseline)
        if not one.complete
    ]
    return (
        f"Nothing can be said yet of {cell.variant} against {analysis.baseline}"
        f"{_place(analysis, cell)}: no seed has both results ({'; '.join(gaps)})."
    )


def _undefined(analysis: Analysis, cell: Cell, comparison: Comparison, with_seeds: str) -> str:
    size = _amount(cell, comparison.mean or 0, signed=True)
    return (
        f"{with_seeds} the difference {_measured(cell)}of {cell.variant} to {analysis.baseline}"
        f"{_place(analysis, cell)} is {size} in every one of them; without any spread a test is "
        "undefined."
    )


def _told_apart(analysis: Analysis, cell: Cell, comparison: Comparison, with_seeds: str) -> str:
    mean = comparison.mean or 0
    interval = _interval(cell, comparison)
    p = "" if comparison.p_adjusted is None else p_text(comparison.p_adjusted)
    relation = p if p.startswith("<") else f"= {p}"
    return (
        f"{with_seeds} {cell.variant} is {_amount(cell, abs(mean))} "
        f"{'higher' if mean > 0 else 'lower'} {_measured(cell)}than {analysis.baseline}"
        f"{_place(analysis, cell)}, {interval}, which is {comparison.mark.value} "
        f"(p {relation}{_family(analysis)})."
    )


def _why_not(analysis: Analysis, comparison: Comparison) -> str:
    low, high = comparison.low or 0, comparison.high or 0
    one_sided = low > 0 or high < 0
    if not one_sided:
        return "cannot be told from zero"
    if comparison.mark is Mark.DESCRIPTIVE:
        return (
            "lies on one side of zero, but fewer than "
            f"{FEWEST_PAIRS_FOR_MARKS} seeds are too few to claim it"
        )
    p = f", p = {p_text(comparison.p_adjusted)}" if comparison.p_adjusted is not None else ""
    return (
        "cannot be told from zero once adjusted for the "
        f"{analysis.family} comparisons of the study{p}"
    )


def _interval(cell: Cell, comparison: Comparison) -> str:
    return interval_text(comparison.low, comparison.high, cell.metric.digits).replace(NBSP, " ")


def _family(analysis: Analysis) -> str:
    m = analysis.family
    return f", Holm-adjusted over {m} comparisons" if m > 1 else ""


def _with_seeds(n: int, planned: int) -> str:
    if n < planned:
        return f"So far, with {n} of {planned} seeds,"
    return f"With {n} seeds" if n > 1 else "With one seed"


def _place(analysis: Analysis, cell: Cell) -> str:
    return f" on {cell.pair}" if len(analysis.plan.pairs) > 1 else ""


def _metric_place(cell: Cell) -> str:
    return "" if cell.metric.name == "top1" else f" in {cell.metric.label}"


def _measured(cell: Cell) -> str:
    """Names the quantity, except for the accuracy that everyone expects."""
    return "" if cell.metric.name == "top1" else f"in {cell.metric.label} "


def _amount(cell: Cell, value: float, *, signed: bool = False) -> str:
    unit = {"%": " points", "": ""}.get(cell.metric.unit, f" {cell.metric.unit}")
    return number(value, cell.metric.digits, signed=signed) + unit
