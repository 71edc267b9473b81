"""What pairing bought."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.statistics.family import analyse_family
from ablate.statistics.pairing import pairing


def test_one_row_has_pearsons_correlation() -> None:
    rng = np.random.default_rng(5)
    baseline = rng.normal(70, 2, size=6)
    row = baseline + rng.normal(0.5, 0.4, size=6)
    found = pairing(row[None], baseline, analyse_family((row - baseline)[None]))
    assert found is not None
    assert found.r == pytest.approx(np.corrcoef(row, baseline)[0, 1])
    assert found.gain > 2


def test_independent_rows_gain_nothing() -> None:
    rng = np.random.default_rng(6)
    values, baseline = rng.normal(size=(4, 200)), rng.normal(size=200)
    found = pairing(values, baseline, analyse_family(values - baseline))
    assert found is not None
    assert found.r == pytest.approx(0, abs=0.1)
    assert found.gain == pytest.approx(1, abs=0.1)


def test_nothing_to_say_without_seeds_or_spread() -> None:
    flat, two = np.full((1, 5), 2.0), np.array([[1.0, 2.0]])
    assert pairing(flat, flat[0], analyse_family(flat - flat)) is None
    assert pairing(two, np.array([1.0, 1.5]), analyse_family(two - [1.0, 1.5])) is None
