"""What a paired t test with so many seeds could have seen, and how many it would need.

Everything here is exact for normal differences: the power of the two-sided paired t test follows
from the noncentral t distribution, not from the normal approximation, which at three seeds calls
effects detectable that are not (it says 1.6 standard deviations where 3.3 are needed).

Effects and standard deviations are in the metric's own unit; only their ratio matters. The
standard deviation is that of the paired differences (`Difference.std`), known beforehand; fed with
an estimate from the same few seeds, the results are estimates too.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ablate.statistics.paired import critical_t

#: Standard normal deviations beyond which a tail is below 1e-18 and counts as nothing.
_FAR = 9.0


def power_of(effect: float, std_diff: float | None, n: int, alpha: float = 0.05) -> float | None:
    """Probability that a two-sided paired t test at `alpha` detects a true mean `effect`.

    P(|T| > t*) for T noncentral t with n - 1 degrees of freedom and noncentrality
    effect * sqrt(n) / std_diff (Johnson & Welch 1940; Cohen 1988). Either direction of rejection
    counts, so an effect of 0 has power alpha; the sign of the effect does not matter. None where
    there is no test: n < 2, or a standard deviation that is None or 0. A NaN or infinite argument,
    a negative deviation or an alpha outside (0, 1) raises ValueError.
    """
    _check(alpha, effect=effect, std_diff=std_diff)
    if n < 2 or not std_diff:
        return None
    return _power(abs(effect) / std_diff * math.sqrt(n), n, alpha)


def minimum_detectable_effect(
    std_diff: float | None, n: int, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Smallest true mean difference (> 0) that the test detects with probability `power`.

    The root of power_of(effect) = power, found by bisection to the last bit. None where there is
    no test: n < 2, or a standard deviation that is None or 0. ValueError unless alpha < power < 1
    (any effect at all has power alpha), or as in `power_of`.
    """
    _check(alpha, power, std_diff=std_diff)
    if n < 2 or not std_diff:
        return None
    return _noncentrality(n, alpha, power) / math.sqrt(n) * std_diff


@lru_cache(maxsize=4096)
def seeds_needed(
    effect: float,
    std_diff: float | None,
    alpha: float = 0.05,
    power: float = 0.8,
    most: int = 10_000,
) -> int | None:
    """Smallest n whose exact power for `effect` reaches `power`; at least 2, at most `most`.

    None if more than `most` would be needed (always so for an effect of 0), or if the standard
    deviation is None or 0, which tells nothing about how many seeds would show the effect.
    ValueError as in `minimum_detectable_effect`.
    """
    _check(alpha, power, effect=effect, std_diff=std_diff)
    if not std_diff or effect == 0 or most < 2:
        return None
    ratio = abs(effect) / std_diff

    def reaches(n: int) -> bool:
        return _power(ratio * math.sqrt(n), n, alpha) >= power

    # Power grows with n, so double until it is enough, then halve what is in question.
    short, enough = 1, 2
    while not reaches(enough):
        if enough >= most:
            return None
        short, enough = enough, min(2 * enough, most)
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if reaches(middle) else (middle, enough)
    return enough


def _power(shift: float, n: int, alpha: float) -> float:
    """P(|Z + shift| > t* S), Z standard normal, S^2 an independent chi-square over its df.

    Given S the probability is a normal one, and its mean over S is an integral of smooth functions.
    scipy's noncentral t is not used because it returns NaN for large noncentralities (1.17: 40 at
    one degree of freedom, 10 at four), which two or three seeds and strict levels do reach.
    """
    from scipy.special import gammainccinv, gammaincinv, ndtr

    df = n - 1
    t = critical_t(alpha, df)
    first = math.sqrt(2 / df * float(gammaincinv(df / 2, 1e-18)))
    last = math.sqrt(2 / df * float(gammainccinv(df / 2, 1e-18)))
    # Panels end where one of the two normal probabilities starts or stops to change, since with
    # a large t* that is a steep step which points spread over the whole range would miss.
    bends = [(shift - _FAR) / t, shift / t, (shift + _FAR) / t, (_FAR - shift) / t]
    ends = np.sort(np.clip([first, *bends, last], first, last))
    nodes, weights = _rule()
    half = np.diff(ends)[:, None] / 2
    s = ends[:-1, None] + half * (1 + nodes)
    # Density of S up to a constant, written around s = 1 to lose no digits at large df; dividing
    # by its own integral supplies the constant.
    density = half * weights * np.exp((df - 1) * np.log(s) - df * (s - 1) * (s + 1) / 2)
    detected = ndtr(shift - t * s) + ndtr(-shift - t * s)
    return min(1.0, float((density * detected).sum() / density.sum()))


@lru_cache(maxsize=1024)
def _noncentrality(n: int, alpha: float, power: float) -> float:
    """Smallest shift, in standard errors, that the test detects with `power`."""
    below, above = 0.0, 1.0
    while _power(above, n, alpha) < power:
        below, above = above, 2 * above
    while below < (middle := (below + above) / 2) < above:
        below, above = (middle, above) if _power(middle, n, alpha) < power else (below, middle)
    return above


@lru_cache(maxsize=1)
def _rule() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Gauss-Legendre nodes and weights on [-1, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(96)
    return nodes, weights


def _check(
    alpha: float, power: float | None = None, *, effect: float = 0.0, std_diff: float | None = None
) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    if power is not None and not alpha < power < 1:
        raise ValueError(f"power lies between alpha ({alpha}) and 1, not {power}")
    if not math.isfinite(effect):
        raise ValueError(f"the effect is {effect}; a finite number is needed")
    if std_diff is not None and not (math.isfinite(std_diff) and std_diff >= 0):
        raise ValueError(f"a standard deviation is finite and not negative, not {std_diff}")
