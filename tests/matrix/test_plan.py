"""Plans survive their JSON, and a study's key says which settings it is under."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.matrix.expand import expand
from ablate.matrix.plan import Contrast, PairGroup, PlannedJob, Role, StudyPlan, Variant
from ablate.methods.metrics import Better, Metric
from ablate.study.parse import read_study
from ablate.study.seeds import SeedRule
from tests.matrix.study_lab import HEAD, STUDIES, TAU, Lab

TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
VALUE = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.dictionaries(TEXT, VALUE, max_size=3)
METRICS = st.builds(
    Metric, TEXT, TEXT, TEXT, st.none() | st.sampled_from(Better), st.integers(0, 4),
    st.booleans(), st.lists(TEXT, max_size=2).map(tuple),
)  # fmt: skip
PLANS = st.builds(
    StudyPlan,
    name=TEXT, title=TEXT, question=TEXT, answers=TEXT, profile=TEXT, data=TEXT,
    metrics=st.lists(METRICS, max_size=2).map(tuple),
    pairs=st.lists(TEXT, max_size=2).map(tuple),
    seeds=st.lists(st.integers(0), max_size=3).map(tuple),
    baseline=VALUES,
    overrides=VALUES,
    variants=st.lists(
        st.builds(Variant, TEXT, st.sampled_from(Role), TEXT, VALUES, TEXT), max_size=3
    ).map(tuple),
    jobs=st.lists(
        st.builds(
            PlannedJob, TEXT, TEXT, st.none() | TEXT, TEXT, st.integers(0),
            st.lists(TEXT, max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    part_labels=st.dictionaries(TEXT, TEXT, max_size=2),
    rows=st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
    footnotes=st.lists(TEXT, max_size=2).map(tuple),
    code=TEXT,
    conditions=TEXT,
    profile_title=TEXT,
    modules=st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
    margin=st.none() | st.floats(0.1, 9),
    seed_rule=st.none() | st.builds(SeedRule, st.integers(3), st.integers(4), st.floats(0.1, 9)),
    contrasts=st.lists(st.builds(Contrast, TEXT, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    pair_groups=st.lists(st.builds(PairGroup, TEXT, TEXTS), max_size=2).map(tuple),
)  # fmt: skip


@given(PLANS)
def test_a_plan_survives_its_json(plan: StudyPlan) -> None:
    read = StudyPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert read == plan
    assert repr(read) == repr(plan), "types too: 1 and 1.0 and true are three values"
    assert read.key == plan.key


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_plans_survive_their_json(lab: Lab, path) -> None:
    plan = expand(read_study(path), lab.settings, "paper").plan
    assert StudyPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_document_from_before_jobs_named_what_they_wait_for_is_read(lab: Lab) -> None:
    document = lab.expand(HEAD + TAU).plan.to_json()
    document["jobs"] = [
        {k: v for k, v in job.items() if k != "upstream"} for job in document["jobs"]
    ]
    del document["conditions"], document["rows"]
    assert {job.upstream for job in StudyPlan.from_json(document).jobs} == {()}


def test_seeds_and_rows_may_grow_under_one_key(lab: Lab) -> None:
    plan = lab.expand(HEAD + TAU).plan
    assert lab.expand(HEAD + TAU, seeds=[5]).plan.key == plan.key
    assert lab.expand(HEAD + TAU.replace("0.5", "0.5, 0.7")).plan.key == plan.key
    assert plan.key.startswith("study-quick-")


def test_studies_of_one_name_and_other_titles_have_keys_of_their_own(lab: Lab) -> None:
    """Files in two folders may have the same name; neither's results may hide the other's."""
    here, there = (lab.expand(HEAD.replace('"T"', title) + TAU).plan for title in ('"A"', '"B"'))
    assert here.name == there.name
    assert here.key != there.key
    assert [job.id for job in here.jobs] == [job.id for job in there.jobs]


def test_whatever_all_jobs_share_is_in_the_key(lab: Lab) -> None:
    plan = lab.expand(HEAD + TAU).plan
    keys = [
        plan.key,
        lab.expand(HEAD + TAU, "paper").plan.key,
        lab.expand(HEAD + TAU, overrides={"epochs": 2}).plan.key,
        lab.expand(HEAD + TAU, overrides={"data": "mnist"}).plan.key,
        lab.expand(HEAD + TAU + "[baseline]\nloss.pred = 2\n").plan.key,
        replace(plan, name="other").key,
        replace(plan, code="other").key,
    ]
    lab.use('[profiles.quick]\ndata = "digits"\n')
    keys.append(lab.expand(HEAD + TAU).plan.key)
    lab.use('[profiles.quick]\ndata = "mnist"\n')
    keys.append(lab.expand(HEAD + TAU).plan.key)
    lab.use('[profiles.quick]\ndata = "digits"\nsettings.teacher.epochs = 2\n')
    keys.append(lab.expand(HEAD + TAU).plan.key)
    assert len(set(keys)) == len(keys)


def test_a_profile_s_title_is_carried_and_names_nothing(lab: Lab) -> None:
    plan = lab.expand(HEAD + TAU).plan
    assert plan.profile_title == "quick check on a small data set; not the published setting"
    assert replace(plan, profile_title="").key == plan.key
