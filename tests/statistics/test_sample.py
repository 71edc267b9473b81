"""Means, deviations and ranks of rows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.statistics.sample import rank, summarise


def test_summaries_by_hand() -> None:
    assert summarise([]).mean is None
    assert (summarise([4]).mean, summarise([4]).sd) == (4, None)
    one = summarise([1, 2, 3, 4])
    assert (one.n, one.mean) == (4, 2.5)
    assert one.sd == pytest.approx(math.sqrt(5 / 3))


def test_equal_values_have_no_spread_at_all() -> None:
    assert summarise([0.1] * 3).sd == 0


def test_huge_values_do_not_overflow() -> None:
    assert summarise([1e300, -1e300]).sd == pytest.approx(math.sqrt(2) * 1e300)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=str(value)):
        summarise([1, value])


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=8))
def test_the_order_of_seeds_does_not_matter(values: list[float]) -> None:
    assert summarise(values) == summarise(values[::-1])


def test_ranks_are_dense_and_leave_out_incomplete_rows() -> None:
    assert rank([3, None, 5, 5, 1], higher_is_better=True) == [2, None, 1, 1, 3]
    assert rank([3, 5, 1], higher_is_better=False) == [2, 3, 1]


def test_last_bits_make_no_rank() -> None:
    assert rank([71.2, 71.2 + 1e-9, 70], higher_is_better=True) == [1, 1, 2]
