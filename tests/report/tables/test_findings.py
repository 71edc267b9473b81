"""Sentences claim what the printed interval says, with numbers; the headline says what to do."""

from __future__ import annotations

import re

import pytest

from ablate import report
from tests.report.report_studies import methods_only, momentum_grid, two_pairs
from tests.report.results_builder import BOTH, PRED, SYM, SYMMETRY, build, one_pair, variant

SEEDS = range(4)
FLAT, UP, NOISY = [94.0, 94.1, 94.2, 94.0], [95.0, 95.1, 95.3, 95.0], [94.1, 93.9, 94.3, 94.0]


def sentences(*columns, **changes):
    metric = changes.pop("metric", "top1")
    rows = SYMMETRY[: len(columns)]
    scores = one_pair(*columns, variants=rows)
    return report.verdicts(build({metric: scores}, rows, **changes))


def test_a_difference():
    found = sentences(FLAT, UP, NOISY, seeds=SEEDS)
    assert any(f"With 4 seeds {PRED} is 1.02 points above the baseline (95 % CI 0.85 to 1.20)." in s
               for s in found)  # fmt: skip
    assert found[0].startswith(f"1 of 2 rows differs from {BOTH}: {PRED} is better by 1.02 points")


def test_no_difference_ends_in_bounds():
    last = sentences(FLAT, UP, NOISY, seeds=SEEDS)[-1]
    assert last.startswith(
        f"With 4 seeds {SYM} does not differ detectably from the baseline: between −0.2"
    )
    assert last.endswith("worse.")


def test_lower_may_be_better():
    loss = [0.2, 0.21, 0.19], [0.32, 0.331, 0.312], [0.2, 0.212, 0.189]
    found = sentences(*loss, metric="test_loss")
    above = [one for one in found if "above the baseline in Test cross-entropy" in one]
    assert any("which is worse" in one for one in above)
    assert not any("points" in one for one in found)


def test_equivalent_and_better_within_the_margin():
    near, above = [94.01, 94.11, 94.19, 94.02], [94.2, 94.3, 94.41, 94.2]
    found = sentences(FLAT, near, above, seeds=SEEDS, margin=0.5)
    assert any("is equivalent to the baseline within 0.5 points: between −0." in s for s in found)
    assert any(s.endswith(": better, but by less than 0.5 points.") for s in found)


def test_diverged_seeds_come_first_and_nothing_better_is_claimed():
    found = sentences(FLAT, [*UP[:3], "diverged"], NOISY, seeds=SEEDS)
    [pred] = [one for one in found[1:] if one.startswith("1 of 4 seeds of L_pred only diverged")]
    assert "with 3 seeds L_pred only is" in pred
    assert "no claim is made" in pred
    assert found[0].startswith("1 of 4 seeds of L_pred only diverged; ")


@pytest.mark.parametrize("why", ["waiting", "running"])
def test_what_is_still_to_come_is_not_tested(why):
    found = sentences(FLAT, [*UP[:3], why], NOISY, seeds=SEEDS)
    assert found[0] == "None of 2 rows has been tested yet: some of the seeds have not ended."
    assert found[1] == "1 job is still to come: `ablate run symmetry --profile quick` continues."
    assert found[2].startswith("So far, with 3 seeds of 4, L_pred only is 1.03 points above")


def test_failed_jobs_name_the_way_on():
    found = sentences(FLAT, [*UP[:3], "failed"], NOISY, seeds=SEEDS)
    assert found[1].startswith("1 job failed: `ablate status symmetry`")


def test_few_seeds_constant_rows_and_empty_ones():
    found = sentences([94.0], [93.0], [95.0], seeds=(0,))
    assert found[0].startswith("Nothing is claimed of 2 rows: a test needs 3 seeds")
    assert "fewer than 3 seeds claim nothing" in found[-1]
    found = sentences([94.0] * 3, [93.0] * 3, [94.5] * 3)
    assert "their differences do not vary over seeds" in found[0]
    found = sentences(FLAT, ["failed"] * 4, ["failed"] * 4, seeds=SEEDS)
    assert found[0] == "None of 2 rows has a seed in common with the baseline."
    assert "(L_pred only: 4 failed)" in found[2]


def test_an_open_study_names_the_seeds_that_would_narrow_it():
    wide = [94.0, 93.2, 94.9], [93.1, 94.2, 94.0], [94.6, 93.0, 95.2]
    found = sentences(*wide)
    assert found[0].startswith(f"No row differs detectably from {BOTH}; with 3 seeds the widest")
    assert found[1].startswith("For intervals within ±0.5 points: about ")
    assert "since the spread is uncertain" in found[1]
    assert sentences(*wide, margin=1.0)[1] != found[1]


def test_a_grid_is_one_sentence():
    assert report.verdicts(momentum_grid()) == (
        "5 of 5 combinations differ from m_c = 0.999, m_r = 0.9: 5 worse by 0.46 to 1.96 points.",
    )


def test_other_methods_alone_are_what_the_study_is_about():
    assert report.verdicts(methods_only())[0].startswith(
        "1 of 2 rows differs from CoCoRD: KD is worse by 1.15 points"
    )


def test_one_comparison_is_its_own_headline():
    [found] = sentences(FLAT, UP, seeds=SEEDS)
    assert found.startswith(f"With 4 seeds {PRED} is 1.02 points above the baseline (95 % CI 0.9")


def test_pairs_are_named_where_there_are_several():
    found = report.verdicts(two_pairs())
    assert "1 of 4 comparisons differs" in found[0]
    assert any(" on resnet110/resnet32 is 1.30 points below the baseline" in one for one in found)


def test_a_row_names_the_pairs_where_it_differs():
    pairs = ("a/b", "c/d", "e/f")
    level = {"a/b": 90.0, "c/d": 80.0, "e/f": 70.0}
    scores = {}
    for pair in pairs:
        base = [level[pair] + 0.1 * i for i in range(4)]
        scores[BOTH, pair] = base
        gain = {"a/b": 1.0, "c/d": 1.5, "e/f": 1.2}[pair]
        scores[PRED, pair] = [x + gain + 0.02 * (i % 2) for i, x in enumerate(base)]
        gain = {"a/b": 2.0, "c/d": 2.5, "e/f": 0.0}[pair]
        scores[SYM, pair] = [x + gain + 0.02 * (i % 2) for i, x in enumerate(base)]
    head = report.verdicts(build({"top1": scores}, SYMMETRY, pairs, range(4)))[0]
    assert head.startswith("5 of 6 comparisons differ")
    assert f"{PRED} is better on all 3 pairs by 1.01 to 1.51 points" in head
    assert f"{SYM} is better on a/b and c/d by 2.01 and 2.51 points" in head


def test_a_label_with_the_signs_of_a_sentence_is_quoted():
    label = "encoder: teacher, critic: student"
    rows = (variant("encoder: both", "baseline"), variant(label, momentum__teacher_head=1.0))
    scores = one_pair(FLAT, UP, variants=rows)
    head = report.verdicts(build({"top1": scores}, rows, seeds=SEEDS))[0]
    assert f"With 4 seeds “{label}” is 1.02 points above" in head
    assert "“" not in sentences(FLAT, UP, seeds=SEEDS)[0]


def of_pairs(columns, pairs=("a/b", "c/d", "e/f"), **changes):
    """The headline of a study whose rows have these seeds, row by row and pair by pair."""
    scores = {
        (row.label, pair): column
        for row, own in zip(SYMMETRY, columns, strict=False)
        for pair, column in zip(pairs, own, strict=True)
    }
    rows = SYMMETRY[: len(columns)]
    return report.verdicts(build({"top1": scores}, rows, pairs, SEEDS, **changes))[0]


def test_where_nothing_differs_the_pairs_are_counted_and_the_widest_interval_has_its_pair():
    wide = [94.3, 93.7, 94.9, 93.6]
    head = of_pairs([[FLAT] * 3, [NOISY, wide, NOISY]])
    assert head.startswith(f"No comparison differs detectably from {BOTH} on any of 3 pairs; ")
    assert re.search(r"the widest interval of a row is ±\d\.\d\d points on c/d", head)


def test_only_tested_pairs_are_spoken_of():
    failed = ["failed"] * 4
    head = of_pairs([[FLAT] * 3, [NOISY, failed, NOISY]])
    assert f"differs detectably from {BOTH} on any of 2 tested pairs" in head
    assert "1 not tested on c/d" in head
    head = of_pairs([[FLAT] * 3, [NOISY, failed, failed]])
    assert f"differs detectably from {BOTH} on a/b" in head
    assert "2 not tested on c/d and e/f" in head


def test_equivalent_rows_name_their_pairs():
    near = [94.01, 94.11, 94.19, 94.02]
    head = of_pairs([[FLAT] * 3, [near, near, UP]], margin=0.5)
    assert "2 equivalent within 0.5 points on a/b and c/d" in head
    assert f"{PRED} is better on e/f by 1.02 points" in head


def test_many_rows_that_differ_are_counted_with_their_pairs():
    labels = [variant("base", "baseline")]
    labels += [variant(f"row {i}", momentum__teacher_head=float(i)) for i in range(5)]
    scores = {("base", pair): FLAT for pair in ("a/b", "c/d", "e/f")}
    for pair, shift in (("a/b", 1.0), ("c/d", 2.0), ("e/f", 0.0)):
        for i, row in enumerate(labels[1:]):
            own = [x + shift + 0.01 * (i + 1) * (-1) ** j for j, x in enumerate(FLAT)]
            scores[row.label, pair] = own
    head = report.verdicts(build({"top1": scores}, labels, ("a/b", "c/d", "e/f"), SEEDS))[0]
    assert "10 better on a/b and c/d by 1.00 to 2.00 points" in head


def test_what_is_not_tested_yet_says_on_which_pairs():
    waiting = [94.0, "waiting", "waiting", "waiting"]
    head = of_pairs([[FLAT] * 3, [waiting] * 3])
    assert head.startswith("None of 3 comparisons on all 3 pairs has been tested yet: ")


def test_words_that_nobody_should_have_to_decipher_are_gone():
    text = " ".join(report.verdicts(two_pairs()))
    for words in ("told from zero", "only describe", "whatever", "Holm"):
        assert words not in text


def test_a_single_claim_among_many_has_one_size():
    rows = ["better"] * 5 + ["worse"]
    shift = {"better": 2.0, "worse": -2.0}
    columns = [FLAT, *([[x + shift[r] + 0.01 * i for i, x in enumerate(FLAT)] for r in rows])]
    labels = [
        variant("base", "baseline"),
        *(variant(f"row {i}", momentum__teacher_head=float(i)) for i in range(len(rows))),
    ]
    scores = one_pair(*columns, variants=labels)
    head = report.verdicts(build({"top1": scores}, labels, seeds=SEEDS))[0]
    assert "5 better by" in head and "1 worse by 1.9" in head
    assert " to " not in head.partition("1 worse")[2].partition("points")[0]
