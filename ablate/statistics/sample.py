"""Mean, standard deviation and rank of one row's values over seeds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from ablate.statistics.family import ROUNDING_NOISE


@dataclass(frozen=True, slots=True)
class SampleSummary:
    """Mean and sample standard deviation of one metric over seeds, in the metric's unit."""

    n: int  #: number of values
    mean: float | None  #: None for n = 0
    sd: float | None  #: with n - 1 in the denominator; None for n < 2


def summarise(values: Iterable[float]) -> SampleSummary:
    """Count, mean and sample standard deviation (n - 1) of `values`, in their unit.

    The result does not depend on the order of the values. No values give mean and sd None, one
    value gives sd None, equal values give sd 0 exactly. Raises ValueError for NaN and infinity.
    """
    numbers = sorted(map(float, values))
    _check_finite(numbers)
    n = len(numbers)
    if n < 2:
        return SampleSummary(n, numbers[0] if n else None, None)
    if numbers[0] == numbers[-1]:  # a rounded mean would leave a spread of some 1e-17
        return SampleSummary(n, numbers[0], 0.0)
    mean = fmean(numbers)
    # hypot scales, so squares of very large or very small deviations neither overflow nor vanish.
    return SampleSummary(
        n, mean, math.hypot(*(number - mean for number in numbers)) / math.sqrt(n - 1)
    )


def rank(
    values: Sequence[float | None], *, higher_is_better: bool, noise: float = ROUNDING_NOISE
) -> list[int | None]:
    """Rank unrounded values densely: 1 is best, 2 second, equal values share a rank.

    Equal are those that lie within `noise`, a share of their size, of the best of their rank: means
    of the same counts over seeds differ in their last bits. None, an incomplete row, gets None and
    takes no rank. Raises ValueError for NaN and infinity.
    """
    known = {float(value) for value in values if value is not None}
    _check_finite(known)
    place: dict[float, int] = {}
    first, last = math.nan, 0
    for value in sorted(known, reverse=higher_is_better):
        if not math.isclose(value, first, rel_tol=noise):
            first, last = value, last + 1
        place[value] = last
    return [None if value is None else place[float(value)] for value in values]


def _check_finite(values: Collection[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"a value is {value}; statistics need finite numbers")
