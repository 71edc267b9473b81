"""Comparisons beyond row against baseline: between rows, groups of rows, and over pairs.

They form a family of their own, with a Bonferroni correction over its members, and each has its
own variance and degrees of freedom: contrasts of different rows share neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.statistics.family import LEVEL, analyse_family
from ablate.statistics.student_t import Array, critical_t, two_sided_p


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated difference with its simultaneous interval, in the metric's unit."""

    n: int  #: seeds that all rows in it have in common; summed over pairs for an aggregate
    mean: float
    sd: float
    df: float
    low: float  #: NaN, as is high and p, with fewer than three seeds or no spread
    high: float
    p: float  #: adjusted for the family


def contrast(
    values: Array, weights: Sequence[float], *, members: int, smallest_sd: float = 0.0,
    level: float = LEVEL,
) -> Estimate:  # fmt: skip
    """The weighted sum of rows, seed by seed; `values` has shape (rows, seeds), NaN where missing.

    `weights` sum to 0: (1, -1) for one row against another, (1/2, 1/2, -1) for two rows' average
    against a third, (1, -1, -1, 1) for an interaction. `members` is the size of the family.
    """
    used = np.flatnonzero(np.asarray(weights))
    differences = np.asarray(weights, dtype=np.float64)[used] @ values[used]
    found = analyse_family(differences[None, :], rows=members, level=level, smallest_sd=smallest_sd)
    return Estimate(
        n=int(found.n[0]),
        mean=float(found.mean[0]),
        sd=float(found.sd[0]),
        df=float(found.df),
        low=float(found.low[0]),
        high=float(found.high[0]),
        p=float(found.p[0]),
    )


def over_pairs(
    ns: Sequence[float], means: Sequence[float], sds: Sequence[float], *, members: int,
    level: float = LEVEL,
) -> Estimate:  # fmt: skip
    """One row's difference averaged over pairs, each pair counting the same.

    The variance is the mean of the pairs' own, var = sum(sd^2 / n) / pairs^2, with the degrees of
    freedom of Welch and Satterthwaite: other networks are other experiments, so pairs are
    independent even where their seeds bear the same numbers.
    """
    n, mean, sd = (np.asarray(one, dtype=np.float64) for one in (ns, means, sds))
    parts = sd**2 / n
    error = float(np.sqrt(parts.sum())) / len(n)
    centre = float(mean.mean())
    if not error > 0 or n.min() < 2 or n.sum() < 3:
        nothing = float("nan")
        return Estimate(int(n.sum()), centre, nothing, nothing, nothing, nothing, nothing)
    df = float(parts.sum() ** 2 / (parts**2 / (n - 1)).sum())
    half = critical_t(level / members, df) * error
    p = min(1.0, members * float(two_sided_p(np.array(centre / error), np.array(df))))
    spread = float(np.sqrt((sd**2).mean()))
    return Estimate(int(n.sum()), centre, spread, df, centre - half, centre + half, p)
