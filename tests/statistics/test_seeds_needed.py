"""Seeds for a wanted width."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from ablate.statistics.seeds_needed import seeds_for, seeds_needed


@pytest.mark.parametrize("rows", [1, 3, 12])
def test_the_smallest_number_that_is_enough(rows: int) -> None:
    n = seeds_for(0.5, 0.8, rows=rows)
    assert n is not None

    def half(n: int) -> float:
        df = (n - 1) * rows / (1 + (rows - 1) / 4)
        return float(stats.t.isf(0.025 / rows, df)) * 0.8 / math.sqrt(n)

    assert half(n) <= 0.5 < half(n - 1)


def test_the_spread_is_itself_uncertain() -> None:
    found = seeds_needed(0.5, 0.8, df=4, rows=2)
    assert found.low is not None and found.about is not None and found.high is not None
    assert found.low < found.about < found.high


def test_too_many_are_named_as_such() -> None:
    assert seeds_needed(1e-6, 1.0, df=4, rows=1).about is None
    assert seeds_for(1e9, 1.0, rows=1) == 3


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        seeds_needed(0.5, 0.0, df=4, rows=1)
