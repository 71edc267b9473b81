"""What pairing by seeds gains over an unpaired comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ablate.statistics.family import Family
from ablate.statistics.student_t import Array, critical_t


@dataclass(frozen=True, slots=True)
class Pairing:
    """Correlation of rows with their baseline over seeds, and what an unpaired interval would be.

    Half-widths are those of a row with the family's pooled spread, in the metric's unit.
    """

    r: float  #: pooled over rows
    paired: float  #: half-width of the printed kind of interval
    unpaired: float  #: half-width without pairing

    @property
    def gain(self) -> float:
        """How many times narrower the paired interval is."""
        return self.unpaired / self.paired


def pairing(values: Array, baseline: Array, family: Family) -> Pairing | None:
    """The pairing of rows of shape (rows, seeds) with a baseline of shape (seeds,).

    NaN where a seed is missing. For one row r is Pearson's correlation; over several, covariances
    and variances are summed before they are divided. None without three seeds and some spread.
    """
    covariance = own = others = 0.0
    free = 0
    n = 0
    for row in values:
        common = ~np.isnan(row) & ~np.isnan(baseline)
        if common.sum() < 2:
            continue
        x, y = row[common], baseline[common]
        x, y = x - x.mean(), y - y.mean()
        covariance += float(x @ y)
        own += float(x @ x)
        others += float(y @ y)
        free += len(x) - 1
        n = max(n, len(x))
    pooled, df = float(family.pooled_sd), float(family.df)
    if n < 3 or own <= 0 or others <= 0 or not pooled > 0:
        return None
    r = covariance / math.sqrt(own * others)
    share = family.level / family.rows
    paired = critical_t(share, df) * pooled / math.sqrt(n)
    # The baseline's seeds are the same for every row, so they count once.
    unpaired_df = free + n - 1
    spread = math.sqrt((own + others) / free)  # sqrt(variance of a row + that of the baseline)
    unpaired = critical_t(share, unpaired_df) * spread / math.sqrt(n)
    return Pairing(max(-1.0, min(1.0, r)), paired, unpaired)
