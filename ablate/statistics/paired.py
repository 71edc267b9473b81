"""Statistics for few, paired seeds: summaries, paired t intervals, Holm, marks and ranks.

An ablation compares each variant with one baseline on the same seeds, so every comparison here is
a paired one, and a study's comparisons form a family whose error rate is held together by Holm's
step-down procedure. Three rules keep the tables honest:

- A value that is NaN or infinite raises ValueError; it never becomes part of a number.
- Differences that do not vary over seeds are *undefined*: there is no interval and no p value,
  for a t test would turn a mere lack of spread into boundless certainty.
- An interval excludes zero exactly when the p value it belongs to is below alpha, to the last
  bit, so that an arrow in a table and the p value next to it cannot disagree.

All values, means, deviations and intervals are in the metric's own unit.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from statistics import fmean

#: Pairs below which a table describes and does not mark.
FEWEST_PAIRS_FOR_MARKS = 4

#: Spread of differences, relative to the values' magnitude, that counts as rounding and not as
#: variation. Rounding of double precision is near 1e-16; metrics that went through single
#: precision carry 1e-7 and need a wider `noise`.
ROUNDING_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation of one metric over seeds, in the metric's unit."""

    n: int  #: number of values
    mean: float | None  #: None for n = 0
    std: float | None  #: with n - 1 in the denominator; None for n < 2


@dataclass(frozen=True, slots=True)
class Difference:
    """Variant minus baseline over the seeds that both have, in the metric's unit."""

    n: int  #: number of common seeds
    mean: float | None  #: mean difference; None for n = 0
    std: float | None  #: sample standard deviation of the differences; None for n < 2
    standard_error: float | None  #: std / sqrt(n); None for n < 2
    low: float | None  #: lower end of the paired t interval; None for n < 2 or undefined
    high: float | None  #: upper end; None for n < 2 or undefined
    t: float | None  #: mean / standard error, n - 1 degrees of freedom; None as for the interval
    p: float | None  #: two-sided paired t test, never 0; None as for the interval
    undefined: bool  #: n >= 2, but the differences do not vary beyond rounding
    missing: tuple[int, ...]  #: seeds that only one side has, ascending
    confidence: float  #: level of the interval, e.g. 0.95


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One comparison's interval and p value after Holm adjustment over its family.

    All four are None where the comparison has no p value (fewer than two pairs, or undefined).
    """

    low: float | None  #: in the metric's unit
    high: float | None  #: in the metric's unit
    p: float | None  #: Holm-adjusted p value
    confidence: float | None  #: level that this one interval was widened to, e.g. 0.99

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval exists and lies on one side of zero; the same as p < alpha."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0


class Mark(enum.Enum):
    """What a table may say about one comparison."""

    BETTER = "better"  #: adjusted interval excludes zero, in the wanted direction
    WORSE = "worse"  #: adjusted interval excludes zero, in the unwanted direction
    NONE = "none"  #: cannot tell, or undefined
    DESCRIPTIVE = "descriptive"  #: too few pairs for any mark


def summarise(values: Iterable[float]) -> Summary:
    """Count, mean and sample standard deviation (n - 1) of `values`, in their unit.

    The result does not depend on the order of the values. No values give mean and std None, one
    value gives std None, equal values give std 0 exactly. A value that is NaN or infinite raises
    ValueError.
    """
    numbers = sorted(map(float, values))
    _check_finite(numbers)
    n = len(numbers)
    if n == 0:
        return Summary(0, None, None)
    if n == 1:
        return Summary(1, numbers[0], None)
    if numbers[0] == numbers[-1]:  # a rounded mean would leave a spread of some 1e-17
        return Summary(n, numbers[0], 0.0)
    mean = fmean(numbers)
    # hypot scales, so squares of very large or very small deviations neither overflow nor vanish.
    return Summary(n, mean, math.hypot(*(number - mean for number in numbers)) / math.sqrt(n - 1))


def paired_difference(
    variant: Mapping[int, float],
    baseline: Mapping[int, float],
    confidence: float = 0.95,
    noise: float = ROUNDING_NOISE,
) -> Difference:
    """Mean of variant - baseline over common seeds, with its paired t interval and test.

    With d the per-seed differences, s their sample standard deviation and n their number:
    t = mean(d) / (s / sqrt(n)), two-sided p and interval mean(d) +- t* s / sqrt(n) from Student's
    t with n - 1 degrees of freedom (Student 1908; any textbook's one-sample t on differences).
    Both mappings are seed -> value; seeds that only one of them has are listed in `missing` and
    used nowhere else.

    Edge cases: no common seed gives no mean; one gives a mean only; differences whose standard
    deviation is at most `noise` times the largest magnitude among the compared values do not
    vary, so std is 0, `undefined` is True and interval, t and p are None. A NaN or infinite value
    on either side, missing seeds included, raises ValueError, as does a confidence outside (0, 1).
    """
    alpha = _alpha(confidence)
    _check_seeds(variant, "variant")
    _check_seeds(baseline, "baseline")
    common = sorted(variant.keys() & baseline.keys())
    missing = tuple(sorted(variant.keys() ^ baseline.keys()))
    summary = summarise(float(variant[seed]) - float(baseline[seed]) for seed in common)
    n, mean, std = summary.n, summary.mean, summary.std
    if mean is None or std is None:
        return Difference(
            n, mean, None, None, None, None, None, None, False, missing, float(confidence)
        )
    magnitude = max(abs(side[seed]) for side in (variant, baseline) for seed in common)
    # The second bound keeps the division by the standard error away from denormal numbers.
    if std <= max(noise * float(magnitude), sys.float_info.min):
        return Difference(
            n, mean, 0.0, 0.0, None, None, None, None, True, missing, float(confidence)
        )
    error = std / math.sqrt(n)
    t = mean / error
    p = two_sided_p(t, n - 1)
    low, high = _interval(mean, critical_t(alpha, n - 1) * error, excludes_zero=p < alpha)
    return Difference(n, mean, std, error, low, high, t, p, False, missing, float(confidence))


def holm(p_values: Sequence[float | None], waiting: int = 0) -> list[float | None]:
    """Holm's step-down adjusted p values, in the order given.

    With m p values in ascending order, the k-th is adjusted to the largest (m - j + 1) p_(j) over
    j <= k, capped at 1 (Holm 1979, "A simple sequentially rejective multiple test procedure").
    Rejecting where the result is below alpha holds the family-wise error rate at alpha under any
    dependence, such as that through a shared baseline.

    None, a comparison that is undefined or too small to test, stays None and does not count in m:
    it can never be marked, so it needs no share of alpha. `waiting` more comparisons, whose p
    values are yet to come, count in m as if they were 1: whatever they turn out to be, no adjusted
    value then grows, so nothing that was rejected early is taken back. Values outside [0, 1] raise
    ValueError.
    """
    for p in p_values:
        if p is not None and not 0 <= p <= 1:
            raise ValueError(f"a p value lies in [0, 1], not {p}")
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for index, p, step in _steps(p_values, waiting):
        running = min(1.0, max(running, step * p))
        adjusted[index] = running
    return adjusted


def adjusted_intervals(
    differences: Sequence[Difference], confidence: float = 0.95, waiting: int = 0
) -> list[Adjusted]:
    """Give each comparison of a family the interval that fits its Holm-adjusted p value.

    With alpha = 1 - confidence and m comparisons that have a p value, ordered by it, the k-th gets
    the two-sided t interval of level 1 - alpha / (m - k + 1) as long as Holm rejects. The first
    one that Holm does not reject and all after it get the level of that step. So an interval
    excludes zero exactly where the Holm-adjusted p value is below alpha. Equal p values share one
    step, the widest, so the order of the family does not matter. A single comparison keeps its
    plain interval.

    Only the decision "excludes zero" is simultaneous over the family; the intervals are not a
    joint confidence region. Comparisons without a p value get None and do not count in m, but for
    `waiting` of them as in `holm`. The differences' own `confidence` plays no part.
    """
    alpha = _alpha(confidence)
    raw = [difference.p for difference in differences]
    adjusted = [Adjusted(None, None, None, None)] * len(raw)
    p_adjusted = holm(raw, waiting)
    failed_step: int | None = None
    for index, _, own_step in _steps(raw, waiting):
        difference, p = differences[index], p_adjusted[index]
        mean, error = difference.mean, difference.standard_error
        if p is None or mean is None or error is None:
            raise ValueError("a difference with a p value needs a mean and a standard error")
        rejected = p < alpha
        if not rejected and failed_step is None:
            failed_step = own_step
        level = alpha / (own_step if failed_step is None else failed_step)
        half = critical_t(level, difference.n - 1) * error
        low, high = _interval(mean, half, excludes_zero=rejected)
        adjusted[index] = Adjusted(low, high, p, 1 - level)
    return adjusted


def mark(difference: Difference, adjusted: Adjusted, n: int, higher_is_better: bool) -> Mark:
    """Say what a table may claim about one comparison.

    `n` is the number of seeds that the table shows for it; fewer than four of these, or of the
    pairs behind `difference`, give DESCRIPTIVE. An undefined difference gives NONE. Otherwise the
    adjusted interval decides: BETTER or WORSE where it excludes zero, NONE where it does not.
    """
    if min(n, difference.n) < FEWEST_PAIRS_FOR_MARKS:
        return Mark.DESCRIPTIVE
    if difference.undefined or adjusted.low is None or not adjusted.excludes_zero:
        return Mark.NONE
    return Mark.BETTER if (adjusted.low > 0) == higher_is_better else Mark.WORSE


def rank(
    values: Sequence[float | None], higher_is_better: bool, noise: float = ROUNDING_NOISE
) -> list[int | None]:
    """Rank unrounded values densely: 1 is best, 2 second, equal values share a rank.

    Equal are those that lie within `noise`, a share of their size, of the best of their rank: means
    of the same counts over seeds differ in their last bits. None, an incomplete row, gets None and
    takes no rank. NaN or infinite raises ValueError.
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


@lru_cache(maxsize=4096)
def critical_t(alpha: float, df: int) -> float:
    """Return the t that |T| exceeds with probability `alpha`, Student's T with `df` degrees."""
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


def two_sided_p(t: float, df: int) -> float:
    """Probability of |T| >= |t| for Student's T with `df` degrees of freedom.

    Never 0: a probability too small for a float is given as the smallest normal one.
    """
    from scipy.special import stdtr

    return min(1.0, max(2 * float(stdtr(df, -abs(t))), sys.float_info.min))


def _steps(p_values: Sequence[float | None], waiting: int) -> list[tuple[int, float, int]]:
    """(index, p, m - k + 1) in ascending order of p; equal p values share their first k."""
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    steps: list[tuple[int, float, int]] = []
    m = len(order) + waiting
    for k, (p, index) in enumerate(order):
        tied = bool(steps) and steps[-1][1] == p
        steps.append((index, p, steps[-1][2] if tied else m - k))
    return steps


def _interval(mean: float, half: float, *, excludes_zero: bool) -> tuple[float, float]:
    """mean +- half, where the test and not the rounding of `half` decides about zero.

    On paper |mean| > half and p < alpha are one statement; in floating point they may part in the
    last bit, when mean and half are equal to rounding. Then the end nearest zero is moved by that
    rounding error, to zero (included) or to the next float beyond it (excluded).
    """
    low, high = mean - half, mean + half
    if excludes_zero:
        return (
            (max(low, math.nextafter(0, 1)), high)
            if mean > 0
            else (low, min(high, math.nextafter(0, -1)))
        )
    return min(low, 0.0), max(high, 0.0)


@lru_cache(maxsize=64)
def _alpha(confidence: float) -> float:
    """1 - confidence without binary debris: 0.05 for 0.95, not 0.050000000000000044."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not {confidence}")
    return float(1 - Decimal(str(float(confidence))))


def _check_finite(values: Collection[float]) -> None:
    if not all(map(math.isfinite, values)):
        wrong = next(value for value in values if not math.isfinite(value))
        raise ValueError(f"a value is {wrong}; statistics need finite numbers")


def _check_seeds(side: Mapping[int, float], name: str) -> None:
    if not all(map(math.isfinite, side.values())):
        seed, value = next(item for item in side.items() if not math.isfinite(item[1]))
        raise ValueError(f"{name}, seed {seed} is {value}; statistics need finite numbers")
