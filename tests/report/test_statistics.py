from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.statistics import paired as statistics
from ablate.statistics import power
from ablate.statistics.paired import (
    Adjusted,
    Difference,
    Mark,
    Summary,
    adjusted_intervals,
    critical_t,
    holm,
    mark,
    paired_difference,
    rank,
    summarise,
    two_sided_p,
)
from ablate.statistics.power import minimum_detectable_effect, power_of, seeds_needed

# Hours of extra sleep of ten patients under two drugs (Student 1908), as R's `sleep`; R's manual
# page reports t = 4.0621 on 9 degrees of freedom, p = 0.002833, interval 0.7001142 to 2.4598858.
DRUG_1 = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
DRUG_2 = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))

# Two-sided 95 % points of Student's t as textbooks print them.
TABLE_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 29: 2.045, 120: 1.980}

# No deadline: a busy machine is no failure.
PATIENT = settings(deadline=None)
MORE = settings(max_examples=300)

metric = st.integers(-10_000, 10_000).map(lambda i: i / 100)
pairs = st.lists(st.tuples(metric, metric), min_size=2, max_size=8)
probability = st.floats(0, 1)
family_p = st.lists(st.none() | probability, max_size=6)


def compare(values: Sequence[tuple[float, float]], confidence: float = 0.95) -> Difference:
    variant = {seed: pair[0] for seed, pair in enumerate(values)}
    baseline = {seed: pair[1] for seed, pair in enumerate(values)}
    return paired_difference(variant, baseline, confidence)


def of_differences(*differences: float, confidence: float = 0.95) -> Difference:
    return compare([(d, 0.0) for d in differences], confidence)


def known(value: float | None) -> float:
    assert value is not None
    return value


# --- summaries ------------------------------------------------------------------------------


def test_summary_by_hand() -> None:
    three = summarise([9.0, 2.0, 4.0])
    assert (three.n, three.mean) == (3, 5.0)
    assert three.std == pytest.approx(math.sqrt(13.0), rel=1e-15)
    assert summarise([7.5]) == Summary(1, 7.5, None)
    assert summarise([]) == Summary(0, None, None)


def test_equal_values_have_no_spread_at_all() -> None:
    for n in range(2, 30):
        assert summarise([0.1] * n) == Summary(n, 0.1, 0.0)


def test_summary_takes_arrays_and_agrees_with_numpy() -> None:
    values = np.random.default_rng(1).normal(70, 3, size=11)
    summary = summarise(values)
    assert summary.n == 11
    assert summary.mean == pytest.approx(np.mean(values), rel=1e-14)
    assert summary.std == pytest.approx(np.std(values, ddof=1), rel=1e-13)


@PATIENT
@given(
    st.lists(metric, min_size=2, max_size=8).flatmap(
        lambda v: st.tuples(st.just(v), st.permutations(v))
    )
)
def test_summary_ignores_order(both: tuple[list[float], list[float]]) -> None:
    assert summarise(both[0]) == summarise(both[1])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_values_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        summarise([1.0, bad])
    with pytest.raises(ValueError, match="variant, seed 4"):
        paired_difference({1: 0.5, 4: bad}, {1: 0.5, 4: 0.5})
    with pytest.raises(ValueError, match="baseline, seed 9"):  # even a seed that is not compared
        paired_difference({1: 0.5, 2: 0.6}, {1: 0.5, 2: 0.5, 9: bad})
    with pytest.raises(ValueError, match="finite"):
        rank([1.0, bad], higher_is_better=True)


# --- one paired comparison ------------------------------------------------------------------


def test_students_sleep_data() -> None:
    result = paired_difference(DRUG_2, DRUG_1)
    assert result.n == 10
    assert result.mean == pytest.approx(1.58)
    assert result.t == pytest.approx(4.0621, abs=5e-5)
    assert result.p == pytest.approx(0.002833, abs=5e-7)
    assert result.low == pytest.approx(0.7001142, abs=5e-8)
    assert result.high == pytest.approx(2.4598858, abs=5e-8)


@pytest.mark.parametrize("df", sorted(TABLE_T))
def test_interval_by_hand_from_a_printed_table(df: int) -> None:
    n = df + 1
    differences = np.random.default_rng(df).normal(0.3, 1.0, size=n)
    center = sum(differences) / n
    spread = math.sqrt(sum((d - center) ** 2 for d in differences) / (n - 1))
    half = TABLE_T[df] * spread / math.sqrt(n)
    result = of_differences(*differences)
    assert result.low == pytest.approx(center - half, abs=4e-4 * spread)
    assert result.high == pytest.approx(center + half, abs=4e-4 * spread)
    assert result.std == pytest.approx(spread)
    assert result.standard_error == pytest.approx(spread / math.sqrt(n))


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 0.05 / 20, 1e-9])
def test_critical_values_with_closed_forms(alpha: float) -> None:
    q = alpha / 2
    assert critical_t(alpha, 1) == pytest.approx(1 / math.tan(math.pi * q), rel=1e-13)
    assert critical_t(alpha, 2) == pytest.approx(
        (1 - alpha) / math.sqrt(2 * q * (1 - q)), rel=1e-13
    )
    root = math.sqrt(4 * q * (1 - q))
    four = 2 * math.sqrt(math.cos(math.acos(root) / 3) / root - 1)
    assert critical_t(alpha, 4) == pytest.approx(four, rel=1e-9)


@pytest.mark.parametrize(
    ("df", "t"), [(2, 4.302652729749462), (4, 2.776445105197798), (9, 2.262157162798205)]
)
def test_critical_values_as_published(df: int, t: float) -> None:
    assert critical_t(0.05, df) == pytest.approx(t, rel=1e-13)
    assert two_sided_p(t, df) == pytest.approx(0.05, rel=1e-13)
    assert two_sided_p(-t, df) == two_sided_p(t, df)


@PATIENT
@given(pairs, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_agrees_with_scipy(values: list[tuple[float, float]], confidence: float) -> None:
    result = compare(values, confidence)
    assume(not result.undefined)
    theirs = stats.ttest_rel([v for v, _ in values], [b for _, b in values])
    interval = theirs.confidence_interval(confidence)
    scale = known(result.standard_error) * critical_t(round(1 - confidence, 9), len(values) - 1)
    assert result.t == pytest.approx(theirs.statistic, rel=1e-7, abs=1e-9)
    assert result.p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert result.low == pytest.approx(interval.low, abs=1e-7 * scale)
    assert result.high == pytest.approx(interval.high, abs=1e-7 * scale)


def test_only_common_seeds_count() -> None:
    variant = {0: 71.0, 1: 73.0, 2: 72.5, 7: 99.0}
    baseline = {5: 1.0, 2: 70.0, 1: 71.0, 0: 70.5}
    result = paired_difference(variant, baseline)
    assert result.missing == (5, 7)
    assert result == Difference(
        **{
            **{name: getattr(of_differences(0.5, 2.0, 2.5), name) for name in Difference.__slots__},
            "missing": (5, 7),
        }
    )


def test_one_pair_and_no_pair() -> None:
    one = paired_difference({3: 2.0}, {3: 1.5, 4: 9.0})
    assert one == Difference(1, 0.5, None, None, None, None, None, None, False, (4,), 0.95)
    none = paired_difference({1: 2.0}, {2: 1.5})
    assert none == Difference(0, None, None, None, None, None, None, None, False, (1, 2), 0.95)


@pytest.mark.parametrize("base", [0.0, 0.1, 1 / 3, 93.17, 1e-9, 1e9, 1e-320])
@pytest.mark.parametrize("step", [0.0, 0.7])
def test_differences_that_do_not_vary_are_undefined(base: float, step: float) -> None:
    baseline = {seed: base * (1 + seed / 7) for seed in range(5)}
    variant = {seed: value + base * step for seed, value in baseline.items()}
    result = paired_difference(variant, baseline)
    assert result.undefined
    assert (result.std, result.standard_error) == (0.0, 0.0)
    assert (result.low, result.high, result.t, result.p) == (None, None, None, None)
    assert result.mean == pytest.approx(base * step)


def test_small_but_real_variation_is_defined() -> None:
    assert not of_differences(1.0, 1.0, 1.0 + 1e-9).undefined
    assert not of_differences(1e-30, 2e-30, 4e-30).undefined
    values = [(0.85 + 0.01 * k, 0.84 + 0.01 * k) for k in range(5)]
    single = [(float(np.float32(v)), float(np.float32(b))) for v, b in values]
    assert not compare(single).undefined  # noise of single precision looks real ...
    variant, baseline = ({k: pair[i] for k, pair in enumerate(single)} for i in (0, 1))
    assert paired_difference(variant, baseline, noise=1e-6).undefined  # ... unless the caller knows


def test_p_is_never_zero() -> None:
    rng = np.random.default_rng(0)
    sure = of_differences(*(1e6 + rng.normal(size=200)))
    assert known(sure.p) > 0
    assert known(sure.low) > 0


@PATIENT
@given(pairs, st.integers(-50, 50), st.randoms(use_true_random=False))
def test_invariances(values: list[tuple[float, float]], shift: int, random: object) -> None:
    plain = compare(values)
    shifted = compare([(v + shift, b + shift) for v, b in values])
    scaled = compare([(v * 8, b * 8) for v, b in values])
    mirrored = compare([(b, v) for v, b in values])
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = paired_difference(
        {seed: values[seed][0] for seed in order},
        {seed: values[seed][1] for seed in reversed(order)},
    )
    assert shuffled == plain
    assert shifted.undefined == scaled.undefined == mirrored.undefined == plain.undefined
    assert shifted.mean == pytest.approx(known(plain.mean), abs=1e-11)
    assert scaled.mean == known(plain.mean) * 8
    if not plain.undefined:
        assert shifted.low == pytest.approx(known(plain.low), rel=1e-9, abs=1e-9)
        assert shifted.p == pytest.approx(known(plain.p), rel=1e-6)
        assert (scaled.low, scaled.high) == (known(plain.low) * 8, known(plain.high) * 8)
        assert scaled.p == plain.p == mirrored.p
        assert (mirrored.low, mirrored.high) == (-known(plain.high), -known(plain.low))


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5, 95, math.nan])
def test_confidence_is_a_fraction(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        of_differences(1.0, 2.0, confidence=confidence)
    with pytest.raises(ValueError, match="confidence"):
        adjusted_intervals([], confidence)


# --- families -------------------------------------------------------------------------------


def closed_testing(p_values: Sequence[float]) -> list[float]:
    """Holm by its definition: reject i if Bonferroni rejects every intersection that holds i."""
    indices = range(len(p_values))
    return [
        max(
            min(1.0, size * min(p_values[j] for j in subset))
            for size in range(1, len(p_values) + 1)
            for subset in itertools.combinations(indices, size)
            if i in subset
        )
        for i in indices
    ]


def test_holm_by_hand() -> None:
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 is lifted to its predecessor's.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([None, 0.02, None]) == [None, 0.02, None]


@PATIENT
@given(st.lists(probability, min_size=1, max_size=6))
def test_holm_is_closed_testing_with_bonferroni(p_values: list[float]) -> None:
    assert holm(p_values) == closed_testing(p_values)


@PATIENT
@given(family_p, st.randoms(use_true_random=False))
def test_holm_properties(p_values: list[float | None], random: object) -> None:
    adjusted = holm(p_values)
    both = [(p, a) for p, a in zip(p_values, adjusted, strict=True) if p is not None]
    assert [a is None for a in adjusted] == [p is None for p in p_values]
    assert all(a is not None and p <= a <= 1 for p, a in both)
    assert [a for _, a in sorted(both)] == sorted(known(a) for _, a in both)  # order is kept
    assert holm([p for p in p_values if p is not None]) == [a for _, a in both]
    order = list(range(len(p_values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert holm([p_values[i] for i in order]) == [adjusted[i] for i in order]


@pytest.mark.parametrize("bad", [-0.01, 1.01, math.nan])
def test_holm_refuses_what_is_no_probability(bad: float) -> None:
    with pytest.raises(ValueError, match="p value"):
        holm([0.5, bad])


def check_equivalence(differences: Sequence[Difference], confidence: float) -> None:
    alpha = float(1 - Decimal(str(confidence)))
    p_values = holm([d.p for d in differences])
    adjusted = adjusted_intervals(differences, confidence)
    for difference, interval, p in zip(differences, adjusted, p_values, strict=True):
        assert interval.p == p
        assert (interval.low is None) == (difference.p is None)
        assert interval.excludes_zero == (p is not None and p < alpha)
        if interval.low is not None:
            assert interval.low <= known(difference.mean) <= known(interval.high)
            assert known(interval.confidence) >= confidence - 1e-12


@MORE
@given(st.lists(pairs, max_size=6), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_adjusted_interval_excludes_zero_exactly_if_holm_rejects(
    family: list[list[tuple[float, float]]], confidence: float
) -> None:
    check_equivalence([compare(values) for values in family], confidence)


@MORE
@given(st.lists(pairs, min_size=1, max_size=5), st.integers(0, 4), st.integers(-2, 2))
def test_the_equivalence_holds_where_p_all_but_equals_alpha(
    family: list[list[tuple[float, float]]], which: int, ulps: int
) -> None:
    differences = [compare(values) for values in family]
    p = holm([d.p for d in differences])[which % len(family)]
    assume(p is not None and 1e-6 < p < 1 - 1e-6)
    confidence = float(1 - Decimal(str(p)))
    for _ in range(abs(ulps)):
        confidence = math.nextafter(confidence, ulps)
    check_equivalence(differences, confidence)
    # The same holds for a plain interval and its own p.
    for values in family:
        plain = compare(values, confidence)
        if plain.p is not None:
            alpha = float(1 - Decimal(str(confidence)))
            assert (known(plain.low) > 0 or known(plain.high) < 0) == (plain.p < alpha)


@MORE
@given(st.lists(pairs, min_size=1, max_size=6), st.data())
def test_what_is_rejected_early_stays_so(
    family: list[list[tuple[float, float]]], data: st.DataObject
) -> None:
    differences = [compare(values) for values in family]
    known = data.draw(st.integers(0, len(family)))
    later = [d for d in differences[known:] if d.p is not None or data.draw(st.booleans())]
    early = adjusted_intervals(differences[:known], waiting=len(later))
    whole = adjusted_intervals(differences[:known] + later)
    for before, after in zip(early, whole, strict=False):
        assert before.p is None or (after.p is not None and before.p >= after.p)
        assert after.excludes_zero or not before.excludes_zero


def test_waiting_comparisons_count_as_if_they_came_last() -> None:
    assert holm([0.01, None, 0.02], waiting=2) == [0.04, None, 0.06]
    assert holm([0.01, 0.02, 1.0, 1.0])[:2] == [0.04, 0.06]
    assert holm([0.01], waiting=0) == [0.01]


def test_adjusted_levels_by_hand() -> None:
    sure = of_differences(9.9, 10.0, 10.1, 10.2, 9.8)  # p near 1e-8
    fair = of_differences(1.0, 2.0, 3.0, 1.5, 2.5)  # p = 0.0048
    weak = of_differences(1.0, -0.5, 2.0, 0.1, 1.9)  # p = 0.14
    null = of_differences(1.0, -1.0, 0.5, -0.4, 0.1)  # p = 0.91
    flat = of_differences(1.0, 1.0, 1.0)
    lone = of_differences(3.0)
    result = adjusted_intervals([null, sure, flat, weak, lone, fair])
    # Four comparisons count; weak fails at alpha / 2 and null, tried no more, keeps that level.
    assert [a.confidence for a in result] == [0.975, 1 - 0.05 / 4, None, 0.975, None, 1 - 0.05 / 3]
    assert [a.excludes_zero for a in result] == [False, True, False, False, False, True]
    assert result[2] == result[4] == Adjusted(None, None, None, None)
    half = critical_t(0.05 / 3, 4) * known(fair.standard_error)
    assert result[5].low == pytest.approx(known(fair.mean) - half)
    assert result[5].high == pytest.approx(known(fair.mean) + half)
    assert result[5].p == pytest.approx(3 * known(fair.p))


def test_a_family_of_one_keeps_its_interval() -> None:
    alone = paired_difference(DRUG_2, DRUG_1)
    assert adjusted_intervals([alone]) == [Adjusted(alone.low, alone.high, alone.p, 0.95)]


def test_equal_p_values_share_a_level_whatever_their_order() -> None:
    up = of_differences(1.0, 2.0, 3.0, 1.5, 2.5)
    down = of_differences(-1.0, -2.0, -3.0, -1.5, -2.5)
    weak = of_differences(1.0, -0.5, 2.0, 0.1, 1.9)
    a, b, c = adjusted_intervals([up, down, weak])
    assert a.confidence == b.confidence == 1 - 0.05 / 3
    assert adjusted_intervals([down, weak, up]) == [b, c, a]


# --- marks and ranks ------------------------------------------------------------------------


def marked(difference: Difference, higher_is_better: bool = True, n: int | None = None) -> Mark:
    (adjusted,) = adjusted_intervals([difference])
    return mark(difference, adjusted, difference.n if n is None else n, higher_is_better)


def test_marks() -> None:
    up = of_differences(1.0, 2.0, 3.0, 1.5, 2.5)
    down = of_differences(-1.0, -2.0, -3.0, -1.5, -2.5)
    assert marked(up) is Mark.BETTER
    assert marked(up, higher_is_better=False) is Mark.WORSE
    assert marked(down) is Mark.WORSE
    assert marked(down, higher_is_better=False) is Mark.BETTER
    assert marked(of_differences(1.0, -1.0, 0.5, -0.4)) is Mark.NONE
    assert marked(of_differences(5.0, 5.0, 5.0, 5.0)) is Mark.NONE  # undefined


def test_fewer_than_four_seeds_are_described_only() -> None:
    three = of_differences(10.0, 10.01, 9.99)
    assert known(three.p) < 1e-4
    assert marked(three) is Mark.DESCRIPTIVE
    assert marked(three, n=5) is Mark.DESCRIPTIVE  # pairs, not seeds of one side, make a mark
    assert marked(of_differences(5.0, 5.0)) is Mark.DESCRIPTIVE
    assert marked(of_differences(5.0)) is Mark.DESCRIPTIVE
    four = of_differences(10.0, 10.01, 9.99, 10.02)
    assert marked(four) is Mark.BETTER
    assert marked(four, n=3) is Mark.DESCRIPTIVE


def test_ranks() -> None:
    assert rank([93.1, None, 95.0, 93.1, 90.0], higher_is_better=True) == [2, None, 1, 2, 3]
    assert rank([93.1, None, 95.0, 93.1, 90.0], higher_is_better=False) == [2, None, 3, 2, 1]
    assert rank([93.14, 93.141], higher_is_better=True) == [2, 1]  # both print as 93.1
    assert rank([0.0, -0.0], higher_is_better=True) == [1, 1]
    assert rank([], higher_is_better=True) == []
    assert rank([None], higher_is_better=True) == [None]


@PATIENT
@given(st.lists(st.none() | metric, max_size=8))
def test_rank_properties(values: list[float | None]) -> None:
    ranks = rank(values, higher_is_better=True)
    both = [(v, r) for v, r in zip(values, ranks, strict=True) if v is not None and r is not None]
    assert [r is None for r in ranks] == [v is None for v in values]
    assert {r for _, r in both} == set(range(1, len({v for v, _ in both}) + 1))
    assert all((v > w) == (r < s) for v, r in both for w, s in both)
    negated = [None if v is None else -v for v in values]
    assert rank(negated, higher_is_better=False) == ranks


# --- power ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 30, 1000])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 6, 1e-4])
def test_power_is_that_of_the_noncentral_t(n: int, alpha: float) -> None:
    compared = 0
    for shift in [0.0, 0.2, 1.0, 2.5, 4.0, 6.0, 9.0, 15.0, 40.0]:
        t = stats.t.isf(alpha / 2, n - 1)
        theirs = stats.nct.sf(t, n - 1, shift) + stats.nct.cdf(-t, n - 1, shift)
        ours = known(power_of(3.0 * shift / math.sqrt(n), 3.0, n, alpha))
        assert 0 < ours <= 1
        if not math.isnan(theirs):  # scipy has no answer for some of the larger shifts
            compared += 1
            assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-12)
    assert compared >= 5


def test_power_at_one_degree_of_freedom_where_scipy_has_no_answer() -> None:
    # With two pairs S is |Z'|: the power is P(|Z + shift| > t |Z'|), two normals in the plane.
    t, shift = critical_t(0.05, 1), 8.0
    s = np.linspace(0, 9, 900_001)
    density = np.sqrt(2 / np.pi) * np.exp(-(s**2) / 2)
    detected = stats.norm.cdf(shift - t * s) + stats.norm.cdf(-shift - t * s)
    expected = np.sum(density * detected) * (s[1] - s[0]) - density[0] * detected[0] * s[1] / 2
    assert power_of(shift / math.sqrt(2), 1.0, 2, 0.05) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("ratio", "n"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_as_published(ratio: float, n: int) -> None:
    # Cohen's small, medium and large effects and one standard deviation, two-sided 0.05, power
    # 0.8: what G*Power 3 prints for matched pairs.
    assert seeds_needed(ratio * 2.5, 2.5) == n
    assert seeds_needed(-ratio, 1.0) == n


def test_minimum_detectable_effect_is_not_the_normal_approximation() -> None:
    normal = (1.959964 + 0.841621) / math.sqrt(3)
    assert known(minimum_detectable_effect(1.0, 3)) > 2 * normal
    assert minimum_detectable_effect(1.0, 5000) == pytest.approx(
        (1.959964 + 0.841621) / math.sqrt(5000), rel=1e-3
    )


@PATIENT
@given(
    st.floats(1e-6, 1e6),
    st.integers(2, 60),
    st.sampled_from([0.1, 0.05, 0.01, 0.005]),
    st.sampled_from([0.3, 0.5, 0.8, 0.95]),
)
def test_effect_power_and_seeds_agree(std: float, n: int, alpha: float, wanted: float) -> None:
    effect = known(minimum_detectable_effect(std, n, alpha, wanted))
    assert power_of(effect, std, n, alpha) == pytest.approx(wanted, abs=1e-9)
    assert known(power_of(0.99 * effect, std, n, alpha)) < wanted
    assert minimum_detectable_effect(2 * std, n, alpha, wanted) == pytest.approx(2 * effect)
    # A hair more effect, since the root itself may fall on either side by rounding.
    assert seeds_needed(effect * (1 + 1e-9), std, alpha, wanted) == n


@pytest.mark.parametrize("ratio", [30.0, 3.0, 1.3, 0.7, 0.45])
def test_seeds_needed_is_the_smallest(ratio: float) -> None:
    n = seeds_needed(ratio, 1.0)
    by_search = next(n for n in range(2, 100) if known(power_of(ratio, 1.0, n)) >= 0.8)
    assert n == by_search


def test_seeds_needed_stops_at_most() -> None:
    assert seeds_needed(0.5, 1.0, most=34) == 34
    assert seeds_needed(0.5, 1.0, most=33) is None
    assert seeds_needed(100.0, 1.0, most=2) == 2
    assert seeds_needed(100.0, 1.0, most=1) is None
    assert seeds_needed(0.01, 1.0) is None
    assert seeds_needed(0.0, 1.0) is None


def test_power_without_a_test_is_none() -> None:
    for std in (None, 0.0):
        assert minimum_detectable_effect(std, 5) is None
        assert power_of(1.0, std, 5) is None
        assert seeds_needed(1.0, std) is None
    assert minimum_detectable_effect(1.0, 1) is None
    assert power_of(1.0, 1.0, 1) is None


def test_power_edges() -> None:
    assert power_of(0.0, 1.0, 4, 0.05) == pytest.approx(0.05, abs=1e-13)
    assert power_of(-0.7, 1.0, 4) == power_of(0.7, 1.0, 4)
    assert power_of(1e300, 1e-300, 2) == 1.0
    for effect, std, alpha in [(math.nan, 1, 0.05), (1, math.nan, 0.05), (1, -1, 0.05), (1, 1, 0)]:
        with pytest.raises(ValueError, match=r"not|needed"):
            power_of(effect, std, 5, alpha)
        with pytest.raises(ValueError, match=r"not|needed"):
            seeds_needed(effect, std, alpha)
    for wanted in (0.05, 0.01, 1.0, math.nan):
        with pytest.raises(ValueError, match="power"):
            minimum_detectable_effect(1.0, 5, 0.05, wanted)


# --- what it costs to import ----------------------------------------------------------------


def test_importing_loads_neither_scipy_stats_nor_torch_nor_pandas() -> None:
    code = (
        f"import {statistics.__name__}, {power.__name__}, sys;"
        "print(sorted({'scipy', 'scipy.stats', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
