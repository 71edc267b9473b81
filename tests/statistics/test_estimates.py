"""Contrasts and averages over pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablate.statistics.estimates import contrast, over_pairs

VALUES = np.array([[70.0, 71.0, 72.5, 71.2], [69.0, 70.4, 71.0, 70.1], [68.0, 69.9, 71.0, 69.5]])


def test_a_row_against_another_is_the_paired_t_test() -> None:
    found = contrast(VALUES, (1, 0, -1), members=1)
    known = stats.ttest_rel(VALUES[0], VALUES[2])
    assert (found.n, found.df) == (4, 3)
    assert found.p == pytest.approx(known.pvalue)
    assert found.low == pytest.approx(known.confidence_interval(0.95).low)


def test_members_share_the_level() -> None:
    alone, one_of_three = (contrast(VALUES, (1, -1, 0), members=m) for m in (1, 3))
    assert one_of_three.p == pytest.approx(3 * alone.p)
    assert one_of_three.low < alone.low


def test_a_missing_seed_of_a_row_that_is_no_part_of_it_does_not_count() -> None:
    values = VALUES.copy()
    values[1, 0] = np.nan
    assert contrast(values, (1, 0, -1), members=1).n == 4
    assert contrast(values, (0.5, 0.5, -1), members=1).n == 3


def test_over_pairs_by_hand() -> None:
    found = over_pairs([4, 5], [1.0, 2.0], [0.4, 0.5], members=1)
    error = math.sqrt(0.04 + 0.05) / 2
    df = 0.09**2 / (0.04**2 / 3 + 0.05**2 / 4)
    assert (found.mean, found.n) == (1.5, 9)
    assert found.df == pytest.approx(df)
    assert found.high == pytest.approx(1.5 + stats.t.isf(0.025, df) * error)


def test_over_pairs_claims_nothing_from_a_single_seed() -> None:
    assert math.isnan(over_pairs([1, 5], [1.0, 2.0], [0.4, 0.5], members=1).low)
