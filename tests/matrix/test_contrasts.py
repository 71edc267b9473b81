"""Contrasts, groups of pairs, margins and rules for seeds on their way from a study to its plan."""

from __future__ import annotations

import pytest

from ablate.matrix.plan import Contrast, PairGroup
from ablate.study.seeds import SeedRule
from tests.matrix.study_lab import HEAD, TAU, Lab

PAIRS = '"resnet14/resnet8", "resnet8x4/resnet8", "vgg13/vgg8"'
THREE = HEAD.replace('"resnet14/resnet8"', PAIRS)
GRID = (
    "[[grid]]\nparts.encoder.contrastive = ['teacher', 'student']\n"
    "parts.encoder.cognate = ['teacher', 'slow_student']\n"
)


def contrast(rows: str, against: str, more: str = "") -> str:
    return f"[[contrast]]\nname = 'C'\nrows = {rows}\nagainst = {against}\n{more}"


def test_a_contrast_is_between_two_rows(lab: Lab) -> None:
    plan = lab.expand(HEAD + TAU + contrast("'τ = 0.2'", "'τ = 0.5'")).plan
    assert plan.contrasts == (Contrast("C", ("τ = 0.2",), ("τ = 0.5",), ("resnet14/resnet8",)),)


def test_the_baseline_goes_by_that_name_and_by_its_label(lab: Lab) -> None:
    by_name, by_label = (
        lab.expand(HEAD + TAU + contrast("'τ = 0.2'", against)).plan.contrasts
        for against in ("'baseline'", "'τ = 0.1'")
    )
    assert by_name == by_label
    assert by_name[0].against == ("τ = 0.1",)


def test_settings_name_every_row_that_has_them(lab: Lab) -> None:
    """The main effect of one factor of a grid."""
    sides = "{ encoder.contrastive = 'student' }", "{ encoder.contrastive = 'teacher' }"
    plan = lab.expand(HEAD + GRID + contrast(*sides)).plan
    (found,) = plan.contrasts
    assert len(found.rows) == len(found.against) == 2
    assert {*found.rows, *found.against} == {row.label for row in plan.variants}


def test_several_tables_name_an_interaction(lab: Lab) -> None:
    same = "{ encoder.contrastive = 'teacher', encoder.cognate = 'teacher' }"
    both = "{ encoder.contrastive = 'student', encoder.cognate = 'slow_student' }"
    (found,) = lab.expand(HEAD + GRID + contrast(f"[{same}, {both}]", "'baseline'")).plan.contrasts
    assert len(found.rows) == 2


@pytest.mark.parametrize(
    ("text", "key", "named"),
    [
        (contrast("'τ = 0.3'", "'baseline'"), "contrast[0].rows", "did you mean"),
        (contrast("{ temprature = 0.2 }", "'baseline'"), "contrast[0].rows.temprature",
         "temperature"),
        (contrast("{ temperature = 0.3 }", "'baseline'"), "contrast[0].rows", "values"),
        (contrast("'baseline'", "'baseline'"), "contrast[0]", "both sides"),
        (contrast("'baseline'", "'τ = 0.2'", "pairs = ['x/y']"), "contrast[0].pairs[0]", "x/y"),
        (contrast("[]", "'τ = 0.2'"), "contrast[0].rows", "is empty"),
        (contrast("3", "'τ = 0.2'"), "contrast[0].rows", "labels"),
        ("[[contrast]]\nname = ''\nrows = 'baseline'\nagainst = 'τ = 0.2'\n",
         "contrast[0].name", "is empty"),
        ("[[contrast]]\nname = 'C'\nrows = 'baseline'\n", "contrast[0].against", "is missing"),
        (2 * contrast("'baseline'", "'τ = 0.2'"), "contrast[1].name", "contrast[0]"),
        ("[[pair_group]]\nname = 'G'\npairs = ['resnet14/resnet8']\n", "pair_group[0].pairs",
         "two"),
        ("[[pair_group]]\nname = 'G'\npairs = ['a/b', 'resnet14/resnet8']\n",
         "pair_group[0].pairs[0]", "a/b"),
    ],
)  # fmt: skip
def test_what_names_no_row_or_pair_is_refused(lab: Lab, text: str, key: str, named: str) -> None:
    found = lab.problem(HEAD + TAU + text)
    assert found[0] == key
    assert named in " ".join(found)


def test_a_contrast_of_another_profile_s_rows_is_left_out_and_named(lab: Lab) -> None:
    paper = TAU.replace("replacement", "profiles = ['paper']\nreplacement").replace("0.2", "0.3")
    for rows in ("'τ = 0.3'", "{ temperature = 0.3 }"):
        text = HEAD + TAU + paper + contrast(rows, "'baseline'")
        quick = lab.expand(text.replace("0.3, 0.5", "0.3")).plan
        assert quick.contrasts == ()
        assert any("contrast C" in note for note in quick.footnotes)
        assert lab.expand(text.replace("0.3, 0.5", "0.3"), "paper").plan.contrasts


def test_pairs_are_grouped_for_one_statement(lab: Lab) -> None:
    group = "[[pair_group]]\nname = 'other family'\npairs = ['vgg13/vgg8', 'resnet8x4/resnet8']\n"
    everything = "[[pair_group]]\nname = 'all'\n"
    plan = lab.expand(THREE + TAU + group + everything).plan
    assert plan.pair_groups == (
        PairGroup("other family", ("vgg13/vgg8", "resnet8x4/resnet8")),
        PairGroup("all", plan.pairs),
    )
    quick = "[profiles.quick]\npairs = ['vgg13/vgg8']\n"
    plan = lab.expand(THREE + TAU + group + quick).plan
    assert plan.pair_groups == ()
    assert any("other family" in note for note in plan.footnotes)


def test_a_margin_and_a_rule_for_seeds_reach_the_plan(lab: Lab) -> None:
    rule = "margin = 0.5\nseeds = { first = 4, most = 9, half_width = 0.5 }\n"
    plan = lab.expand(HEAD + rule + TAU).plan
    assert plan.margin == 0.5
    assert plan.seed_rule == SeedRule(4, 9, 0.5)
    assert plan.seeds == (0, 1, 2, 3)
    grown = lab.expand(HEAD + rule + TAU, seeds=range(9)).plan
    assert grown.seed_rule is None, "who names seeds decides how many there are"
    assert grown.key == plan.key


def test_seeds_may_be_a_range(lab: Lab) -> None:
    assert lab.expand(HEAD + "seeds = '2-4'\n" + TAU).plan.seeds == (2, 3, 4)


@pytest.mark.parametrize("margin", ["0", "-1", "'small'", "inf"])
def test_a_margin_is_a_number_above_zero(lab: Lab, margin: str) -> None:
    assert lab.problem(HEAD + f"margin = {margin}\n" + TAU)[0] == "margin"
