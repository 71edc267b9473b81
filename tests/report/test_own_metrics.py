"""Metrics that a user's own method declares: named, ranked, exported like the package's own."""

from __future__ import annotations

import pytest

from ablate import report
from ablate.methods.metrics import Better, Metric
from ablate.report.exports.records import records
from tests.report.results_builder import BOTH, PRED, SYM, build, one_pair

F1 = Metric("macro_f1", label="macro F1", better=Better.HIGHER, digits=3, aliases=("F1",))
PERPLEXITY = Metric("perplexity", label="Perplexity", better=Better.LOWER)
DRIFT = Metric("drift", label="Drift of the weights")
COLUMNS = [0.81, 0.80, 0.82, 0.81], [0.91, 0.90, 0.92, 0.91], [0.70, 0.71, 0.69, 0.70]


def study(metric: Metric):
    scores = {metric.name: one_pair(*COLUMNS)}
    return build(scores, seeds=(0, 1, 2, 3), metrics=(metric,))


def test_a_metric_goes_by_its_label_in_every_format() -> None:
    tables = report.study_tables(study(F1))
    for form in ("terminal", "markdown", "latex", "html", "csv"):
        text = report.render(tables, form)
        assert "macro F1" in text or "macro_f1" in text, form
    assert {one["metric"] for one in records(tables)} == {"macro_f1"}


@pytest.mark.parametrize(("metric", "best"), [(F1, PRED), (PERPLEXITY, SYM)])
def test_the_declared_direction_ranks(metric: Metric, best: str) -> None:
    [found] = [one for one in records(report.study_tables(study(metric))) if one["rank"] == 1]
    assert found["variant"] == best


def test_what_is_not_declared_rankable_is_not_ranked() -> None:
    found = records(report.study_tables(study(DRIFT)))
    assert {one["variant"] for one in found} == {BOTH, PRED, SYM}
    assert {one["rank"] for one in found} == {None}


def test_a_report_finds_it_by_name_label_and_alias() -> None:
    from ablate.report.tables.analysis import metric_of

    plan = study(F1).plan
    assert {metric_of(plan, words) for words in ("macro_f1", "Macro F1", "f1")} == {F1}


def test_the_best_epoch_says_where_it_was_chosen() -> None:
    from ablate.report.choices import Selection
    from ablate.report.tables.footer import epoch_text

    test = build({"top1": one_pair(*COLUMNS)}, seeds=(0, 1, 2, 3)).plan
    held_out = build({"top1": {}}, baseline={"val": 0.1}).plan
    assert "test set" in epoch_text(test, Selection.BEST)
    assert "validation split (10%" in epoch_text(held_out, Selection.BEST)
    assert epoch_text(held_out, Selection.LAST) == "last epoch"


def test_the_footer_says_which_of_a_scripts_values_counts() -> None:
    facts = {"value of macro_f1": ("best",)}
    scores = {"macro_f1": one_pair(*COLUMNS)}
    results = build(scores, seeds=(0, 1, 2, 3), metrics=(F1, DRIFT), facts=facts)
    footer = " ".join(report.study_tables(results)[0].footer)
    assert "best value of each run" in footer and "last epoch" not in footer
