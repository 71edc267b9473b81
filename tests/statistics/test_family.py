"""The analysis of a family: by hand, against R, and what must hold for any study."""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ablate.statistics.family import analyse_family

HERE = Path(__file__).parent


def random_studies(count: int) -> list[np.ndarray]:
    """Differences of shape (rows, seeds); some studies lack seeds here and there."""
    rng = np.random.default_rng(200)
    studies = []
    for index in range(count):
        rows, seeds = int(rng.integers(1, 13)), int(rng.integers(3, 11))
        spread = rng.uniform(0.2, 4, size=(rows, 1))
        d = rng.normal(rng.normal(0, 1, size=(rows, 1)), spread, size=(rows, seeds))
        if index % 3 == 0 and seeds > 4:
            d[rng.random(d.shape) < 0.15] = np.nan
            short = (~np.isnan(d)).sum(axis=1) < 3
            d[short] = np.where(np.isnan(d[short]), 0.5, d[short])
        studies.append(d)
    return studies


def write_differences(studies: list[np.ndarray], path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write("study,row,seed,difference\n")
        for study, d in enumerate(studies, start=1000):
            for row in range(d.shape[0]):
                for seed in range(d.shape[1]):
                    if not math.isnan(d[row, seed]):
                        stream.write(f"{study},{row + 100},{seed},{d[row, seed]:.17g}\n")


def compare(text: str, studies: list[np.ndarray]) -> int:
    """Compare R's output with ours; returns how many rows were compared."""
    rows = list(csv.DictReader(text.splitlines()))
    families = [analyse_family(d) for d in studies]
    for row in rows:
        family, j = families[int(row["study"]) - 1000], int(row["row"]) - 100
        assert int(row["n"]) == family.n[j]
        for name in ("mean", "sd", "low", "high", "p"):
            assert getattr(family, name)[j] == pytest.approx(float(row[name]), rel=1e-9, abs=1e-9)
        assert family.df == pytest.approx(float(row["df"]), rel=1e-12)
    return len(rows)


def test_agrees_with_r(tmp_path: Path) -> None:
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed (Debian: r-base-core); recorded values are compared")
    studies = random_studies(200)
    write_differences(studies, tmp_path / "differences.csv")
    ran = subprocess.run(
        ["Rscript", str(HERE / "family.R"), str(tmp_path / "differences.csv")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert compare(ran.stdout, studies) == sum(len(d) for d in studies)


def test_agrees_with_values_recorded_from_r() -> None:
    studies = random_studies(20)
    text = (HERE / "r_values.csv").read_text(encoding="utf-8")
    assert compare(text, studies) == sum(len(d) for d in studies)


def test_one_row_is_the_paired_t_test() -> None:
    d = np.array([[0.3, 0.9, 0.4, 0.7]])
    family = analyse_family(d)
    known = stats.ttest_1samp(d[0], 0)
    interval = known.confidence_interval(0.95)
    assert family.p[0] == pytest.approx(known.pvalue, rel=1e-12)
    assert (family.low[0], family.high[0]) == pytest.approx(tuple(interval), rel=1e-12)


def test_two_rows_by_hand() -> None:
    d = np.array([[1.0, 2.0, 3.0], [0.0, 4.0, 8.0]])
    family = analyse_family(d)
    assert family.sd == pytest.approx([1, 4])
    assert family.pooled_sd == pytest.approx(math.sqrt(17 / 2))
    assert family.df == pytest.approx(4 / 1.25)  # 2 x 2 over 1 + 1/4
    # The quiet row borrows the pooled spread, the noisy one keeps its own.
    assert family.error == pytest.approx([math.sqrt(8.5 / 3), 4 / math.sqrt(3)])
    half = stats.t.isf(0.025 / 2, 3.2) * family.error
    assert family.high - family.mean == pytest.approx(half)


def test_fewer_than_three_seeds_have_no_interval() -> None:
    d = np.array([[1.0, 1.1, np.nan, np.nan], [1.0, 2.0, 3.0, 4.0]])
    family = analyse_family(d)
    assert np.isnan(family.low[0]) and np.isnan(family.p[0])
    assert family.high[1] > 0
    assert family.rows == 2


def test_no_spread_is_no_certainty() -> None:
    family = analyse_family(np.full((2, 4), 0.25), smallest_sd=1e-9)
    assert np.isnan(family.low).all()
    assert family.pooled_sd == 0


def test_infinite_differences_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite"):
        analyse_family(np.array([[1.0, np.inf, 2.0]]))


def test_rows_to_come_count_in_the_family() -> None:
    d = np.array([[1.0, 2.0, 3.0]])
    alone, of_three = analyse_family(d), analyse_family(d, rows=3)
    assert of_three.p[0] == pytest.approx(min(1, 3 * alone.p[0]))
    assert of_three.high[0] > alone.high[0]


def test_many_families_at_once_are_each_alone() -> None:
    d = np.random.default_rng(3).normal(size=(5, 4, 6))
    d[1, 2, 3] = np.nan
    together = analyse_family(d)
    for index, one in enumerate(d):
        np.testing.assert_array_equal(analyse_family(one).low, together.low[index])


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))


@given(
    st.integers(1, 5).flatmap(
        lambda m: st.integers(3, 7).flatmap(
            lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=m, max_size=m)
        )
    )
)
def test_the_printed_interval_is_the_tested_one(rows: list[list[float]]) -> None:
    family = analyse_family(np.array(rows), smallest_sd=1e-9)
    excludes = (family.low > 0) | (family.high < 0)
    np.testing.assert_array_equal(excludes, family.p < family.level)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_p_value_at_the_level_and_the_interval_agree_to_the_last_bit(sign: int) -> None:
    d = np.array([[0.8, 1.0, 1.2, 1.4]]) * sign
    p = float(analyse_family(d).p[0])
    for level in (p, np.nextafter(p, 1), np.nextafter(p, 0)):
        family = analyse_family(d, level=float(level))
        excludes = bool(family.low[0] > 0 or family.high[0] < 0)
        assert excludes == (p < level)


def test_the_order_of_rows_does_not_matter() -> None:
    d = np.random.default_rng(4).normal(size=(4, 5))
    back = analyse_family(d[::-1])
    np.testing.assert_allclose(back.low[::-1], analyse_family(d).low, rtol=1e-12)
