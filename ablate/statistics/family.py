"""One analysis for a family of rows that share a baseline and its seeds.

An ablation compares m rows with one baseline on the same n seeds. With few seeds a row's own
variance is too uncertain to test anything by itself, so the rows are analysed together, in one
step. With d_j the paired differences of row j (row minus baseline, seed by seed):

    s_j^2 = sample variance of d_j                 (n_j - 1 degrees of freedom)
    s^2   = mean of the s_j^2, weighted by n_j - 1
    v_j   = max(s^2, s_j^2)                        a noisy row never borrows what it has not
    df    = (n - 1) m / (1 + (m - 1) / 4)          Satterthwaite, for differences that correlate at
                                                   1/2 through the baseline that they share
    low, high = mean(d_j) -+ t(level / m, df) sqrt(v_j / n_j)
    p         = min(1, m P(|T| >= |mean(d_j)| / sqrt(v_j / n_j)))

Intervals are simultaneous over the family (Bonferroni), and an interval excludes zero exactly
where its adjusted p value is below the level. Seeds that some rows lack enter by the same model:
the degrees of freedom are then those of the weighted mean of variances over seeds that overlap in
part. `benchmarks/error_rates.py` simulates how often this errs.

Values, means and intervals are in the metric's own unit.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ablate.statistics.student_t import Array, critical_ts, two_sided_p

Truths = npt.NDArray[np.bool_]

LEVEL = 0.05  #: chance of any false claim in a family

#: Seeds from which on an interval is given; with fewer nothing is claimed.
FEWEST_SEEDS = 3

#: Correlation of two rows' differences through the baseline that they share.
SHARED_BASELINE = 0.5

#: Spread relative to the values' size that counts as rounding. Metrics pass through single
#: precision, whose rounding is near 1e-7.
ROUNDING_NOISE = 1e-6


@dataclass(frozen=True, slots=True)
class Family:
    """The analysis of one family, or of an array of families; NaN where there is no number.

    Arrays have the shape of the families, and the rows' arrays an axis of rows after it.
    """

    n: Array  #: seeds that row and baseline have in common, per row
    mean: Array  #: mean difference, per row
    sd: Array  #: standard deviation of a row's own differences
    pooled_sd: Array  #: s, per family; NaN where no row has two seeds, 0 where nothing varies
    df: Array  #: degrees of freedom, per family
    error: Array  #: sqrt(v_j / n_j), per row
    low: Array  #: simultaneous interval, per row
    high: Array
    p: Array  #: adjusted for the family, per row
    rows: int  #: m: rows that the level is shared by
    level: float  #: of the whole family


def analyse_family(
    differences: Array, *, rows: int | None = None, level: float = LEVEL, smallest_sd: float = 0.0
) -> Family:
    """Analyse `differences` of shape (..., rows, seeds), NaN where a row lacks a seed.

    `rows` is the size of the family that the level is shared by, at least the number of rows given,
    which is the default. Where the pooled standard deviation is at most `smallest_sd` nothing
    varies, and there is neither interval nor p value: a test would turn a mere lack of spread into
    boundless certainty. Raises ValueError for infinite differences.
    """
    d = np.asarray(differences, dtype=np.float64)
    if np.isinf(d).any():
        raise ValueError("a difference is infinite; statistics need finite numbers")
    rows = max(rows or 0, d.shape[-2])
    have = ~np.isnan(d)
    n = have.sum(axis=-1).astype(np.float64)
    mean = _ratio(np.where(have, d, 0.0).sum(axis=-1), n)
    squares = (np.where(have, d - mean[..., None], 0.0) ** 2).sum(axis=-1)
    free = np.maximum(n - 1, 0.0)
    own = _ratio(squares, free)
    pooled = _ratio(squares.sum(axis=-1), free.sum(axis=-1))
    df = _degrees_of_freedom(have, n, free)
    variance = np.fmax(own, pooled[..., None])
    varies = np.sqrt(pooled) > max(smallest_sd, sys.float_info.min)
    testable = (n >= FEWEST_SEEDS) & varies[..., None]
    error = np.sqrt(_ratio(np.where(testable, variance, np.nan), n))
    half = critical_ts(level / rows, df)[..., None] * error
    p = np.minimum(1.0, rows * two_sided_p(mean / error, df[..., None]))
    low, high = _interval(mean, half, excludes_zero=p < level)
    return Family(
        n=n,
        mean=mean,
        sd=np.sqrt(own),
        pooled_sd=np.where(np.isnan(pooled) | varies, np.sqrt(pooled), 0.0),
        df=df,
        error=error,
        low=low,
        high=high,
        p=p,
        rows=rows,
        level=level,
    )


def _degrees_of_freedom(have: Truths, n: Array, free: Array) -> Array:
    """2 s^4 / Var(s^2) for the mean of variances of rows that correlate and overlap in part.

    For rows j and k with o common seeds, Cov(s_j^2, s_k^2) is proportional to
    r^2 (o (1 - 1/n_j) (1 - 1/n_k) + o (o - 1) / (n_j n_k)) / ((n_j - 1) (n_k - 1)), which is
    r^2 / (n - 1) where all rows have the same n seeds.
    """
    common = have.astype(np.float64) @ np.swapaxes(have, -1, -2).astype(np.float64)
    inverse = 1 / np.maximum(n, 1.0)
    left, right = inverse[..., :, None], inverse[..., None, :]
    trace = common * (1 - left) * (1 - right) + common * (common - 1) * left * right
    rows = n.shape[-1]
    correlation = np.where(np.eye(rows, dtype=bool), 1.0, SHARED_BASELINE)
    return _ratio(free.sum(axis=-1) ** 2, (correlation**2 * trace).sum(axis=(-2, -1)))


def _interval(mean: Array, half: Array, *, excludes_zero: Truths) -> tuple[Array, Array]:
    """mean +- half, where the test and not the rounding of `half` decides about zero.

    On paper |mean| > half and p < level are one statement; in floating point they may part in the
    last bit. Then the end nearest zero is moved by that rounding error, to zero (included) or to
    the next float beyond it (excluded).
    """
    low, high = mean - half, mean + half
    tiny = np.nextafter(0.0, 1.0)
    low = np.where(excludes_zero & (mean > 0), np.maximum(low, tiny), low)
    high = np.where(excludes_zero & (mean < 0), np.minimum(high, -tiny), high)
    return (
        np.where(excludes_zero, low, np.minimum(low, 0.0)),
        np.where(excludes_zero, high, np.maximum(high, 0.0)),
    )


def _ratio(above: Array, below: Array) -> Array:
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def paired_differences(rows: Sequence[Mapping[int, float]], baseline: Mapping[int, float]) -> Array:
    """Row minus baseline, of shape (rows, seeds of the baseline), NaN where a row lacks a seed.

    Rows and baseline map seeds to values. Raises ValueError for a value that is NaN or infinite.
    """
    for side in (baseline, *rows):
        for seed, value in side.items():
            if not math.isfinite(value):
                raise ValueError(f"seed {seed} is {value}; statistics need finite numbers")
    seeds = sorted(baseline)
    found = [[row.get(seed, math.nan) - baseline[seed] for seed in seeds] for row in rows]
    return np.array(found, dtype=np.float64).reshape(len(rows), len(seeds))
