"""How many seeds intervals of a wanted width take, given the spread seen so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ablate.statistics.family import FEWEST_SEEDS, LEVEL
from ablate.statistics.student_t import critical_t

MOST_SEEDS = 10_000


@dataclass(frozen=True, slots=True)
class SeedsNeeded:
    """Seeds for a wanted half-width; None stands for more than `MOST_SEEDS`.

    The spread behind it was estimated from a few seeds, so the number is uncertain: `low` and
    `high` are what the ends of a 95 % interval of the spread would need.
    """

    about: int | None
    low: int | None
    high: int | None


def degrees_of_freedom(n: int, rows: int) -> float:
    """Degrees of freedom of a family of `rows` rows on `n` common seeds; see `family`."""
    return (n - 1) * rows / (1 + (rows - 1) / 4)


def seeds_for(half_width: float, sd: float, *, rows: int, level: float = LEVEL) -> int | None:
    """Smallest n whose simultaneous interval has at most this half-width, if the spread is `sd`."""

    def enough(n: int) -> bool:
        t = critical_t(level / rows, degrees_of_freedom(n, rows))
        return t * sd / math.sqrt(n) <= half_width

    if not enough(MOST_SEEDS):
        return None
    short, found = FEWEST_SEEDS - 1, MOST_SEEDS
    while found - short > 1:
        middle = (short + found) // 2
        short, found = (short, middle) if enough(middle) else (middle, found)
    return found


def seeds_needed(
    half_width: float, sd: float, df: float, *, rows: int, level: float = LEVEL
) -> SeedsNeeded:
    """Seeds for `half_width`, with what the uncertainty of `sd` makes of them.

    `sd` is the standard deviation of a row's differences, estimated with `df` degrees of freedom;
    half_width and sd are in the metric's unit. Raises ValueError unless both are positive.
    """
    if not (half_width > 0 and sd > 0 and df > 0):
        raise ValueError(f"half-width {half_width}, sd {sd} and df {df} must be positive")
    from scipy.special import chdtri

    quantiles = (float(chdtri(df, 0.025)), float(chdtri(df, 0.975)))  # upper, lower
    low, high = (sd * math.sqrt(df / quantile) for quantile in quantiles)
    about, fewest, most = (
        seeds_for(half_width, one, rows=rows, level=level) for one in (sd, low, high)
    )
    return SeedsNeeded(about, fewest, most)
