"""The benchmark's simulation in short: the analysis keeps its error rate, and is narrower."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ablate.statistics.stopping import level_for

STUDIES = 20_000


def _benchmark() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "error_rates.py"
    spec = importlib.util.spec_from_file_location("error_rates", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bench = _benchmark()


@pytest.mark.parametrize("name", bench.SCENES)
@pytest.mark.parametrize(("seeds", "rows"), [(3, 1), (3, 5), (5, 2), (10, 5)])
def test_a_study_errs_in_at_most_six_of_a_hundred(name: str, seeds: int, rows: int) -> None:
    d = bench.differences(bench.SCENES[name], studies=STUDIES, rows=rows, seeds=seeds)
    family, covered = bench.error_rates(d)
    assert family <= 0.06
    assert covered >= 0.94


def test_one_row_alone_errs_as_often_as_promised() -> None:
    d = bench.differences(bench.normal, studies=STUDIES, rows=1, seeds=5)
    assert bench.error_rates(d)[0] == pytest.approx(0.05, abs=0.006)


def test_intervals_are_narrower_than_row_wise_ones_where_seeds_are_few() -> None:
    new, old = bench.mean_half_widths(3)
    assert new <= 0.60 * old
    new, old = bench.mean_half_widths(10)
    assert new <= 1.02 * old


@pytest.mark.parametrize("rows", [1, 2, 5, 12])
@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_the_stopping_rule_still_covers(rows: int, ratio: float) -> None:
    covered, seeds = bench.stopped(rows=rows, ratio=ratio, level=level_for(rows), studies=STUDIES)
    assert covered >= 0.945
    assert 5 <= seeds <= 20
