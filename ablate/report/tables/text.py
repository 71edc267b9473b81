"""Numbers and facets of cells in words, for every renderer that people read.

The text is plain Unicode without markup; renderers escape it and put the emphasis on.
"""

from __future__ import annotations

from typing import NamedTuple

from ablate.matrix.plan import Role
from ablate.report.tables.table import Cell, Column, Comparison, Quantity, Row, Show
from ablate.statistics.paired import Mark

NOTHING = "—"
NBSP = "\u00a0"  #: keeps a number and its deviation, or an interval, on one line
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
        """Text and details on one line: "1 of 3 (1 failed, 1 diverged)"."""
        return f"{self.text} ({', '.join(self.details)})" if self.details else self.text


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


def row_label(row: Row) -> str:
    """The row's label; the baseline is named as such."""
    return f"{row.label} (baseline)" if row.role is Role.BASELINE else row.label


def reasons(cell: Cell) -> tuple[str, ...]:
    """Reasons of the missing seeds: "1 failed", "1 diverged"."""
    return tuple(f"{count} {why}" for why, count in cell.states.items())


def count_text(cell: Cell) -> str:
    """n, against the seeds that were planned where some are missing: "3", "1 of 3"."""
    return str(cell.n) if cell.complete else f"{cell.n} of {cell.planned}"


def value_text(cell: Cell) -> str:
    """Mean ± standard deviation; one seed has no deviation, none has no mean."""
    if cell.mean is None:
        return NOTHING
    mean = number(cell.mean, cell.metric.digits)
    return (
        mean if cell.std is None else f"{mean}{NBSP}±{NBSP}{number(cell.std, cell.metric.digits)}"
    )


def arrow(comparison: Comparison | None) -> str:
    """↑ or ↓, the direction of a difference that the adjusted test tells from zero."""
    if comparison is None or comparison.mark not in (Mark.BETTER, Mark.WORSE):
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


def difference_text(cell: Cell) -> str:
    """Difference with interval, arrow, and its n where that is not the row's."""
    comparison, digits = cell.comparison, cell.metric.digits
    if comparison is None:
        return ""
    if comparison.mean is None:
        return NOTHING
    words = [with_arrow(comparison, number(comparison.mean, digits, signed=True))]
    if comparison.undefined:
        words.append("[undefined]")
    else:
        words.append(interval_text(comparison.low, comparison.high, digits))
    if comparison.n != cell.n:
        words.append(f"(n = {comparison.n})")
    return " ".join(word for word in words if word)


def comparison_p_text(cell: Cell) -> str:
    """Adjusted p, with "descriptive" where seeds are too few for any mark."""
    comparison = cell.comparison
    if comparison is None or not comparison.in_family:
        return ""
    if comparison.undefined:
        return "undefined"
    if comparison.mark is Mark.DESCRIPTIVE:
        return (
            "descriptive"
            if comparison.p_adjusted is None
            else f"{p_text(comparison.p_adjusted)} (descriptive)"
        )
    return NOTHING if comparison.p_adjusted is None else p_text(comparison.p_adjusted)


def mde_text(cell: Cell) -> str:
    """Minimum detectable effect, where there is a test."""
    comparison = cell.comparison
    if comparison is None or not comparison.in_family:
        return ""
    if comparison.undefined:
        return "undefined"
    return NOTHING if comparison.mde is None else number(comparison.mde, cell.metric.digits)


def outcome_text(cell: Cell) -> str:
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
    Show.MDE: mde_text,
}


def show(column: Column, cell: Cell | Quantity | None) -> Shown:
    """What `column` prints of `cell`."""
    if cell is None:
        return Shown("")
    if isinstance(cell, Quantity):
        return Shown(quantity_text(cell))
    place = cell.rank if column.show in (Show.VALUE, Show.OUTCOME) else None
    return Shown(_FACETS[column.show](cell), details(column, cell), place == 1, place == 2)
