import json

import pytest

from ablate.errors import StoreError
from ablate.matrix.plan import PlannedJob, Role, StudyPlan, Variant
from ablate.store.studies import (
    StudyDocument,
    document_path,
    document_paths,
    merge,
    read_document,
    write_document,
)
from tests.store.results_lab import BASE, TEACHER_ID, WARM

OTHER = Variant("τ = 0.3", Role.VARIANT, "m", {"tau": 0.3}, "τ")


def _students(plan):
    return [(job.variant, job.seed) for job in plan.jobs if job.variant]


def test_a_document_gives_the_equal_plan_back(lab):
    plan = lab.plan()
    write_document(lab.results, StudyDocument(plan, 12.5))
    path = document_path(lab.results, plan.key)
    assert list(document_paths(lab.results)) == [path]
    assert read_document(path) == StudyDocument(plan, 12.5)
    assert read_document(path).plan.key == plan.key


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"plan": {}}', '{"plan": {"jobs": [1]}}'])
def test_a_damaged_document_is_named(lab, damage):
    plan = lab.plan()
    write_document(lab.results, StudyDocument(plan, 12.5))
    path = document_path(lab.results, plan.key)
    path.write_text(damage)
    with pytest.raises(StoreError, match=plan.key):
        read_document(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("same_as", True), ("same_as", "no row"), ("group", 3), ("label", "\ud800"), ("method", None)],
)
def test_a_row_of_a_wrong_type_is_named(lab, field, value):
    plan = lab.plan()
    write_document(lab.results, StudyDocument(plan, 12.5))
    path = document_path(lab.results, plan.key)
    content = json.loads(path.read_text())
    content["plan"]["variants"][-1][field] = value
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=plan.key):
        read_document(path)


def test_a_document_of_another_study_is_named(lab):
    write_document(lab.results, StudyDocument(lab.plan(), 12.5))
    path = document_path(lab.results, lab.plan().key)
    other = path.rename(path.with_name("study-toy-000000000000.json"))
    with pytest.raises(StoreError, match="study-toy-000000000000"):
        read_document(other)


@pytest.mark.parametrize("key", ["", "../x", ".hidden", "a/b", "a\0"])
def test_a_key_that_leads_elsewhere_is_refused(lab, key):
    with pytest.raises(StoreError, match="cannot name a study"):
        document_path(lab.results, key)


def test_earlier_seeds_stay(lab):
    merged = merge(lab.plan(seeds=(0, 1)), lab.plan(seeds=(1, 5)))
    assert merged.seeds == (0, 1, 5)
    assert _students(merged) == [("base", 1), ("base", 5), ("τ = 0.2", 1), ("τ = 0.2", 5),
                                 ("base", 0), ("τ = 0.2", 0)]  # fmt: skip
    assert merged.jobs[0].id == TEACHER_ID
    assert len({job.id for job in merged.jobs}) == len(merged.jobs)


def test_merging_with_itself_changes_nothing(lab):
    plan = lab.plan()
    assert merge(plan, plan) == plan
    grown = merge(plan, lab.plan(seeds=(7,)))
    assert merge(grown, grown) == grown


def test_rows_that_the_new_plan_lacks_leave(lab):
    merged = merge(lab.plan((0, 1), (BASE, WARM)), lab.plan((0,), (BASE, OTHER)))
    assert _students(merged) == [("base", 0), ("τ = 0.3", 0), ("base", 1)]


def test_a_label_with_a_new_meaning_keeps_no_seeds(lab):
    changed = Variant(WARM.label, Role.VARIANT, "m", {"tau": 0.25}, "τ")
    merged = merge(lab.plan((0, 1), (BASE, WARM)), lab.plan((0,), (BASE, changed)))
    assert _students(merged) == [("base", 0), (WARM.label, 0), ("base", 1)]


def test_other_data_keep_no_seeds(lab):
    new = lab.plan((0,), data="CIFAR-100")
    assert merge(lab.plan((0, 1)), new) == new


def test_kept_jobs_keep_what_they_wait_for(lab):
    old = PlannedJob("e" * 64, "teacher", None, "t", 3)
    table = PlannedJob("f" * 64, "teacher_table", None, "t", 0, (old.id,))
    kept = PlannedJob("a" * 64, "student", "base", "t/s", 9, (table.id,))
    stray = PlannedJob("b" * 64, "teacher", None, "u", 0)
    earlier = lab.plan((9,), (BASE,), jobs=(old, stray, table, kept))
    new = lab.plan((0,))
    assert merge(earlier, new).jobs == (old, table, *new.jobs, kept)


def test_documents_from_before_jobs_named_what_they_wait_for_can_be_read(lab):
    document = lab.plan().to_json()
    document["jobs"] = [
        {name: value for name, value in job.items() if name != "upstream"}
        for job in document["jobs"]
    ]
    plan = StudyPlan.from_json(json.loads(json.dumps(document)))
    assert all(job.upstream == () for job in plan.jobs)


@pytest.mark.parametrize("moment", ["1" + "0" * 400, '"yesterday"', "[]", "null"])
def test_a_document_of_no_moment_is_named(lab, moment):
    plan = lab.plan()
    write_document(lab.results, StudyDocument(plan, 12.5))
    path = document_path(lab.results, plan.key)
    path.write_text(path.read_text().replace("12.5", moment))
    with pytest.raises(StoreError, match=plan.key):
        read_document(path)
