"""Results that were made elsewhere: the same tables, and a clear sentence for what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate import report
from ablate.errors import InputError
from ablate.report.elsewhere import Reading, parse_columns, parse_metric, read_elsewhere
from tests.report.results_builder import BOTH, PRED, SYM, SYMMETRY, build, one_pair, variant

ROWS = [(BOTH, [94.31, 93.92, 94.65]), (PRED, [94.02, 93.99, 94.33]), (SYM, [93.87, 93.5, 94.6])]


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(key for line in lines for key in line)))
        writer.writeheader()
        writer.writerows(lines)
    return path


def lines(metric: str = "top1", **more: object) -> list[dict[str, object]]:
    return [
        {"variant": label, "seed": seed, metric: value, **more}
        for label, values in ROWS
        for seed, value in enumerate(values)
    ]


def table_of(results) -> list[str]:
    """The lines from the head of the table to its last rule, without title and notes."""
    lines = report.render(report.study_tables(results), "terminal").splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("───")]
    return lines[rules[0] - 2 : rules[-1] + 1]


def problems(path: Path, reading: Reading = Reading()) -> str:  # noqa: B008
    with pytest.raises(InputError) as caught:
        read_elsewhere(path, reading)
    return "\n".join(map(str, caught.value.problems))


def without_provenance(results) -> list[str]:
    text = report.render(report.study_tables(results), "terminal")
    about = ("Digits", "Results from", "Intervals cover", results.plan.title, "Does the")
    return [line for line in text.splitlines() if not line.startswith(about)]


def test_the_table_of_a_finished_study_is_the_same_character_for_character(tmp_path):
    rows = (SYMMETRY[0], *(variant(one.label) for one in SYMMETRY[1:]))
    study = build({"top1": one_pair(*(values for _, values in ROWS), variants=rows)}, rows)
    path = write(tmp_path / "r.csv", lines(pair="resnet20/resnet8"))
    elsewhere = read_elsewhere(path)
    own, other = (table_of(one) for one in (study, elsewhere))
    assert own == other
    assert len(own) > 5


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_every_format_gives_the_same_numbers(tmp_path, ending):
    path = tmp_path / f"r.{ending}"
    if ending == "csv":
        write(path, lines())
    elif ending == "parquet":
        pd.DataFrame(lines()).to_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, lines())))
    document = json.loads(report.render(report.study_tables(read_elsewhere(path)), "json"))
    [analysis] = document["analyses"]
    known = report.render(
        report.study_tables(build({"top1": one_pair(*(v for _, v in ROWS))})), "json"
    )
    [study] = json.loads(known)["analyses"]
    for row, own in zip(analysis["rows"], study["rows"], strict=True):
        for name in ("variant", "n", "mean", "sd", "difference", "low", "high", "p", "verdict"):
            assert row[name] == own[name]


def test_baseline_metric_and_columns_by_option(tmp_path):
    path = write(
        tmp_path / "r.csv",
        [
            {"name": label, "rng": seed, "macro F1": value, "host": "a"}
            for label, values in ROWS
            for seed, value in enumerate(values)
        ],
    )
    columns = parse_columns(["variant=name", "seed=rng"])
    results = read_elsewhere(path, Reading(SYM, ("macro F1:%:higher",), columns))
    assert results.plan.variants[0].label == SYM
    [table] = report.study_tables(results)
    assert table.metric is not None
    assert (table.metric.label, table.metric.better) == ("macro F1 (%)", "higher")
    undeclared = read_elsewhere(path, Reading(SYM, (), columns))
    assert "Columns without numbers were ignored: host" in undeclared.plan.footnotes


def test_without_a_direction_rows_are_higher_or_lower(tmp_path):
    rows = [
        {"variant": label, "seed": seed, "perplexity": base + seed / 100}
        for label, base in (("a", 30.0), ("b", 25.0), ("c", 30.001))
        for seed in range(4)
    ]
    for row in rows[::3]:
        row["perplexity"] += 0.003
    results = read_elsewhere(write(tmp_path / "r.csv", rows))
    [analysis] = json.loads(report.render(report.study_tables(results), "json"))["analyses"]
    verdicts = {row["variant"]: row["verdict"] for row in analysis["rows"]}
    assert verdicts["b"] == "lower"
    text = report.render(report.study_tables(results), "terminal") + str(report.verdicts(results))
    assert "better" not in text
    assert "worse" not in text


def test_diverged_runs_are_outcomes(tmp_path):
    rows = lines(status="done")
    rows[4] |= {"status": "diverged", "top1": ""}
    results = read_elsewhere(write(tmp_path / "r.csv", rows))
    [analysis] = json.loads(report.render(report.study_tables(results), "json"))["analyses"]
    assert [row["diverged"] for row in analysis["rows"]] == [0, 1, 0]


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    rows = lines()
    rows[1]["top1"] = "n/a"
    rows[2]["seed"] = "1.5"
    rows[4]["seed"] = 0
    rows[5]["variant"] = ""
    text = problems(write(tmp_path / "r.csv", rows))
    assert 'line 3: top1: "n/a" is no number' in text
    assert 'line 4: seed "1.5" is no whole number' in text
    assert "line 6: L_pred only has seed 0 in line 5 already" in text
    assert "line 7: has no variant" in text


def test_a_missing_baseline_or_column_names_what_there_is(tmp_path):
    path = write(tmp_path / "r.csv", lines())
    assert f'no row "{PRED[:-1]}"' in problems(path, Reading(PRED[:-1]))
    assert 'did you mean "L_pred only"' in problems(path, Reading(PRED[:-1]))
    assert 'no column "top2"' in problems(path, Reading("", ("top2",)))
    other = write(tmp_path / "s.csv", [{"run": "a", "seed": 0, "top1": 1}])
    assert "--column variant=NAME" in problems(other)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.csv", "", "has no rows"),
        ("r.csv", "variant,seed\na,0\n", "no column of numbers"),
        ("r.csv", "variant,seed,seed,x\na,0,0,1\n", "two columns are called seed"),
        ("r.csv", "variant,seed,x\na,0\n", "line 2: has 2 cells, the head has 3"),
        ("r.csv", "variant,seed,x,status\na,0,1,lost\n", 'status "lost" is unknown'),
        ("r.jsonl", '{"variant": 1\n[1]\n', "line 1: is no JSON"),
        ("r.parquet", "no", "is no Parquet file"),
        ("r.xlsx", "", "names no format"),
    ],
)
def test_files_that_are_no_results(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_text(content)
    assert words in problems(path)


def test_what_is_no_file(tmp_path):
    assert "No such file" in problems(tmp_path / "none.csv")
    (tmp_path / "d.csv").mkdir()
    assert "no regular file" in problems(tmp_path / "d.csv")


@pytest.mark.parametrize("text", ["", "x:%:up", "x:%:higher:more", ":%"])
def test_a_metric_that_declares_nothing(text):
    with pytest.raises(InputError, match="declares no metric"):
        parse_metric(text)


def test_known_metrics_keep_their_words():
    assert parse_metric("top1").label == "Top-1 accuracy (%)"
    assert parse_metric("perplexity::lower").better == "lower"


def test_page_and_figures_are_made_of_it(tmp_path):
    from ablate.report.publish import ReportOptions, pages_and_figures_from

    results = read_elsewhere(write(tmp_path / "r.csv", lines()))
    written = pages_and_figures_from(
        results, ReportOptions(), tmp_path / "p.html", tmp_path / "figures"
    )
    assert [path.suffix for path in written] == [".html", ".pdf", ".png"]
    assert "No row differs" in (tmp_path / "p.html").read_text()


def test_ten_thousand_rows(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {"variant": f"v{i}", "seed": seed, "top1": rng.normal(70, 1)}
        for i in range(500)
        for seed in range(20)
    ]
    path = write(tmp_path / "r.csv", rows)
    text = report.render(report.study_tables(read_elsewhere(path)), "terminal")
    assert text.count("±") >= 500


def test_rows_without_test_for_different_reasons_claim_no_interval(tmp_path):
    rows = [("base", 0, 70), ("A", 0, 70.1), ("B", 7, 70)]
    found = [
        {"variant": label, "seed": seed + i, "acc": value + i}
        for label, seed, value in rows
        for i in range(3)
    ]
    results = read_elsewhere(write(tmp_path / "r.csv", found))
    head = report.verdicts(results)[0]
    assert "1 without any spread" in head
    assert "1 without a seed in common" in head
    text = report.render(report.study_tables(results), "terminal")
    assert "simultaneous" not in text
    assert "Intervals cover" not in text


def test_a_column_that_is_named_twice_is_refused():
    with pytest.raises(InputError, match="variant is given several times"):
        parse_columns(["variant=a", "variant=b"])


def test_a_difference_on_common_seeds_and_rows_that_are_not_ranked_are_said_to_be(tmp_path):
    found = [{"variant": "base", "seed": i, "top1": v} for i, v in enumerate([18.0, 20.0, 20.5])]
    found += [{"variant": "A", "seed": 0, "top1": 24.0}]
    results = read_elsewhere(write(tmp_path / "r.csv", found), Reading(metrics=("top1",)))
    for name in ("terminal", "markdown", "latex"):
        text = report.render(report.study_tables(results), name)
        words = " ".join(text.replace("\u00a0", " ").replace("~", " ").split())
        assert "on 1 common seed" in words, name
        assert "not ranked" in words, name
