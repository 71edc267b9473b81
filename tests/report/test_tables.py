"""The model: who is compared, ranked, marked, and what is said where results are missing."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ablate import report
from ablate.cli.study_options import parse_overrides
from ablate.errors import InputError
from ablate.matrix.plan import Contrast, PairGroup
from ablate.methods.lifecycle import JobStatus
from ablate.report.choices import Notes, Selection
from ablate.report.exports.records import records
from ablate.report.figures.draw import planned_figures
from ablate.report.tables.commands import more_seeds, run_again
from ablate.report.tables.table import Cell
from ablate.report.tables.text import interval_text, show
from ablate.statistics.verdict import DIFFERENT, Verdict
from ablate.store.looks import Look, looks_of
from ablate.study.seeds import SeedRule
from tests.report.report_studies import (
    PAIRS,
    costs,
    many_rows,
    methods_only,
    momentum_grid,
    paper,
    two_pairs,
)
from tests.report.results_builder import BOTH, PRED, SYM, SYMMETRY, build, one_pair, variant


def cells_of(table):
    return {cell.variant: cell for _, cell in table.cells}


def shown(table, label):
    row = next(row for row in table.rows if row.label == label)
    return {
        c.key: show(c, cell).line.replace("\u00a0", " ")
        for c, cell in zip(table.columns, row.cells, strict=True)
    }


def footer(table):
    return " ".join(table.footer)


def single(*columns, **changes):
    [table] = report.study_tables(build({"top1": one_pair(*columns)}, **changes))
    return table


def test_ranks_are_on_unrounded_values_and_ties_alike():
    ranks = cells_of(single([90.001, 90, 90], [90.002, 90, 90], [90.001, 90, 90]))
    assert (ranks[PRED].rank, ranks[BOTH].rank, ranks[SYM].rank) == (1, 2, 2)


def test_a_row_with_fewer_jobs_than_seeds_is_incomplete():
    """A row that was changed since keeps no older results; its new ones may be of fewer seeds."""
    columns = [94.0, 94.1, 94.2, 90.0, 90.1], [94.05, 94.15, 94.3], [94.0, 94.2, 94.1, 90.0, 90.2]
    whole = build({"top1": one_pair(*columns)}, seeds=range(5))
    runs = [run for run in whole.runs if not (run.variant == PRED and run.seed > 2)]
    [table] = report.study_tables(replace(whole, runs=tuple(runs)))
    cells = cells_of(table)
    assert [cells[label].rank for label in (BOTH, PRED, SYM)] == [2, None, 1]
    assert shown(table, PRED)["n"] == "3 of 5 (2 not run)"
    assert f"{PRED} (seeds 3, 4 not run)" in footer(table)


def test_the_same_counts_are_a_tie_whatever_their_rounding():
    shares = [[100 * count / 360 for count in counts] for counts in (
        (332, 359, 357), (333, 358, 357), (331, 350, 357))]  # fmt: skip
    cells = cells_of(single(*shares))
    assert cells[BOTH].mean != cells[PRED].mean
    assert [cells[label].rank for label in (BOTH, PRED, SYM)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("values", "shown_as"),
    [
        ((0.00012, 0.00013, 0.00011, 0.00012), "0.000120 ± 0.000008"),
        ((0.5, 0.6, 0.4, 0.5), "0.5000 ± 0.0816"),
        ((1.5e-9, 1.6e-9, 1.7e-9, 1.6e-9), "0.00000000160 ± 0.00000000008"),
        ((2e-7,) * 4, "0.000000200 ± 0.000000000"),
    ],
)
def test_small_values_get_the_digits_that_tell_them_apart(values, shown_as):
    rows = SYMMETRY[:2]
    scores = one_pair(values, [1.1 * value for value in values], variants=rows)
    [table] = report.study_tables(build({"loss_pred": scores}, rows, seeds=range(4)))
    assert shown(table, BOTH)["loss_pred"].replace("\u00a0", " ") == shown_as


def test_an_interval_says_on_which_side_of_zero_it_ends():
    assert interval_text(-0.0001, 0.0001, 2) == "[−0.00,\u00a0+0.00]"
    assert interval_text(0.0, 0.1, 2) == "[0.00,\u00a0+0.10]"


def test_a_finished_job_without_a_number_has_no_value():
    results = build({"top1": one_pair([94.0, 93.0], [float("nan"), 92.0], [float("inf"), 92.0])},
                    seeds=(0, 1))  # fmt: skip
    [table] = report.study_tables(results)
    assert shown(table, PRED)["n"] == "1 of 2 (1 no value)"
    assert shown(table, SYM)["n"] == "1 of 2 (1 no value)"


def test_pairs_stand_abreast_with_teacher_on_top():
    tables = report.study_tables(two_pairs())
    assert [table.layout for table in tables] == ["pairs", "one_part", "one_part"]
    first = tables[0]
    assert first.corner == ("Teacher", "Student")
    assert [column.heads for column in first.columns] == [
        ("resnet110", "resnet32"), ("vgg13", "MobileNetV2"),
    ]  # fmt: skip
    assert [row.label for row in first.rows] == ["Teacher", BOTH, PRED, SYM, "KD"]
    assert shown(first, "Teacher") == dict(zip(PAIRS, ("71.00", "72.00"), strict=True))
    assert shown(first, PRED) == {
        PAIRS[0]: "↓ 71.15 ± 0.21",
        PAIRS[1]: "69.55 ± 0.07 (2 of 4, 1 diverged, 1 failed)",
    }
    assert shown(first, SYM)[PAIRS[1]] == "—"


def test_other_methods_below_an_ablation_stand_apart_from_it():
    for table in report.study_tables(two_pairs(metrics=("top1", "train_seconds"))):
        assert [row.group for row in table.rows if row.label in (SYM, "KD")] == [
            "symmetrization of the prediction loss", "other methods",
        ]  # fmt: skip
    html, markdown = (
        report.render(report.study_tables(two_pairs()), f) for f in ("html", "markdown")
    )
    assert html.count("<tbody>\n") == 3 * 3  # what has no group, the ablation, other methods
    assert markdown.count("| *other methods* |") == 3
    [alone] = report.study_tables(methods_only())
    assert {row.group for row in alone.rows} == {""}


def test_many_pairs_are_split():
    pairs = tuple(f"t{i}/s{i}" for i in range(12))
    scores = {(row.label, pair): [1.0, 2.0, 3.0] for row in SYMMETRY for pair in pairs}
    tables = [
        t for t in report.study_tables(build({"top1": scores}, pairs=pairs)) if t.layout == "pairs"
    ]
    assert [len(table.columns) for table in tables] == [5, 5, 2]
    assert sum((table.columns for table in tables), ())[11].heads == ("t11", "s11")


def test_published_values_only_with_the_paper_profile():
    tables = report.study_tables(paper())
    pairs, details = tables[0], tables[1]
    assert pairs.columns[1].heads == ("resnet110", "resnet32", "published")
    line = shown(pairs, BOTH)
    assert line[f"{PAIRS[0]} published"] == "74.10"
    assert shown(pairs, "Teacher")[f"{PAIRS[0]} published"] == "74.31"
    assert shown(pairs, "Student")[f"{PAIRS[0]} published"] == "71.14"
    assert shown(pairs, "KD")[f"{PAIRS[1]} published"] == "67.37"
    assert shown(pairs, PRED)[f"{PAIRS[0]} published"] == "—"
    assert shown(details, BOTH)["published"] == "74.10"
    assert "Published: CIFAR-100 top-1" in footer(pairs)
    plain = report.study_tables(two_pairs())
    same = {cell.variant: (cell.rank, cell.mean) for _, cell in plain[1].cells}
    assert {cell.variant: (cell.rank, cell.mean) for _, cell in details.cells} == same


def test_teacher_and_student_are_in_formats_for_machines():
    found = records(report.study_tables(paper()))
    beside = {(r["variant"], r["pair"]): r for r in found if r["role"] is None}
    assert {key: (r["mean"], r["published"]) for key, r in beside.items()} == {
        ("Teacher", PAIRS[0]): (71.0, 74.31), ("Teacher", PAIRS[1]): (72.0, 74.64),
        ("Student", PAIRS[0]): (None, 71.14), ("Student", PAIRS[1]): (None, 64.6),
    }  # fmt: skip
    assert {r["metric"] for r in beside.values()} == {"top1"}
    assert all(r.keys() == found[0].keys() for r in beside.values())
    assert all(r["rank"] is None and r["n"] is None for r in beside.values())


def test_no_published_value_beside_a_row_that_follows_no_published_recipe():
    assert not shows_published(paper(published={}))
    elsewhere = {BOTH: {PAIRS[0]: "CoCoRD"}}
    pairs = report.study_tables(paper(published=elsewhere))[0]
    line = shown(pairs, BOTH)
    assert (line[f"{PAIRS[0]} published"], line[f"{PAIRS[1]} published"]) == ("74.10", "—")


def test_any_row_may_be_the_published_method():
    """Where widths differ the paper's m_c is the ablation's value elsewhere."""
    pairs = report.study_tables(paper(published={PRED: {PAIRS[0]: "CoCoRD"}}))[0]
    assert shown(pairs, PRED)[f"{PAIRS[0]} published"] == "74.10"
    assert shown(pairs, BOTH)[f"{PAIRS[0]} published"] == "—"


def test_published_values_say_how_they_were_selected():
    words = footer(report.study_tables(paper())[0])
    assert "best epoch on the test set" in words
    assert "last epoch" in words


def test_what_a_profile_sets_is_in_the_footer():
    """Two tables of one profile whose settings were changed in between don't look alike."""
    for notes in Notes:
        one, other = (
            report.study_tables(two_pairs(profile_settings=settings), notes=notes)
            for settings in ({"lr": 0.01, "teacher.epochs": 24}, {"lr": 0.02, "teacher.epochs": 24})
        )
        assert "lr = 0.01" in footer(one[0])
        assert "teacher.epochs = 24" in footer(one[0])
        assert "lr = 0.02" in footer(other[0])


def shows_published(results):
    tables = report.study_tables(results)
    return "Published:" in report.render(tables, "terminal") or any(
        "published" in column.heads for table in tables for column in table.columns
    )


def test_grid_holds_the_baseline_in_its_cell():
    grid, details, _ = report.study_tables(momentum_grid())
    assert (grid.layout, details.layout) == ("grid", "one_part")
    assert [column.heads for column in grid.columns] == [("m_r = 0",), ("m_r = 0.9",)]
    assert [row.label for row in grid.rows] == ["m_c = 0", "m_c = 0.999", "m_c = 1"]
    middle = grid.rows[1].cells[1]
    assert isinstance(middle, Cell)
    assert middle.role == "baseline"
    assert middle.rank == 1
    assert "Baseline: m_c = 0.999, m_r = 0.9." in footer(grid)


def test_grid_leaves_unplanned_spots_empty():
    rows = [
        variant("b", "baseline"),
        variant("x", group="g", momentum__teacher_head=0.0, momentum__slow_student=0.0),
        variant("y", group="g", momentum__teacher_head=1.0, momentum__slow_student=1.0),
    ]
    columns = [[1.0, 2, 3]] * 3
    grid = report.study_tables(build({"top1": one_pair(*columns, variants=rows)}, rows))[0]
    assert [[cell is None for cell in row.cells] for row in grid.rows] == [
        [False, True, True], [True, False, True], [True, True, False],
    ]  # fmt: skip


def test_no_grid_whose_holes_are_rows_of_another_group():
    rows = [
        variant("b", "baseline"),
        variant("w", group="m_c", momentum__teacher_head=0.0),
        variant("x", group="g", momentum__teacher_head=0.0, momentum__slow_student=0.0),
        variant("y", group="g", momentum__teacher_head=1.0, momentum__slow_student=1.0),
    ]
    scores = one_pair(*[[1.0, 2.0, 3.0]] * 4, variants=rows)
    study = build({"top1": scores}, rows)
    assert [table.layout for table in report.study_tables(study)] == ["one_part"]
    assert not [figure for figure in planned_figures(study) if figure.kind == "grid"]


def test_several_grids_are_told_apart():
    rows, scores = [variant("base", "baseline")], {}
    for group, part in (("m_c × τ", "temperature"), ("m_c × N", "dictionary.size")):
        rows += [
            variant(f"{group} {i} {j}", group=group, **{"momentum.teacher_head": i, part: j})
            for i in (0.1, 0.2) for j in (1, 2)
        ]  # fmt: skip
    scores = one_pair(*[[1.0, 2.0, 4.0]] * len(rows), variants=rows)
    baseline = {"momentum.teacher_head": 0.3, "temperature": 3, "dictionary.size": 3}
    study = build({"top1": scores}, rows, baseline=baseline)
    titles = [table.title for table in report.study_tables(study) if table.layout == "grid"]
    assert len(set(titles)) == 2
    assert titles[0].startswith("Symmetrization of the prediction loss: m_c × τ: Top-1")
    drawn = [figure.title for figure in planned_figures(study) if figure.kind == "grid"]
    assert len(set(drawn)) == 2


def test_costs_share_a_table_and_are_never_ranked():
    tables = report.study_tables(costs())
    assert [table.layout for table in tables] == ["one_part", "one_part", "costs"]
    assert [column.key for column in tables[2].columns] == ["train_seconds", "peak_memory_mib"]
    assert all(cell.rank is None and cell.comparison is None for _, cell in tables[2].cells)
    assert "epoch;" not in footer(tables[2])
    assert "last epoch" not in footer(tables[2])
    [asked] = report.study_tables(costs(), "train_seconds")
    assert asked.layout == "costs"
    assert all(cell.rank is None and cell.comparison is None for _, cell in asked.cells)
    with pytest.raises(InputError, match="depends on the machine and is not tested"):
        report.power_report(costs(), 1.0, "train_seconds")


def test_networks_alone_have_no_teacher_above_them():
    pairs = ("resnet8", "resnet14")
    scores = {(row, pair): [90.0, 91.0, 92.0] for row in (BOTH, PRED, SYM) for pair in pairs}
    first, *_ = report.study_tables(build({"top1": scores}, pairs=pairs))
    assert first.corner == ("Student",)
    assert [column.heads for column in first.columns] == [("resnet8",), ("resnet14",)]
    assert [row.label for row in first.rows] == [BOTH, PRED, SYM]


def test_unknown_metric_and_format_name_what_there_is(symmetry):
    with pytest.raises(InputError, match="top1"):
        report.study_tables(symmetry, "top2")
    with pytest.raises(InputError, match="markdown"):
        report.render(report.study_tables(symmetry), "markdwn")


def test_two_hundred_rows():
    tables = report.study_tables(many_rows())
    assert len(tables[0].rows) == 200
    for name in ("terminal", "markdown", "latex", "csv", "json", "html"):
        assert report.render(tables, name)


def test_importing_the_room_loads_nothing_heavy():
    code = (
        "import sys, ablate.report, ablate.console; "
        "print([m for m in ('pandas', 'scipy', 'torch', 'rich', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_one_part(symmetry):
    [table] = report.study_tables(symmetry)
    assert table.layout == "one_part"
    assert [row.label for row in table.rows] == [BOTH, PRED, SYM]
    assert shown(table, PRED) == {
        "top1": "94.11 ± 0.19",
        "n": "3",
        "difference": "−0.18 [−0.68, +0.32]",
        "p": "0.486",
        "conclusion": "at most 0.32 better, 0.68 worse",
    }
    assert shown(table, BOTH)["difference"] == ""
    assert len(table.footer) <= 4


def test_lower_is_better():
    loss = report.study_tables(costs(), "test_loss")[0]
    cells = cells_of(loss)
    assert (cells[SYM].rank, cells[BOTH].rank) == (1, 2)
    rising = build(
        {"test_loss": one_pair([1.0, 1.1, 1.2, 1.0], [2.0, 2.2, 2.1, 2.05], [0.1, 0.2, 0.3, 0.12])},
        seeds=(0, 1, 2, 3),
    )
    [table] = report.study_tables(rising)
    assert cells_of(table)[PRED].comparison.verdict is Verdict.WORSE
    assert cells_of(table)[SYM].comparison.verdict is Verdict.BETTER
    assert shown(table, PRED)["conclusion"].startswith("worse by 0.")


def test_three_seeds_are_enough_to_claim_and_two_are_not():
    far = ([90.0, 90.1, 90.2], [80.0, 80.3, 80.1], [90.1, 89.9, 90.4])
    three = single(*far)
    assert shown(three, PRED)["conclusion"].startswith("worse by ")
    assert cells_of(three)[PRED].comparison.verdict is Verdict.WORSE
    two = single(*(column[:2] for column in far), seeds=(0, 1))
    comparison = cells_of(two)[PRED].comparison
    assert (comparison.low, comparison.p, comparison.verdict) == (None, None, Verdict.OPEN)
    assert shown(two, PRED)["conclusion"] == "2 seeds: nothing claimed"


def test_failed_and_diverged_cells_are_shown_and_not_ranked():
    table = single([94.3, 93.9, 94.6], [94.0, 94.0, 94.3], [99.0, "failed", "diverged"])
    line = shown(table, SYM)
    assert line["n"] == "1 of 3 (1 diverged, 1 failed)"
    assert line["top1"] == "99.00"
    assert line["difference"] == "+4.70 on 1 common seed"
    assert line["conclusion"].startswith("1 of 3 seeds diverged; 1 seed: nothing claimed")
    assert cells_of(table)[SYM].rank is None
    assert "L̃_pred only (seed 2 diverged, seed 1 failed)" in footer(table)


def test_seeds_missing_in_one_variant_pair_over_common_seeds():
    table = single([94.0, 93.0, "running"], [94.5, 93.7, 99.0], [94.1, 93.2, 94.3])
    assert cells_of(table)[PRED].comparison.n == 2
    assert shown(table, PRED)["difference"].replace("\u00a0", " ").endswith("on 2 common seeds")
    assert cells_of(table)[BOTH].rank is None


def test_one_seed():
    table = single([94.0], [93.0], [95.0], seeds=(7,))
    assert shown(table, PRED) == {
        "top1": "93.00", "n": "1", "difference": "−1.00", "p": "—",
        "conclusion": "1 seed: nothing claimed",
    }  # fmt: skip
    assert "seed 7" in footer(table)


def test_without_any_spread_there_is_no_interval():
    table = single([94.0] * 5, [93.0] * 5, [94.0] * 5, seeds=range(5))
    assert shown(table, PRED) == {
        "top1": "93.00 ± 0.00", "n": "5", "difference": "−1.00", "p": "—",
        "conclusion": "no spread, so no interval",
    }  # fmt: skip
    assert [cells_of(table)[label].rank for label in (BOTH, PRED, SYM)] == [1, 2, 1]


BASELINE = [90.0, 90.6, 90.3, 90.1, 90.4]
ABOVE = [92.0, 92.4, 92.3, 92.1, 92.5]


@pytest.mark.parametrize("why", ["waiting", "running", "interrupted"])
def test_a_family_is_tested_once_when_all_its_seeds_have_ended(why):
    """Looks at four to ten seeds in turn would find a difference three times as often as 5 %."""
    seeds = range(5)
    partial = single(BASELINE, ABOVE, [*ABOVE[:4], why], seeds=seeds)
    for label in (PRED, SYM):
        comparison = cells_of(partial)[label].comparison
        assert (comparison.low, comparison.p, comparison.verdict) == (None, None, Verdict.OPEN)
        assert shown(partial, label)["conclusion"] == "not tested yet"
    ended = single(BASELINE, ABOVE, [*ABOVE[:4], "failed"], seeds=seeds)
    assert cells_of(ended)[PRED].comparison.verdict is Verdict.BETTER
    assert cells_of(ended)[SYM].comparison.n == 4
    open_baseline = single([*BASELINE[:4], why], ABOVE, ABOVE, seeds=seeds)
    assert cells_of(open_baseline)[PRED].comparison.verdict is Verdict.OPEN


def test_rows_that_failed_still_count_in_the_family():
    alone = single(BASELINE, BASELINE[::-1], ["failed"] * 5, seeds=range(5))
    both = single(BASELINE, BASELINE[::-1], ABOVE, seeds=range(5))
    for table in (alone, both):
        assert table.analyses[0].family("resnet20/resnet8").rows == 2


def test_a_row_with_diverged_seeds_is_never_better():
    seeds = range(5)
    table = single(BASELINE, [*ABOVE[:4], "diverged"], ABOVE, seeds=seeds)
    cells = cells_of(table)
    assert cells[PRED].comparison.verdict is Verdict.OPEN
    assert cells[SYM].comparison.verdict is Verdict.BETTER
    assert shown(table, PRED)["conclusion"].startswith("1 of 5 seeds diverged; common seeds ")
    lost = single([*BASELINE[:4], "diverged"], BASELINE, [80.0, 81, 80.2, 80.4, 80.6], seeds=seeds)
    assert cells_of(lost)[SYM].comparison.verdict is Verdict.OPEN


def test_margin():
    near = [90.05, 90.62, 90.31, 90.12, 90.38]
    above = [90.22, 90.81, 90.52, 90.31, 90.6]
    table = single(BASELINE, near, above, seeds=range(5), margin=0.5)
    assert cells_of(table)[PRED].comparison.verdict is Verdict.EQUIVALENT
    assert shown(table, PRED)["conclusion"].startswith("equivalent: at most 0.")
    assert cells_of(table)[SYM].comparison.verdict is Verdict.BETTER
    assert shown(table, SYM)["conclusion"].startswith("better, but by less than the margin")


def test_other_methods_are_a_family_of_their_own():
    [table] = report.study_tables(methods_only())
    keys = [column.key for column in table.columns]
    assert keys == ["top1", "n", "difference", "p", "conclusion"]
    assert cells_of(table)["KD"].comparison.verdict is Verdict.WORSE
    beside = cells_of(report.study_tables(two_pairs())[1])
    assert beside["KD"].comparison.family == "other methods"
    assert beside[PRED].comparison.family == "variants"
    assert beside["KD"].comparison.df == 3


def test_single_precision_noise_is_no_variance():
    noise = [94.00000001, 94.0, 93.99999999, 94.0]
    table = single([94.0] * 4, noise, noise, seeds=range(4))
    assert shown(table, PRED)["conclusion"] == "no spread, so no interval"


def test_no_results_yet_and_all_failed():
    nothing = single([], [], [])
    assert shown(nothing, PRED) == {
        "top1": "—", "n": "0 of 3 (3 waiting)", "difference": "—", "p": "—",
        "conclusion": "no seed in common",
    }  # fmt: skip
    failed = single(["failed"] * 3, ["diverged"] * 3, ["blocked"] * 3)
    assert shown(failed, BOTH)["n"] == "0 of 3 (3 failed)"
    for table in (nothing, failed):
        for name in ("terminal", "markdown", "latex", "csv", "json", "html"):
            assert "nan" not in report.render([table], name).lower()


def test_student_row_stands_on_top_and_does_not_compete():
    rows = (*SYMMETRY, variant("Student", "reference", "student"))
    columns = [[70.0, 71, 72], [70.1, 71, 72], [70.0, 71.2, 72.3], [99.0, 98, 99]]
    [table] = report.study_tables(build({"top1": one_pair(*columns, variants=rows)}, rows))
    assert table.rows[0].label == "Student"
    assert cells_of(table)["Student"].rank is None
    assert cells_of(table)[SYM].rank == 1


def student_of_two_teachers():
    """A student alone on two pairs that share its runs, and on a third that does not."""
    pairs = ("t0/s", "t1/s", "t2/other")
    rows = (*SYMMETRY, variant("Student", "reference", "student"))
    scores = {(row.label, pair): [70.0, 71.0, 72.5] for row in rows for pair in pairs}
    results = build({"top1": scores, "train_seconds": scores}, rows, pairs)
    first = {run.seed: run.job for run in results.runs if run[:2] == ("Student", "t0/s")}
    runs = [
        run._replace(job=first[run.seed]) if run[:2] == ("Student", "t1/s") else run
        for run in results.runs
    ]
    return replace(results, runs=tuple(runs))


def test_rows_of_two_pairs_that_are_the_same_runs_are_said_to_be():
    results = student_of_two_teachers()
    said = "Same runs: Student on t0/s and t1/s."
    tables = report.study_tables(results)
    kinds = {table.layout for table in tables if said in footer(table)}
    assert kinds == {"pairs", "one_part", "costs"}
    assert [said in footer(t) for t in tables if t.layout == "one_part"] == [True, True, False]
    for name in ("terminal", "markdown", "latex", "html", "json"):
        assert said in " ".join(report.render(tables[:1], name).split())
    alone = replace(
        results, runs=tuple(run._replace(status=JobStatus.WAITING) for run in results.runs)
    )
    assert not any("Same runs" in footer(t) for t in report.study_tables(alone))


def test_rows_that_two_ablations_make_are_said_to_be_the_same_runs():
    results = build({"top1": one_pair(BASELINE, ABOVE, ABOVE)}, seeds=range(5))
    jobs = {(run.variant, run.seed): run.job for run in results.runs}
    runs = tuple(
        run._replace(job=jobs[PRED, run.seed]) if run.variant == SYM else run
        for run in results.runs
    )
    [table] = report.study_tables(replace(results, runs=runs))
    assert f"Same runs: {PRED} and {SYM}." in footer(table)


def test_best_epoch_is_called_optimistic(symmetry):
    [last] = report.study_tables(symmetry)
    [best] = report.study_tables(symmetry, selection=Selection.BEST)
    assert cells_of(best)[BOTH].mean == pytest.approx(cells_of(last)[BOTH].mean + 0.5)
    assert "best epoch on the test set (optimistic)" in footer(best)
    assert "last epoch" in footer(last)


def test_a_loss_that_sums_other_terms_in_each_row_is_neither_ranked_nor_tested():
    columns = [17.9, 17.8, 17.7, 17.9], [0.31, 0.32, 0.30, 0.31], [13.4, 13.3, 13.5, 13.4]
    study = build({"loss": one_pair(*columns)}, seeds=range(4))
    [table] = report.study_tables(study)
    assert [column.key for column in table.columns] == ["loss", "n", "difference"]
    for cell in cells_of(table).values():
        assert cell.rank is None
        assert cell.comparison is None or cell.comparison.low is None
    assert "neither ranked nor tested" in footer(table)
    assert "best" not in footer(table)
    assert report.verdicts(study) == (
        "Training loss: rows may sum other terms, so nothing is tested.",
    )
    assert planned_figures(study) == []
    with pytest.raises(InputError, match="may sum other terms in each row and is not tested"):
        report.power_report(study, 1.0)


def test_the_best_epoch_is_not_that_of_teachers():
    first, *_ = report.study_tables(two_pairs(), "top1", Selection.BEST, notes=Notes.FULL)
    assert first.rows[0].label == "Teacher (last epoch)"
    assert "Teachers, top-1 at the last epoch: " in footer(first)


def full_footer(*columns, **changes):
    [table] = report.study_tables(build({"top1": one_pair(*columns)}, **changes), notes=Notes.FULL)
    return footer(table)


def test_a_note_that_begins_with_a_symbol_keeps_it():
    notes = ("λ_ctr is halved", "m_c = 1 freezes the head", "n = 5", "views are not mirrored")
    text = full_footer([94.3], [94.0], [93.9], seeds=(0,), footnotes=notes)
    for words in ("λ_ctr is", "m_c = 1 freezes", "n = 5.", "Views are not"):
        assert f" {words}" in text


COLUMNS = [94.3, 93.9, 94.6], [94.0, 94.0, 94.3], [93.9, 93.5, 94.6]


def test_the_footer_says_what_ran_in_four_lines():
    table = single(
        *COLUMNS, overrides={"lr": 0.2},
        facts={"device": ("cpu", "cuda:0"), "threads": ("1", "2"), "torch": ("2.14.0",)},
    )  # fmt: skip
    assert len(table.footer) <= 4
    for words in (
        "igits, profile quick, 30 epochs, lr = 0.2, last epoch, seeds 0-2",
        "torch 2.14.0, code c0dec0d",
        "simultaneous 95 % intervals over 2 rows", "given this teacher",
        "Pairing: r = ", "Compared with each other: devices cpu and cuda, 1 and 2 threads.",
    ):  # fmt: skip
        assert words in footer(table)
    for words in ("Holm", "MDE", "descriptive", "whatever", "told from zero"):
        assert words not in footer(table)


def test_full_notes_say_everything():
    text = full_footer(*COLUMNS, footnotes=("views are not mirrored on this data set",))
    for words in (
        "Profile quick: quick check on a small data set; not the published setting.",
        "Teachers, top-1: resnet20 71.00 %.", "Satterthwaite", "Bonferroni",
        "Views are not mirrored on this data set.", "degrees of freedom, 2 rows, level 0.05",
    ):  # fmt: skip
        assert words in text
    assert "Deterministic" not in text
    assert "Profile" not in full_footer([94.0], [93.0], [95.0], profile_title="")
    loose = single([94.0], [93.0], [95.0], baseline={"epochs": 1, "deterministic": False})
    assert "Deterministic algorithms were off" in footer(loose)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (([90.4, 90.1, 90.3, 90.6, 90.0], ABOVE[::-1]), "{:.1f} times wider than"),
        (([90.3, 90.7, 90.1, 90.4, 90.6], [90.6, 90.4, 90.3, 90.5, 90.7]), "about as wide as"),
        ((ABOVE, [90.2, 90.7, 90.3, 90.1, 90.6]), "{:.1f} times narrower than"),
    ],
)
def test_pairing_is_a_factor_and_no_second_half_width(rows, words):
    text = footer(single(BASELINE, *rows, seeds=range(5)))
    covariance = sum(np.cov(BASELINE, row)[0, 1] for row in rows)
    spreads = 2 * np.var(BASELINE, ddof=1), sum(np.var(row, ddof=1) for row in rows)
    r = covariance / np.sqrt(spreads[0] * spreads[1])
    # Over 5 seeds, two rows and the baseline, whose 4 degrees of freedom count once.
    unpaired = np.sqrt(sum(spreads) / 2) * scipy.stats.t.ppf(1 - 0.05 / 2 / 2, df=12)
    pooled = np.mean([np.var(np.subtract(row, BASELINE), ddof=1) for row in rows])
    paired = np.sqrt(pooled) * scipy.stats.t.ppf(1 - 0.05 / 2 / 2, df=6.4)
    factor = max(paired / unpaired, unpaired / paired)
    said = f"Pairing: r = {r:.2f}, {words.format(factor)} unpaired.".replace("-", "−")
    assert said in text, (said, text)


def test_earlier_looks_are_in_the_footer():
    results = build({"top1": one_pair(BASELINE, ABOVE, ABOVE[::-1])}, seeds=range(5))
    looks = tuple(
        Look("resnet20/resnet8", ("top1",), f"label:{BOTH}", {f"label:{PRED}": tuple(range(n))})
        for n in (3, 4)
    )
    [table] = report.study_tables(replace(results, looks=looks))
    assert "Tested before with 3 and 4 seeds" in footer(table)
    assert "up to 15 %, not 5 %" in footer(table)
    document = json.loads(report.render([table], "json"))
    assert document["analyses"][0]["looks"] == [3, 4]
    [table] = report.study_tables(results)
    assert "Tested before" not in footer(table)


def test_a_stopping_rule_is_tested_once_it_has_ended():
    noisy = [90.0, 93.1, 88.4, 91.2, 90.2], [91.5, 90.2, 92.8, 89.9, 91.0], BASELINE
    going = single(*noisy, seeds=range(5), seed_rule=SeedRule(5, 20, 0.2))
    assert cells_of(going)[PRED].comparison.low is None
    ended = single(*noisy, seeds=range(5), seed_rule=SeedRule(5, 5, 0.2))
    assert cells_of(ended)[PRED].comparison.low is not None
    assert ended.analyses[0].family("resnet20/resnet8").level == 0.04
    assert "from 5 to at most 5 until every interval is within ±0.2" in footer(ended)


def test_contrasts_averages_and_grid_effects_have_a_table():
    columns = dict(zip((BOTH, PRED, SYM), (BASELINE, ABOVE, ABOVE[::-1]), strict=True))
    results = build(
        {"top1": {(row, pair): columns[row] for pair in PAIRS for row in columns}},
        pairs=PAIRS, seeds=range(5),
        contrasts=(Contrast("one direction against both", (PRED, SYM), (BOTH,), PAIRS[:1]),),
        pair_groups=(PairGroup("both families", PAIRS),),
    )  # fmt: skip
    *_, table = report.study_tables(results)
    assert table.layout == "contrasts"
    average = "average over both families"
    assert [row.group for row in table.rows] == ["contrasts", average, average]
    line = shown(table, "one direction against both")
    assert line["conclusion"].startswith("better by ")
    assert line["n"] == "5"
    assert shown(table, PRED)["n"] == "10"
    document = json.loads(report.render([table], "json"))
    assert [effect["family"] for effect in document["effects"]] == [r.group for r in table.rows]
    *_, grid_effects = report.study_tables(momentum_grid())
    assert [row.label for row in grid_effects.rows][:1] == ["m_c = 0 against m_c = 0.999, averaged"]
    assert "below" in shown(grid_effects, "m_c = 0 × m_r = 0, interaction")["conclusion"]
    for one in (table, grid_effects):
        assert "an average may have a wider interval than the rows that it averages" in footer(one)


def test_every_renderer_calls_an_adjusted_p_adjusted():
    for study in (two_pairs(), momentum_grid()):
        tables = [t for t in report.study_tables(study) if "p" in [c.key for c in t.columns]]
        assert {table.layout for table in tables} >= {"one_part"}
        for name, head in {
            "terminal": "  adj. p",
            "markdown": "| adj. p |",
            "latex": " & adj.~p ",
            "html": '<th scope="col">adj. p</th>',
        }.items():
            text = report.render(tables, name).replace("\u00a0", " ")
            assert text.count(head) == len(tables), (name, text)


def test_seeds_needed():
    table = report.power_report(two_pairs(), 0.3)
    line = shown(table, PRED)
    assert (line["n"], line["spread"]) == ("4", "0.20")
    about, low, high = (int(line[name]) for name in ("seeds", "seeds_low", "seeds_high"))
    assert low <= about <= high
    assert [row.group for row in table.rows] == [PAIRS[0]] * 2 + [PAIRS[1]] * 2
    assert line["half_width"] != "—"
    with pytest.raises(InputError):
        report.power_report(two_pairs(), 0.0)


def test_seeds_needed_in_formats_for_machines():
    table = report.power_report(two_pairs(), 0.0001)
    assert "within ±0.0001 points" in table.title
    [found] = json.loads(report.render([table], "json"))["tables"]
    first = found["records"][0]
    assert (first["metric"], first["wanted_half_width"]) == ("top1", 0.0001)
    assert (first["row"], first["group"], first["n"]) == (PRED, PAIRS[0], 4)
    assert first["notes"] == dict.fromkeys(("seeds", "seeds_low", "seeds_high"), "over 10,000")
    assert "seeds=over 10,000" in report.render([table], "csv")


@given(st.data())
def test_no_mark_appears_with_more_seeds_without_the_trace(data):
    few, many = 4, 7
    value = st.integers(0, 12).map(lambda tenth: 90 + tenth / 10)
    columns = [data.draw(st.lists(value, min_size=many, max_size=many)) for _ in range(3)]
    early = build({"top1": one_pair(*(column[:few] for column in columns))}, seeds=range(few))
    late = build({"top1": one_pair(*columns)}, seeds=range(many))
    late = replace(late, looks=tuple(looks_of(early)))
    (first,), (second,) = report.study_tables(early), report.study_tables(late)
    appeared = {
        label
        for label in (PRED, SYM)
        if cells_of(first)[label].comparison.verdict not in DIFFERENT
        and cells_of(second)[label].comparison.verdict in DIFFERENT
    }
    assert not appeared or "Tested before with 4 seeds" in footer(second)


outcome = st.one_of(st.integers(0, 30).map(lambda tenth: 90 + tenth / 10), st.just("diverged"))


@given(st.lists(st.lists(outcome, min_size=5, max_size=5), min_size=3, max_size=3))
def test_no_row_with_a_diverged_seed_is_better(columns):
    cells = cells_of(single(*columns, seeds=range(5)))
    for label in (PRED, SYM):
        verdict = cells[label].comparison.verdict
        assert not (cells[label].diverged and verdict in (Verdict.BETTER, Verdict.EQUIVALENT))
        assert not (cells[BOTH].diverged and verdict in (Verdict.WORSE, Verdict.EQUIVALENT))


def test_a_command_that_goes_on_names_profile_and_overrides():
    overrides = {"lr": 0.5, "views.augmentation": "crop flip", "val": True}
    plan = replace(two_pairs().plan, profile="fashion", overrides=overrides)
    again = more_seeds(plan, 10)
    command, *words = shlex.split(str(again))[1:]
    assert (command, words[:3]) == ("run", [plan.name, "--profile", "fashion"])
    sets = [value for option, value in pairwise(words) if option == "--set"]
    assert parse_overrides(sets) == overrides
    assert words[-2:] == ["--seeds", "0-9"]
    assert "--profile" not in str(run_again(replace(plan, profile="", overrides={})))


def test_a_command_in_markdown_is_code_and_other_backquotes_are_not():
    [table, *_] = report.study_tables(two_pairs())
    sentence = "2 jobs of `x` still to come: `ablate run x_y --seeds 0-9` goes on."
    text = report.render([replace(table, headline=("Found.", sentence))], "markdown")
    assert r"of \`x\` still to come: `ablate run x_y --seeds 0-9` goes on." in text


@pytest.mark.parametrize(("margin", "words"), [(0.5, "shows a row"), (0.001, "no row is shown")])
def test_the_margin_is_no_conclusion(margin, words):
    near = [90.05, 90.62, 90.31, 90.12, 90.38]
    text = full_footer(BASELINE, near, near, seeds=range(5), margin=margin)
    assert f"±{margin:g}" in text
    assert words in text
