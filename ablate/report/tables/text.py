"""Numbers and facets of cells in words, for every renderer that people read.

The text is plain Unicode without markup; renderers escape it and put the emphasis on.
"""

from __future__ import annotations

from typing import NamedTuple

from ablate.matrix.plan import Role
from ablate.methods.metrics import Metric
from ablate.report.tables.table import (
    Cell,
    Column,
    Comparison,
    Effect,
    Quantity,
    Show,
    TableRow,
    Tested,
)
from ablate.statistics.verdict import DIFFERENT, Verdict

NOTHING = "—"
NBSP = "\u00a0"  #: keeps a number and its deviation, or an interval, on one line
EQUALS = f"{NBSP}={NBSP}"  #: keeps a part and its value on one line
MINUS = "−"
_HUGE = 1e7  #: from here on digits after the point say nothing


class Shown(NamedTuple):
    """What a reader sees of one cell."""

    text: str
    details: tuple[str, ...] = ()  #: why it is no complete result, in short pieces
    best: bool = False
    second: bool = False

    @property
    def line(self) -> str:
        """Text and details on one line, counts unbroken: "1 of 3 (1 failed, 1 diverged)"."""
        if not self.details:
            return self.text
        counts = ", ".join(detail.replace(" ", NBSP) for detail in self.details)
        return f"{self.text.replace(' ', NBSP)} ({counts})"


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """Fixed decimals with a true minus; what rounds to zero carries no sign."""
    text = f"{abs(value):.{digits}f}" if abs(value) < _HUGE else f"{abs(value):.4g}"
    if not text.strip("0."):
        return text
    if value < 0:
        return MINUS + text
    return "+" + text if signed else text


def p_text(p: float) -> str:
    """Three decimals, and never a p value of zero."""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def row_label(row: TableRow) -> str:
    """The row's label; the baseline is named as such."""
    return f"{row.label} (baseline)" if row.role is Role.BASELINE else row.label


def reasons(cell: Cell) -> tuple[str, ...]:
    """Reasons of the missing seeds: "1 failed", "1 diverged"."""
    return tuple(f"{count} {why}" for why, count in cell.states.items())


def count_text(cell: Cell | Effect) -> str:
    """n, against the seeds that were planned where some are missing: "3", "1 of 3"."""
    if isinstance(cell, Effect):
        return str(cell.comparison.n)
    return str(cell.n) if cell.complete else f"{cell.n} of {cell.planned}"


def value_text(cell: Cell | Effect) -> str:
    """Mean ± standard deviation; one seed has no deviation, none has no mean."""
    if isinstance(cell, Effect) or cell.mean is None:
        return NOTHING
    mean = number(cell.mean, cell.metric.digits)
    return mean if cell.sd is None else f"{mean}{NBSP}±{NBSP}{number(cell.sd, cell.metric.digits)}"


def arrow(comparison: Comparison | None) -> str:
    """↑ or ↓, the direction of a difference whose interval excludes zero and that is claimed."""
    if comparison is None or comparison.verdict not in DIFFERENT:
        return ""
    return "↑" if (comparison.mean or 0) > 0 else "↓"


def with_arrow(comparison: Comparison | None, text: str) -> str:
    """The arrow in front of the text, so that digits stay under each other."""
    sign = arrow(comparison)
    return f"{sign}{NBSP}{text}" if sign else text


def interval_text(low: float | None, high: float | None, digits: int) -> str:
    """An interval in brackets: "[−0.61, +0.37]"; only an end at zero has no sign."""
    if low is None or high is None:
        return ""
    return f"[{_end(low, digits)},{NBSP}{_end(high, digits)}]"


def _end(value: float, digits: int) -> str:
    text = number(value, digits, signed=True)
    if value and text[0] not in MINUS + "+":  # it rounds to zero; which side it is on matters
        return (MINUS if value < 0 else "+") + text
    return text


def difference_text(cell: Cell | Effect) -> str:
    """Difference with its simultaneous interval, and its seeds where the rows have others, too."""
    comparison, digits = cell.comparison, cell.metric.digits
    if comparison is None:
        return ""
    if comparison.mean is None:
        return NOTHING
    words = [
        number(comparison.mean, digits, signed=True),
        interval_text(comparison.low, comparison.high, digits),
    ]
    if not comparison.on_all_seeds:  # it is not the difference of the means that are shown
        words.append(f"on {comparison.n} common seed{'s' * (comparison.n > 1)}".replace(" ", NBSP))
    return " ".join(word for word in words if word)


def comparison_p_text(cell: Cell | Effect) -> str:
    """The adjusted p, where there is a test."""
    comparison = cell.comparison
    if comparison is None:
        return ""
    return NOTHING if comparison.p is None else p_text(comparison.p)


def amount(metric: Metric, value: float, *, signed: bool = False) -> str:
    """A difference with its unit: "1.22 points", "0.3 s"."""
    unit = {"%": " points", "": ""}.get(metric.unit, f" {metric.unit}")
    return number(value, metric.digits, signed=signed) + unit


def quoted(label: str) -> str:
    """A row's label inside a sentence: in quotation marks where it has the sentence's own signs."""
    return f"“{label}”" if any(sign in label for sign in (": ", "; ", ". ")) else label


def conclusion_text(cell: Cell | Effect) -> str:
    """What a row's interval says, in words with numbers; diverged seeds come first."""
    comparison = cell.comparison
    lost = isinstance(cell, Cell) and cell.diverged
    words = [f"{cell.diverged} of {cell.planned} seeds diverged"] if lost else []  # type: ignore[union-attr]
    if comparison is not None:
        words.append(_conclusion(comparison, cell.metric))
    return "; ".join(word for word in words if word)


_UNTESTED = {
    Tested.WAITING: "not tested yet",
    Tested.CONSTANT: "no spread, so no interval",
    Tested.EMPTY: "no seed in common",
    Tested.NEVER: "",
}


def _conclusion(one: Comparison, metric: Metric) -> str:
    if one.tested is Tested.FEW:
        return f"{one.n} seed{'s' * (one.n > 1)}: nothing claimed"
    if one.low is None or one.high is None:
        return _UNTESTED.get(one.tested, "")
    if one.low > 0 or one.high < 0:
        return _one_sided(one, metric, one.low, one.high)
    return _bounds(one, metric, number(one.high, metric.digits), number(-one.low, metric.digits))


def _one_sided(one: Comparison, metric: Metric, low: float, high: float) -> str:
    ends = sorted((abs(low), abs(high)))
    span = " to ".join(number(end, metric.digits) for end in ends)
    if one.verdict not in DIFFERENT:  # diverged seeds forbid a claim
        return f"common seeds {span} {'above' if low > 0 else 'below'}"
    if one.within_margin:
        return f"{one.verdict}, but by less than the margin: {span}"
    return f"{one.verdict} by {span}"


def _bounds(one: Comparison, metric: Metric, upper: str, lower: str) -> str:
    """How far above and below the baseline a row may still be."""
    if one.verdict is Verdict.EQUIVALENT:
        return f"equivalent: at most {upper} above, {lower} below"
    if not metric.comparable:
        return f"at most {upper} above, {lower} below"
    better, worse = (upper, lower) if metric.higher_is_better else (lower, upper)
    return f"at most {better} better, {worse} worse"


def outcome_text(cell: Cell | Effect) -> str:
    """Value with arrow, for tables that show nothing else of a cell."""
    return with_arrow(cell.comparison, value_text(cell))


def details(column: Column, cell: Cell) -> tuple[str, ...]:
    """Which seeds a cell lacks; a cell that merely waits says so with its dash alone."""
    if cell.complete or not cell.planned:
        return ()
    if column.show is Show.N:
        return reasons(cell)
    if column.show is not Show.OUTCOME or (cell.states.keys() == {"waiting"} and not cell.n):
        return ()
    return (count_text(cell), *reasons(cell))


def quantity_text(quantity: Quantity) -> str:
    """A number, its unit and its note."""
    if quantity.value is None:
        return quantity.note or NOTHING
    unit = f" {quantity.unit}" if quantity.unit else ""
    note = f" {quantity.note}" if quantity.note else ""
    return number(quantity.value, quantity.digits, signed=quantity.signed) + unit + note


_FACETS = {
    Show.VALUE: value_text,
    Show.OUTCOME: outcome_text,
    Show.N: count_text,
    Show.DIFFERENCE: difference_text,
    Show.P: comparison_p_text,
    Show.CONCLUSION: conclusion_text,
}


def show(column: Column, cell: Cell | Effect | Quantity | None) -> Shown:
    """What `column` prints of `cell`."""
    if cell is None:
        return Shown("")
    if isinstance(cell, Quantity):
        return Shown(quantity_text(cell))
    if isinstance(cell, Effect):
        return Shown(_FACETS[column.show](cell))
    place = cell.rank if column.show in (Show.VALUE, Show.OUTCOME) else None
    return Shown(_FACETS[column.show](cell), details(column, cell), place == 1, place == 2)
