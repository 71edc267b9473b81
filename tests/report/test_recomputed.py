"""The JSON, recomputed from the runs with scipy and the formulas of the documentation."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate import report
from ablate.report.exports.records import records
from tests.report.report_studies import costs, momentum_grid, two_pairs

CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.mark.parametrize("study", [two_pairs, momentum_grid, costs])
def test_every_number_agrees_with_scipy(study):
    results = study()
    document = json.loads(report.render(report.study_tables(results), "json"))
    names = {metric.name for metric in results.plan.metrics}
    assert {one["metric"] for one in document["analyses"]} == names
    for one in document["analyses"]:
        assert [row["variant"] for row in one["rows"]] == [v.label for v in results.plan.variants]
        values = {
            row["variant"]: {
                run.seed: run.last[one["metric"]]
                for run in results.runs
                if (run.variant, run.pair, run.status) == (row["variant"], one["pair"], "done")
            }
            for row in one["rows"]
        }
        for row in one["rows"]:
            numbers = pd.Series(values[row["variant"]], dtype=float)
            assert row["n"] == len(numbers)
            if row["n"]:
                assert row["mean"] == pytest.approx(numbers.mean(), **CLOSE)
            if row["n"] > 1:
                assert row["sd"] == pytest.approx(numbers.std(ddof=1), **CLOSE)
        _check_family(one, values)


def _check_family(one, values):
    base = values[one["baseline"]]
    rows = [row for row in one["rows"] if row["role"] == "variant"]
    if not one["tested"]:
        assert all(row["low"] is None for row in rows)
        return
    d = [np.array([values[r["variant"]][s] - base[s] for s in sorted(base)]) for r in rows]
    m, n = len(rows), len(base)
    variances = [x.var(ddof=1) for x in d]
    pooled = np.mean(variances)
    df = (n - 1) * m / (1 + (m - 1) / 4)
    assert one["pooled_sd"] == pytest.approx(math.sqrt(pooled), **CLOSE)
    assert (one["rows_in_family"], one["df"]) == (m, pytest.approx(df))
    for row, x, variance in zip(rows, d, variances, strict=True):
        error = math.sqrt(max(pooled, variance) / n)
        half = stats.t.isf(0.025 / m, df) * error
        assert row["difference"] == pytest.approx(x.mean(), **CLOSE)
        assert row["low"] == pytest.approx(x.mean() - half, **CLOSE)
        assert row["high"] == pytest.approx(x.mean() + half, **CLOSE)
        p = min(1, m * 2 * stats.t.sf(abs(x.mean()) / error, df))
        assert row["p"] == pytest.approx(p, **CLOSE)
        assert (row["low"] > 0 or row["high"] < 0) == (row["p"] < 0.05)


def test_exports_have_the_plain_interval_too():
    results = two_pairs()
    found = {(r["pair"], r["variant"]): r for r in records(report.study_tables(results))}
    record = found["resnet110/resnet32", "L_pred only"]
    base = found["resnet110/resnet32", "L_pred + L̃_pred"]
    known = stats.ttest_rel(list(record["values"].values()), list(base["values"].values()))
    interval = known.confidence_interval(0.95)
    assert (record["plain_low"], record["plain_high"]) == pytest.approx(tuple(interval), **CLOSE)
    assert record["plain_p"] == pytest.approx(known.pvalue, **CLOSE)
