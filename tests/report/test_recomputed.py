"""The JSON, recomputed from the runs with scipy's own tests."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from report_studies import costs, momentum_grid, two_pairs
from scipy import stats

from ablate import report

CLOSE = {"rel": 1e-12, "abs": 1e-12}


@pytest.mark.parametrize("study", [two_pairs, momentum_grid, costs])
def test_every_number_agrees_with_scipy(study):
    results = study()
    records = json.loads(report.render(report.study_tables(results), "json"))["records"]
    records = [record for record in records if record["role"]]
    assert {r["variant"] for r in records} == {v.label for v in results.plan.variants}
    for record in records:
        _check(results, record)


def _check(results, record):
    rows = [
        {"variant": run.variant, "seed": run.seed, **run.last}
        for run in results.runs
        if run.pair == record["pair"] and run.status == "done"
    ]
    frame = pd.DataFrame(
        rows, columns=["variant", "seed", *(metric.name for metric in results.plan.metrics)]
    )
    series = {label: group.set_index("seed") for label, group in frame.groupby("variant")}
    baseline = next(v.label for v in results.plan.variants if v.role == "baseline")
    if record["variant"] not in series:
        assert record["n"] == 0
        assert record["mean"] is None
        return
    mine, base = series[record["variant"]][record["metric"]], series[baseline][record["metric"]]
    assert record["mean"] == pytest.approx(mine.mean(), **CLOSE)
    assert record["std"] == pytest.approx(mine.std(ddof=1), **CLOSE)
    if record["variant"] == baseline or record["confidence"] is None:
        return
    common = sorted(set(mine.index) & set(base.index))
    d = (mine[common] - base[common]).to_numpy()
    half = stats.t.ppf(0.975, len(d) - 1) * stats.sem(d)
    assert record["difference_n"] == len(d)
    assert record["difference"] == pytest.approx(d.mean(), **CLOSE)
    assert record["low"] == pytest.approx(d.mean() - half, rel=1e-12, abs=1e-12)
    assert record["high"] == pytest.approx(d.mean() + half, rel=1e-12, abs=1e-12)
    assert record["p"] == pytest.approx(stats.ttest_rel(mine[common], base[common]).pvalue, **CLOSE)


def test_holm_over_the_whole_study():
    document = json.loads(report.render(report.study_tables(two_pairs()), "json"))
    records, m = document["records"], 4  # one of them has still to run
    assert {table["family"] for table in document["tables"]} == {m}
    family = [r for r in records if r["role"] == "variant" and r["p"] is not None]
    assert len(family) == 3
    order = np.argsort([r["p"] for r in family])
    running = 0.0
    for step, index in enumerate(order):
        running = max(running, min(1.0, (m - step) * family[index]["p"]))
        assert family[index]["p_adjusted"] == pytest.approx(running, **CLOSE)
    references = [r for r in records if r["role"] == "reference"]
    assert all(r["p"] is not None and r["p_adjusted"] is None for r in references)
