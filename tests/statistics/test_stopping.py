"""The stopping rule: where it looks, and that it stops on width alone."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.statistics.family import analyse_family
from ablate.statistics.stopping import level_for, look_sizes, next_seeds, widest
from ablate.study.seeds import SeedRule

RULE = SeedRule(first=5, most=20, half_width=0.5)


def test_looks() -> None:
    assert look_sizes(RULE) == (5, 8, 12, 20)
    assert look_sizes(SeedRule(first=3, most=10, half_width=1)) == (3, 5, 8, 10)
    assert look_sizes(SeedRule(first=6, most=6, half_width=1)) == (6,)


def test_it_goes_on_until_narrow_enough_or_at_its_most() -> None:
    assert next_seeds(RULE, 5, 0.9) == 8
    assert next_seeds(RULE, 6, 0.9) == 8
    assert next_seeds(RULE, 8, 0.5) == 8
    assert next_seeds(RULE, 20, 0.9) == 20
    assert next_seeds(RULE, 5, float("inf")) == 8


def test_the_difference_itself_plays_no_part() -> None:
    d = np.random.default_rng(1).normal(size=(2, 5))
    assert widest(analyse_family(d + 100)) == pytest.approx(widest(analyse_family(d)))


def test_a_row_without_an_interval_is_infinitely_wide() -> None:
    assert widest(analyse_family(np.array([[1.0, 2.0, np.nan], [1, 2, 4]]))) == np.inf


def test_levels_by_rows() -> None:
    assert [level_for(rows) for rows in (1, 2, 3, 12)] == [0.03, 0.04, 0.05, 0.05]
