"""What intervals say, and what diverged seeds forbid."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.statistics.verdict import Diverged, Verdict, verdict, within_margin


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.2, 0.9, Verdict.BETTER),
        (-0.9, -0.2, Verdict.WORSE),
        (-0.4, 0.4, Verdict.EQUIVALENT),
        (-0.4, 0.6, Verdict.OPEN),
        (0.0, 0.6, Verdict.OPEN),
        (-0.5, 0.1, Verdict.OPEN),  # the margin itself is not inside it
        (0.1, 0.3, Verdict.BETTER),
        (None, None, Verdict.OPEN),
        (math.nan, math.nan, Verdict.OPEN),
    ],
)
def test_the_interval_decides(low: float | None, high: float | None, found: Verdict) -> None:
    assert verdict(low, high, higher_is_better=True, margin=0.5) is found


def test_direction() -> None:
    assert verdict(0.2, 0.9, higher_is_better=False) is Verdict.WORSE
    assert verdict(0.2, 0.9, higher_is_better=None) is Verdict.HIGHER
    assert verdict(-0.9, -0.2, higher_is_better=None) is Verdict.LOWER


def test_without_a_margin_nothing_is_equivalent() -> None:
    assert verdict(-0.001, 0.001, higher_is_better=True) is Verdict.OPEN
    assert within_margin(0.1, 0.3, 0.5)
    assert not within_margin(0.1, 0.3, None)


ends = st.floats(-3, 3)


@given(ends, ends, st.booleans(), st.integers(1, 5), st.integers(0, 5))
def test_diverged_seeds_are_outcomes(
    a: float, b: float, higher: bool, some: int, others: int
) -> None:
    low, high = sorted((a, b))

    def found(diverged: Diverged) -> Verdict:
        return verdict(low, high, higher_is_better=higher, margin=2.0, diverged=diverged)

    assert found(Diverged(row=some, baseline=others)) in (Verdict.WORSE, Verdict.OPEN)
    assert found(Diverged(row=others, baseline=some)) in (Verdict.BETTER, Verdict.OPEN)
    assert found(Diverged(row=some, baseline=some)) is Verdict.OPEN
