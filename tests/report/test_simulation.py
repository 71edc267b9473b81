"""Do the intervals and marks keep their promises over many simulated studies?

Every study is drawn from a fixed seed and judged by the functions that the tables use. Bounds on
coverage lie more than six standard errors of the simulation from the true 95 %, so these tests
fail for a wrong formula, not for a new numpy.
"""

from __future__ import annotations

import numpy as np
import pytest

from ablate.statistics.paired import Mark, adjusted_intervals, mark, paired_difference
from ablate.statistics.power import minimum_detectable_effect, power_of


@pytest.mark.parametrize("n", [3, 5, 10])
def test_intervals_cover_the_true_difference(n: int) -> None:
    trials, true_difference = 20_000, -0.4
    rng = np.random.default_rng([2024, n])
    # A seed's luck is shared by both sides, which is why the tables pair.
    luck = rng.normal(70, 3, size=(trials, n))
    baseline = luck + rng.normal(0, 0.5, size=(trials, n))
    variant = luck + true_difference + rng.normal(0, 0.8, size=(trials, n))
    covered = 0
    for variant_row, baseline_row in zip(variant.tolist(), baseline.tolist(), strict=True):
        result = paired_difference(dict(enumerate(variant_row)), dict(enumerate(baseline_row)))
        assert result.low is not None and result.high is not None
        covered += result.low <= true_difference <= result.high
    assert 0.94 <= covered / trials <= 0.96, covered / trials


def marks_of(
    variants: list[list[float]], baseline: list[float], higher_is_better: bool = True
) -> list[Mark]:
    base = dict(enumerate(baseline))
    differences = [paired_difference(dict(enumerate(values)), base) for values in variants]
    return [
        mark(difference, adjusted, difference.n, higher_is_better)
        for difference, adjusted in zip(differences, adjusted_intervals(differences), strict=True)
    ]


@pytest.mark.parametrize("effects", [(0, 0, 0, 0, 0), (6, -6, 0, 0, 0)])
def test_family_wise_error_of_the_marks(effects: tuple[float, ...]) -> None:
    # Five variants, one baseline: the differences correlate at 0.5 through it. With real effects
    # among them Holm spends more on the rest, which must not err more often for that.
    trials, n = 10_000, 5
    rng = np.random.default_rng([7, *np.abs(effects).tolist()])
    baseline = rng.normal(size=(trials, n)).tolist()
    shifts = np.array(effects)[None, :, None]
    variants = (rng.normal(size=(trials, len(effects), n)) + shifts).tolist()
    studies_with_error = marked_effects = 0
    for study, base in zip(variants, baseline, strict=True):
        marks = marks_of(study, base)
        false = [m for m, e in zip(marks, effects, strict=True) if e == 0 and m is not Mark.NONE]
        studies_with_error += bool(false)
        marked_effects += marks[0] is Mark.BETTER and marks[1] is Mark.WORSE
    rate = studies_with_error / trials
    assert rate <= 0.055, rate
    assert rate >= 0.02, f"{rate}: marks far too rare for a 5 % procedure"
    if any(effects):
        assert marked_effects / trials > 0.8, marked_effects / trials


@pytest.mark.parametrize(("n", "effect"), [(3, 2.0), (5, 1.2), (10, 0.9)])
def test_power_is_how_often_the_test_detects(n: int, effect: float) -> None:
    trials, std = 8_000, 1.7
    rng = np.random.default_rng([99, n])
    rows = rng.normal(effect * std, std, size=(trials, n)).tolist()
    zero = dict.fromkeys(range(n), 0.0)
    p_values = [paired_difference(dict(enumerate(row)), zero).p for row in rows]
    detected = sum(p is not None and p < 0.05 for p in p_values) / trials
    expected = power_of(effect * std, std, n)
    assert expected is not None
    assert detected == pytest.approx(expected, abs=5 * (0.25 / trials) ** 0.5)


def test_an_effect_at_the_minimum_detectable_is_found_as_often_as_promised() -> None:
    trials, n, std = 8_000, 4, 0.6
    effect = minimum_detectable_effect(std, n)
    assert effect is not None
    rows = np.random.default_rng(5).normal(effect, std, size=(trials, n)).tolist()
    zero = [0.0] * n
    found = sum(marks_of([row], zero, higher_is_better=False) == [Mark.WORSE] for row in rows)
    assert found / trials == pytest.approx(0.8, abs=5 * (0.16 / trials) ** 0.5)
