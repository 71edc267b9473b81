import dataclasses
import json
import math

import pytest

from ablate.errors import InputError, StoreError
from ablate.matrix.identity import job_id, short
from ablate.methods.device import Device
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store.events import AttemptEnded, EpochEnded, Requeued, Resumed
from ablate.store.index import Index
from ablate.store.query import (
    Resumption,
    curves,
    export,
    job,
    job_states,
    studies,
    study_plan,
    study_results,
)
from ablate.store.results import TeacherRun
from tests.store.results_lab import BASE, FINISHED, TEACHER, TEACHER_ID, WARM

GONE = {"alive": lambda host, pid, start: False}
THERE = {"alive": lambda host, pid, start: True}
UNKNOWN = {"alive": lambda host, pid, start: None}


@pytest.fixture
def index(lab):
    """Teacher and one student done; one student killed, resumed and open; two never started."""
    lab.finish(TEACHER)
    lab.finish(lab.student(BASE, 0))
    run = lab.run(lab.student(BASE, 1))
    lab.start(run)
    lab.epoch(run, 1)
    lab.start(run, 2, device=Device.parse("cuda:1"))
    run.append(Resumed(attempt=2, time=21.0, step=10, epoch=1, lost_seconds=2.5))
    with Index.open(lab.results, writable=True) as index:
        index.register(lab.plan())
        index.ingest_many([lab.run(TEACHER), lab.run(lab.student(BASE, 0)), run])
        yield index


def _ingest(index, run):
    assert index.ingest(run)


def test_export_has_a_record_per_job_in_the_plans_order(lab, index):
    records = export(index, **THERE)
    assert [(r["variant"], r["pair"], r["seed"], r["status"]) for r in records] == [
        (None, "t", 0, "done"),
        ("base", "t/s", 0, "done"),
        ("base", "t/s", 1, "running"),
        ("τ = 0.2", "t/s", 0, "waiting"),
        ("τ = 0.2", "t/s", 1, "waiting"),
    ]
    assert records[1] == {
        "id": lab.id(BASE, 0), "study": "tau", "study_key": lab.plan().key, "profile": "quick",
        "data": lab.plan().data, "overrides": {}, "variant": "base", "pair": "t/s", "seed": 0,
        "status": "done", "attempts": 1, "resumed_from": [],
        "metrics": {"loss": 0.1, "top1": 90.5}, "weights_digest": "d" * 64,
        "kind": "student", "method": "m", "best": {"top1": 91.5},
        "best_epoch": 2, "costs": {"train_seconds": 12.5, "peak_memory_mib": 100.0},
    }  # fmt: skip
    assert (records[2]["attempts"], records[2]["resumed_from"]) == (2, [10])
    waiting = records[3]
    assert (waiting["method"], waiting["profile"], waiting["metrics"]) == ("m", "quick", {})
    assert waiting["weights_digest"] is None
    assert json.loads(json.dumps(records)) == records


def test_metrics_keep_every_bit(lab, index):
    exact = 0.1 + 0.2 + 1e-17
    run = lab.finish(lab.student(WARM, 0), metrics={"top1": exact, "loss": 5e-324})
    _ingest(index, run)
    assert export(index)[3]["metrics"] == {"top1": exact, "loss": 5e-324}
    assert study_results(index, lab.plan().key).runs[2].last["top1"] == exact


def test_a_job_of_two_studies_has_a_record_in_each(lab, index):
    other = lab.plan((0,), (BASE,), name="another", overrides={"epochs": 2})
    index.register(other)
    records = export(index, **THERE)
    assert [(r["study"], r["id"]) for r in records[:3]] == [
        ("another", TEACHER_ID), ("another", lab.id(BASE, 0)), ("tau", TEACHER_ID)
    ]  # fmt: skip
    mine = [r for r in records if r["study"] == "tau"]
    assert mine == export(index, "tau", **THERE)
    assert len(mine) == 5, "no row of a study is missing because another one has it, too"
    only = export(index, "another", **THERE)
    assert only == records[:2]
    assert {(r["study_key"], r["overrides"]["epochs"]) for r in only} == {(other.key, 2)}
    assert export(index, other.key, **THERE) == only
    with pytest.raises(InputError, match='did you mean "another"'):
        export(index, "anothr")


def test_jobs_that_left_their_studies_come_last(lab, index):
    index.register(lab.plan((0, 1), (WARM,)))
    records = export(index, **THERE)
    left = sorted([lab.id(BASE, 0), lab.id(BASE, 1)])
    assert [r["id"] for r in records[-2:]] == left
    assert all(r["study"] is None and r["variant"] is None for r in records[-2:])
    assert {r["status"] for r in records[-2:]} == {"done", "running"}
    assert {r["status"] for r in export(index, **GONE)[-2:]} == {"done", "interrupted"}
    details = job(index, lab.id(BASE, 1), **GONE)
    assert (details.studies, details.status) == ((), JobStatus.INTERRUPTED)


@pytest.mark.parametrize(
    ("alive", "status", "error"),
    [(THERE, "running", ""), (UNKNOWN, "running", ""), (GONE, "interrupted", "process is gone")],
)
def test_only_a_process_known_to_be_gone_is_gone(lab, index, alive, status, error):
    key = lab.plan().key
    state = job_states(index, key, **alive)[2]
    assert state.status == status
    assert error in state.error
    assert study_results(index, key, **alive).runs[1].status == status


def test_what_waits_for_a_failed_job_is_blocked(lab, index):
    run = lab.run(TEACHER)
    run.result_file.unlink()
    run.append(
        AttemptEnded(
            attempt=1,
            time=50.0,
            outcome=AttemptOutcome.ERROR,
            status=JobStatus.FAILED,
            message="boom",
        )
    )
    _ingest(index, run)
    states = job_states(index, lab.plan().key, **THERE)
    assert [s.status.value for s in states] == ["failed", "done", "running", "blocked", "blocked"]
    assert states[0].error == "boom"
    assert states[3].error == "a job that it waits for failed"
    assert job(index, lab.id(WARM, 0)).status is JobStatus.BLOCKED
    run.append(Requeued(time=60.0))
    _ingest(index, run)
    states = job_states(index, lab.plan().key, **THERE)
    assert [s.status.value for s in states] == ["waiting", "done", "running", "waiting", "waiting"]


def test_job_states_tell_where_an_attempt_resumed(lab, index):
    state = job_states(index, lab.plan().key, **THERE)[2]
    assert state.resumptions == (Resumption(2, 1, 10, 2.5, time=20.0),)
    assert (state.attempts, state.device, state.epoch, state.step) == (2, "cuda:1", 1, 10)


def test_study_results_are_what_reports_start_from(lab, index):
    _ingest(index, lab.finish(lab.student(WARM, 0), facts={"torch": "2.10", "device": "A CPU"}))
    results = study_results(index, lab.plan().key, **THERE)
    assert results.plan == dataclasses.replace(lab.plan(), jobs=())
    assert [run.variant for run in results.runs] == ["base", "base", "τ = 0.2", "τ = 0.2"]
    assert [run.status for run in results.runs] == ["done", "running", "done", "waiting"]
    costs = {"train_seconds": 12.5, "peak_memory_mib": 100.0}
    assert results.runs[0].last == {"top1": 90.5, "loss": 0.1, **costs}
    assert results.runs[0].best == {"top1": 91.5, **costs}
    assert results.runs[1].last == results.runs[3].best == {}
    assert [run.finished for run in results.runs[:2]] == [15.0, None]
    assert results.teachers == (TeacherRun("t", JobStatus.DONE, TEACHER_ID, 90.5, "d" * 64, ""),)
    assert results.facts == {
        "device": ("A CPU", "cpu"), "git": ("abc",), "host": ("h",), "threads": ("2",),
        "torch": ("2.10", "2.9"),
    }  # fmt: skip


def test_results_of_a_study_that_has_not_begun(lab):
    with Index.open(lab.results, writable=True) as index:
        plan = index.register(lab.plan())
        results = study_results(index, plan.key)
    assert {(run.status, *run.last, *run.best) for run in results.runs} == {("waiting",)}
    assert results.facts == {}


def test_given_weights_are_known_by_their_digest(lab):
    given = type(TEACHER)(**{**vars(TEACHER), "inputs": {"checkpoint": "ab" * 32}})
    plan = lab.plan()
    planned = type(plan.jobs[0])(job_id(given), "teacher", None, "t", 0)
    with Index.open(lab.results, writable=True) as index:
        index.register(lab.plan(jobs=(planned, *plan.jobs[1:])))
        index.ingest(lab.finish(given))
        teachers = study_results(index, plan.key).teachers
    assert [teacher.checkpoint for teacher in teachers] == ["sha256:" + "ab" * 32]


def test_studies_count_their_jobs(lab, index):
    (summary,) = studies(index, **THERE)
    assert summary.plan == lab.plan()
    counts = {status: n for status, n in summary.counts.items() if n}
    assert counts == {JobStatus.DONE: 2, JobStatus.RUNNING: 1, JobStatus.WAITING: 2}
    assert summary.registered > 0
    assert study_plan(index, summary.plan.key) == summary.plan
    with pytest.raises(InputError, match='no study "nothing"'):
        study_plan(index, "nothing")


def test_a_job_in_full(lab, index):
    details = job(index, lab.id(BASE, 1), **THERE)
    assert details.config == lab.student(BASE, 1)
    assert [attempt.outcome for attempt in details.history.attempts] == ["lost", None]
    assert details.studies[0][0] == lab.plan().key
    assert details.studies[0][1].variant == "base"
    assert details.result is None
    assert details.path.name == lab.id(BASE, 1)
    assert job(index, lab.id(BASE, 0)).result == FINISHED
    waiting = job(index, lab.id(WARM, 0))
    assert (waiting.config, waiting.status) == (None, JobStatus.WAITING)
    with pytest.raises(StoreError, match="not in the index"):
        job(index, "0" * 64)


def test_curves_of_students(lab, index):
    assert curves(index, lab.plan().key, ["loss"]) == [
        ("base", "t/s", 0, 1, "loss", 1.0),
        ("base", "t/s", 0, 2, "loss", 0.1),
        ("base", "t/s", 1, 1, "loss", 1.0),
    ]
    run = lab.run(lab.student(BASE, 1))
    run.append(EpochEnded(attempt=2, epoch=2, metrics={"loss": math.nan}))
    run.append(EpochEnded(attempt=2, epoch=3, metrics={"loss": math.inf}))
    _ingest(index, run)
    points = curves(index, lab.plan().key, ["loss"])
    assert math.isnan(points[3].value)
    assert points[4].value == math.inf
    assert curves(index, lab.plan().key, []) == []


def test_find_job_by_its_first_digits(lab, index):
    wanted = lab.id(BASE, 0)
    assert index.find_job(wanted) == wanted
    assert index.find_job(short(wanted).upper()) == wanted
    for missing in ("", "zz", "g", wanted + "0", "_", "%"):
        with pytest.raises(InputError, match="no job's id starts with"):
            index.find_job(missing)


def test_an_ambiguous_prefix_lists_the_candidates(lab, index):
    index.register(lab.plan(range(40)))
    first = [record["id"][0] for record in export(index)]
    digit = max(set(first), key=first.count)
    with pytest.raises(InputError) as raised:
        index.find_job(digit)
    message = str(raised.value)
    assert f'{first.count(digit)} jobs have ids that start with "{digit}"' in message
    named = sorted(r["id"] for r in export(index) if r["id"].startswith(digit))
    assert short(named[0]) in message
    assert ", t/s, seed " in message


def test_a_study_of_the_same_name_replaces_none_of_another_title(lab, index):
    other = index.register(lab.plan(title="Another study", variants=(WARM,)))
    mine = lab.plan()
    assert {one.key for one in index.find_studies(superseded=True)} == {mine.key, other.key}
    assert [one.key for one in index.find_studies("tau")] == [other.key], "the last one"
    assert len(study_results(index, mine.key).plan.variants) == len(mine.variants)


def test_find_study_by_name_key_or_profile(lab, index):
    plan = lab.plan()
    assert index.find_study("tau") == plan.key == index.find_study(plan.key)
    newer = index.register(lab.plan(code="newer"))
    assert index.find_study("tau") == newer.key  # the same study of newer code
    assert [one.key for one in index.find_studies("tau")] == [newer.key]
    assert [one.key for one in index.find_studies(plan.key)] == [plan.key]
    both = index.find_studies("tau", superseded=True)
    assert [one.key for one in both] == [newer.key, plan.key]
    assert index.find_study(plan.key) == plan.key
    paper = index.register(lab.plan(profile="paper"))
    with pytest.raises(InputError, match="several profiles or overrides") as raised:
        index.find_study("tau")
    (problem,) = raised.value.problems
    listed = f"one of: {paper.key} (no overrides), {newer.key} (no overrides)"
    assert problem.right == listed, "and not what newer code ran again"
    assert index.find_study("tau", profile="paper") == paper.key
    with pytest.raises(InputError, match='no study "tau" under profile "x" has been run'):
        index.find_study("tau", profile="x")
    assert index.find_studies("nothing") == []
