"""The verdict of an interval: better, worse, equivalent, or open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What may be claimed of a row against its baseline; the printed interval decides."""

    BETTER = "better"  #: the interval lies on the wanted side of zero
    WORSE = "worse"  #: the interval lies on the unwanted side of zero
    HIGHER = "higher"  #: above zero, of a metric that has no wanted side
    LOWER = "lower"  #: below zero, of a metric that has no wanted side
    EQUIVALENT = "equivalent"  #: the interval includes zero and lies inside the study's margin
    OPEN = "open"  #: none of these, or not tested


#: Verdicts that claim a difference.
DIFFERENT = frozenset({Verdict.BETTER, Verdict.WORSE, Verdict.HIGHER, Verdict.LOWER})


@dataclass(frozen=True, slots=True)
class Diverged:
    """How many seeds diverged: outcomes, which no interval over the other seeds sees."""

    row: int = 0
    baseline: int = 0


def verdict(
    low: float | None,
    high: float | None,
    *,
    higher_is_better: bool | None,
    margin: float | None = None,
    diverged: Diverged = Diverged(),
) -> Verdict:
    """The verdict of the interval from `low` to `high`, in the metric's unit.

    A row with diverged seeds is never better, and against a baseline with diverged seeds no row is
    worse; neither is ever equivalent, higher or lower. `higher_is_better` is None for a metric
    without a wanted side, `margin` the difference that the study calls negligible.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return Verdict.OPEN
    if low > 0 or high < 0:
        found = _side(above=low > 0, higher_is_better=higher_is_better)
    elif margin is not None and -margin < low and high < margin:
        found = Verdict.EQUIVALENT
    else:
        found = Verdict.OPEN
    if diverged.row and found is not Verdict.WORSE:
        return Verdict.OPEN
    if diverged.baseline and found is not Verdict.BETTER:
        return Verdict.OPEN
    return found


def within_margin(low: float | None, high: float | None, margin: float | None) -> bool:
    """Whether the interval exists and lies inside the margin."""
    return None not in (low, high, margin) and -margin < low and high < margin  # type: ignore[operator]


def _side(*, above: bool, higher_is_better: bool | None) -> Verdict:
    if higher_is_better is None:
        return Verdict.HIGHER if above else Verdict.LOWER
    return Verdict.BETTER if above is higher_is_better else Verdict.WORSE
