"""Sentences claim what the table marks, and nothing more."""

from __future__ import annotations

import pytest
from report_studies import methods_only, two_pairs
from results_builder import BOTH, PRED, build, one_pair

from ablate import report


def sentences(*columns, **changes):
    metric = changes.pop("metric", "top1")
    return report.verdicts(build({metric: one_pair(*columns)}, **changes))


def test_cannot_be_told_from_zero():
    study, pred, _ = sentences([94.31, 93.92, 94.65], [94.02, 93.99, 94.33], [94.0, 93.5, 94.6])
    assert pred == (
        "With 3 seeds the difference of L_pred only to L_pred + L̃_pred, −0.18 points "
        "[−0.72, +0.36], cannot be told from zero."
    )
    assert "none can be told from zero: all have fewer than 4 seeds" in study


def test_few_seeds_claim_nothing():
    _, pred, _ = sentences([94.0, 94.1, 94.2], [90.0, 90.2, 90.1], [94.0, 94.0, 94.0])
    assert "lies on one side of zero, but fewer than 4 seeds are too few to claim it" in pred


def test_told_apart():
    study, pred, sym = sentences(
        [94.0, 94.1, 94.2, 94.0], [90.0, 90.2, 90.1, 90.1], [94.0, 94.2, 94.1, 94.05],
        seeds=range(4),
    )  # fmt: skip
    assert pred.startswith("With 4 seeds L_pred only is 3.98 points lower than L_pred + L̃_pred")
    assert "which is worse (p <0.001, Holm-adjusted over 2 comparisons)" in pred
    assert sym.endswith("cannot be told from zero.")
    assert study == (
        f"Of 2 comparisons with {BOTH}, 1 can be told from zero: {PRED} (worse by 3.98 points); "
        "1 cannot."
    )


def test_adjustment_is_named_where_it_decides():
    _, pred, _ = sentences(
        [94.0, 94.0, 94.0, 94.0], [93.5, 93.9, 93.7, 93.6], [94.0, 94.2, 93.9, 94.05],
        seeds=range(4),
    )  # fmt: skip
    assert pred.endswith(
        "cannot be told from zero once adjusted for the 2 comparisons of the study, p = 0.064."
    )


def test_undefined_incomplete_and_nothing():
    _, undefined, _ = sentences([94.0] * 3, [93.0] * 3, [94.0, 94.5, 93])
    assert (
        "is −1.00 points in every one of them; without any spread a test is undefined" in undefined
    )
    study, so_far, nothing = sentences([94.0, 93.0, 92.0], [93.5, 93.1], ["failed"] * 3)
    assert so_far.startswith("So far, with 2 of 3 seeds (1 waiting), the difference of L_pred only")
    assert so_far.endswith("is not tested before all its seeds have ended.")
    assert "no seed has both results (L̃_pred only: 3 failed)" in nothing
    assert study.startswith("So far, of 2 comparisons")
    _, one, _ = sentences([94.0], [93.0], [95.0], seeds=(0,))
    assert one == (
        "With one seed the difference of L_pred only to L_pred + L̃_pred, −1.00 points, has no "
        "interval: one seed says nothing about chance."
    )


SEEDS = range(4)
FLAT, UP, NOISY = [94.0, 94.1, 94.2, 94.0], [95.0, 95.1, 95.3, 95.0], [94.1, 93.9, 94.3, 94.0]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([FLAT, NOISY, NOISY[::-1]], "Of 2 comparisons with {}, none can be told from zero."),
        ([FLAT, ["failed"] * 4, ["diverged"] * 4], "Of 2 comparisons with {}, none has a result."),
        ([FLAT, [], []], "So far, of 2 comparisons with {}, none has a result."),
        (
            [FLAT, UP[:3], UP[1:2] + UP[:2]],
            "So far, of 2 comparisons with {}, none is tested yet: all have seeds to come.",
        ),
        (
            [[94.0] * 4, [93.0] * 4, [95.0] * 4],
            "Of 2 comparisons with {}, none can be tested: no difference varies over seeds.",
        ),
        (
            [[*FLAT[:3], "failed"], [*UP[:3], "failed"], ["failed"] * 4],
            "Of 2 comparisons with {}, none can be told from zero; 1 has fewer than 4 seeds and "
            "only describes; 1 has no result.",
        ),
        (
            [FLAT, [*UP[:3], "running"], UP],
            "So far, of 2 comparisons with {}, 1 can be told from zero: L̃_pred only (better by "
            "1.02 points); 1 has seeds to come and no test yet.",
        ),
    ],
)
def test_the_study_in_a_sentence_says_how_far_each_comparison_got(columns, said):
    assert sentences(*columns, seeds=SEEDS)[0] == said.format(BOTH)


def test_a_seed_that_diverged_is_not_one_to_come():
    columns = [72, 72.4, 71.9, 72.2, 72.1], [72.5, 72.8, 72.6, 72.7, "diverged"], [72.0] * 5
    study, pred, _ = sentences(*columns, seeds=range(5))
    assert pred.startswith("With 4 of 5 seeds (1 diverged), L_pred only is 0.52 points higher")
    assert "unadjusted, which is better (p = " in pred
    assert study.startswith("Of 2 comparisons")


def test_a_study_without_variants_says_so():
    assert report.verdicts(methods_only()) == (
        "The study compares 2 methods with CoCoRD, untested: KD, CRD.",
    )


def test_seeds_that_only_the_baseline_lacks_leave_the_study_open():
    study, *_ = sentences([94.0, 93.0, "running"], [93.5, 93.1, 93.3], [94.1, 93.2, 93.9])
    assert study.startswith("So far, of 2 comparisons")


def test_pair_and_metric_are_named_where_it_matters():
    assert " on resnet110/resnet32" in report.verdicts(two_pairs())[1]
    _, loss, _ = sentences([0.2, 0.21, 0.19], [0.22, 0.25, 0.21], [0.18, 0.17, 0.19],
                           metric="test_loss")  # fmt: skip
    assert "difference in Test cross-entropy of L_pred only" in loss
    assert "points" not in loss
