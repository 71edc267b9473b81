"""Student's t, accurate to the last digits: critical values and two-sided p values."""

from __future__ import annotations

import math
import sys
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@lru_cache(maxsize=4096)
def critical_t(alpha: float, df: float) -> float:
    """The t that |T| exceeds with probability `alpha`, for Student's T with `df` degrees."""
    from scipy.special import stdtr, stdtrit

    # The lower tail keeps its digits where 1 - alpha / 2 would round to 1.
    t = -float(stdtrit(df, alpha / 2))
    # Some versions of scipy find this root to ten digits only; one Newton step on the
    # distribution function, which is good to all of them, takes the root there too.
    log_density = (
        math.lgamma((df + 1) / 2)
        - math.lgamma(df / 2)
        - math.log(df * math.pi) / 2
        - (df + 1) / 2 * math.log1p(t * t / df)
    )
    return t + (float(stdtr(df, -t)) - alpha / 2) / math.exp(log_density)


def critical_ts(alpha: float, df: Array) -> Array:
    """`critical_t` for an array of degrees of freedom; NaN where there are none."""
    distinct, places = np.unique(df, return_inverse=True)
    found = [critical_t(alpha, float(one)) if one > 0 else math.nan for one in distinct]
    return np.array(found)[places].reshape(df.shape)


def two_sided_p(t: Array, df: Array) -> Array:
    """Probability of |T| >= |t|; never 0: what is too small for a float is the smallest one."""
    from scipy.special import stdtr

    p = 2 * stdtr(df, -np.abs(t))
    return np.asarray(np.clip(p, sys.float_info.min, 1.0), dtype=np.float64)
