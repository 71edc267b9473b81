"""One honest sentence per comparison, and one for the study.

A sentence claims a difference only where the table has an arrow: four or more seeds, and an
interval that excludes zero after Holm's adjustment.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from ablate.matrix.plan import Role
from ablate.report.tables.analysis import OPEN, Analysis, may_grow
from ablate.report.tables.table import Cell, Comparison
from ablate.report.tables.text import NBSP, interval_text, number, p_text, reasons
from ablate.statistics.paired import FEWEST_PAIRS_FOR_MARKS, Mark


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
    with_seeds = _with_seeds(comparison.n, cell.planned, _gaps(analysis, cell))
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
    return f"{difference} {interval}, {_why_not(analysis, cell, comparison)}."


def study_verdict(analysis: Analysis) -> str:
    """The comparisons of a study in one sentence."""
    cells = analysis.comparisons
    if not cells:
        return _untested(analysis)
    if len(cells) == 1:
        return verdict(analysis, cells[0])
    standings = Counter(_standing(analysis, cell) for cell in cells)
    open_ones = any(_is_open(_gaps(analysis, cell)) for cell in cells)
    so_far = "So far, of" if open_ones else "Of"
    start = f"{so_far} {len(cells)} comparisons with {analysis.baseline}{_metric_place(cells[0])}"
    if len(standings) == 1 and (alike := _ALL.get(next(iter(standings)))):
        return f"{start}, {alike}."
    found = [
        f"{cell.variant}{_place(analysis, cell)} ({cell.comparison.mark.value} by "
        f"{_amount(cell, abs(cell.comparison.mean or 0))})"
        for cell in cells
        if cell.comparison and _standing(analysis, cell) is _Standing.TOLD
    ]
    first = f"{len(found)} can be told from zero: {', '.join(found)}" if found else _NONE
    rest = [
        f"{count} {_SOME[standing][count > 1]}"
        for standing, count in sorted(standings.items())
        if standing in _SOME and (found or standing is not _Standing.NOT_TOLD)
    ]
    return "; ".join([f"{start}, {first}", *rest]) + "."


class _Standing(IntEnum):
    """How far a comparison got, in the order in which a sentence says it."""

    TOLD = 0  #: from zero, by a mark
    NOT_TOLD = 1
    FEW = 2  #: seeds
    CONSTANT = 3  #: over seeds
    OPEN = 4
    EMPTY = 5


_NONE = "none can be told from zero"
_ALL = {
    _Standing.NOT_TOLD: _NONE,
    _Standing.FEW: f"{_NONE}: all have fewer than {FEWEST_PAIRS_FOR_MARKS} seeds, so the numbers "
    "only describe",
    _Standing.CONSTANT: "none can be tested: no difference varies over seeds",
    _Standing.OPEN: "none is tested yet: all have seeds to come",
    _Standing.EMPTY: "none has a result",
}
_SOME = {  # of one, of several
    _Standing.NOT_TOLD: ("cannot", "cannot"),
    _Standing.FEW: (
        f"has fewer than {FEWEST_PAIRS_FOR_MARKS} seeds and only describes",
        f"have fewer than {FEWEST_PAIRS_FOR_MARKS} seeds and only describe",
    ),
    _Standing.CONSTANT: (
        "does not vary over seeds, so there is no test",
        "do not vary over seeds, so there is no test",
    ),
    _Standing.OPEN: ("has seeds to come and no test yet", "have seeds to come and no test yet"),
    _Standing.EMPTY: ("has no result", "have no results"),
}


def _standing(analysis: Analysis, cell: Cell) -> _Standing:
    comparison = cell.comparison
    if comparison is None or comparison.mean is None:
        return _Standing.EMPTY
    if comparison.mark in (Mark.BETTER, Mark.WORSE):
        return _Standing.TOLD
    if may_grow(cell, _baseline(analysis, cell)):
        return _Standing.OPEN
    if comparison.undefined:
        return _Standing.CONSTANT
    return _Standing.FEW if comparison.mark is Mark.DESCRIPTIVE else _Standing.NOT_TOLD


def _baseline(analysis: Analysis, cell: Cell) -> Cell:
    return analysis.cells[analysis.baseline, cell.pair]


def _gaps(analysis: Analysis, cell: Cell) -> Counter[str]:
    """Why seeds are missing from a comparison, on either side."""
    return Counter({**dict(_baseline(analysis, cell).missing), **dict(cell.missing)}.values())


def _is_open(gaps: Counter[str]) -> bool:
    return not OPEN.isdisjoint(gaps)


def _untested(analysis: Analysis) -> str:
    """A study without ablated variants: other methods are compared, and no claim is tested."""
    if not analysis.metric.comparable:
        return f"{analysis.metric.label}: rows may sum other terms, so nothing is tested."
    others = [v.label for v in analysis.plan.variants if v.role is Role.REFERENCE]
    if not others:
        return "The study compares nothing with its baseline."
    methods = f"{len(others)} method{'s' * (len(others) > 1)}"
    return f"The study compares {methods} with {analysis.baseline}, untested: {', '.join(others)}."


def _nothing_yet(analysis: Analysis, cell: Cell) -> str:
    gaps = [
        f"{one.variant}: {', '.join(reasons(one)) or 'no results planned'}"
        for one in (cell, _baseline(analysis, cell))
        if not one.complete
    ]
    yet = " yet" if _is_open(_gaps(analysis, cell)) else ""
    return (
        f"Nothing can be said{yet} of {cell.variant} against {analysis.baseline}"
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
    unadjusted = " unadjusted" if analysis.family > 1 else ""
    interval = _interval(cell, comparison) + unadjusted
    p = "" if comparison.p_adjusted is None else p_text(comparison.p_adjusted)
    relation = p if p.startswith("<") else f"= {p}"
    return (
        f"{with_seeds} {cell.variant} is {_amount(cell, abs(mean))} "
        f"{'higher' if mean > 0 else 'lower'} {_measured(cell)}than {analysis.baseline}"
        f"{_place(analysis, cell)}, {interval}, which is {comparison.mark.value} "
        f"(p {relation}{_family(analysis)})."
    )


def _why_not(analysis: Analysis, cell: Cell, comparison: Comparison) -> str:
    if may_grow(cell, _baseline(analysis, cell)):
        return "is not tested before all its seeds have ended"
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


def _with_seeds(n: int, planned: int, gaps: Counter[str]) -> str:
    if n < planned:
        so_far = "So far, with" if _is_open(gaps) else "With"
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(gaps.items()))
        return f"{so_far} {n} of {planned} seeds ({reasons}),"
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
