"""Previews: what a run would do with each job and why, and what that costs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ablate.matrix.costs import Cost, PaidJob
from ablate.matrix.plan import Matrix
from ablate.matrix.preview import DevicesAtHand, Earlier, Preview, PreviewState, preview
from ablate.matrix.preview_words import duration, long_preview, short_preview
from tests.matrix.study_lab import HEAD, TAU, Lab

CPU = DevicesAtHand(2, "cpu")
RULE = "seeds = { first = 3, most = 12, half_width = 0.5 }\n"
GRID = "[[grid]]\nparts.temperature = [0.2]\nparts.loss.pred = [4, 8]\n"


def paid(matrix: Matrix, seconds: float = 10.0) -> list[PaidJob]:
    return [PaidJob(config, Cost(seconds, 2**20, 2**21)) for config in matrix.configs.values()]


def all_known(matrix: Matrix) -> Earlier:
    return Earlier(configs=list(matrix.configs.values()), paid=paid(matrix))


def test_without_earlier_jobs_all_is_new_and_of_unknown_cost(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    found = preview(matrix, Earlier(), CPU)
    assert [job.id for job in found.jobs] == list(matrix.configs)
    assert found.counts == {PreviewState.NEW: len(matrix.configs)}
    assert all(job.reason for job in found.jobs)
    assert (found.seconds, found.wall_clock_s, found.disk_bytes) == (None, None, None)


def test_states_say_what_a_run_does(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    ids = list(matrix.configs)
    states = dict(zip(ids, PreviewState, strict=False))
    found = preview(matrix, replace(all_known(matrix), states=states), CPU)
    assert {job.id: job.state for job in found.jobs} == {
        job: states.get(job, PreviewState.NEW) for job in ids
    }
    runs = [job for job in found.jobs if job.state.runs]
    assert found.seconds == 10.0 * len(runs)
    assert all(bool(job.reason) == job.state.runs for job in found.jobs)


def test_a_begun_job_costs_what_is_left_of_it(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    job = next(iter(matrix.configs))
    earlier = replace(all_known(matrix), states={job: PreviewState.RESUMABLE}, progress={job: 0.75})
    assert preview(matrix, earlier, CPU).jobs[0].cost.seconds == 2.5


def test_a_rule_for_seeds_shows_the_least_and_the_most(lab: Lab) -> None:
    matrix = lab.expand(HEAD + RULE + TAU)
    found = preview(matrix, all_known(matrix), CPU)
    rows = len(matrix.plan.variants)
    assert found.seconds is not None
    assert found.most_seconds == found.seconds + 10.0 * rows * 9
    assert "12 seeds" in short_preview(found)[0]


def test_seeds_that_a_rule_adds_cost_what_the_first_did_whatever_is_done(lab: Lab) -> None:
    matrix = lab.expand(HEAD + RULE + TAU)
    *done, last = matrix.configs
    states = dict.fromkeys(done, PreviewState.DONE)
    found = preview(matrix, replace(all_known(matrix), states=states), CPU)
    rows = len(matrix.plan.variants)
    assert found.seconds == 10.0
    assert found.most_seconds == 10.0 + 10.0 * rows * 9
    assert f"at most {duration(found.most_seconds)}" in short_preview(found)[1]
    states[last] = PreviewState.DONE
    found = preview(matrix, replace(all_known(matrix), states=states), CPU)
    assert (found.seconds, found.most_seconds) == (0, 10.0 * rows * 9)
    assert duration(10.0 * rows * 9) in short_preview(found)[1]
    found = preview(matrix, Earlier(states=states), CPU)
    assert found.most_seconds is None
    assert "rule may add: time unknown" in short_preview(found)[1]
    fixed = lab.expand(HEAD + TAU)
    states = dict.fromkeys(fixed.configs, PreviewState.DONE)
    assert short_preview(preview(fixed, Earlier(states=states), CPU))[1] == "nothing to run"


def test_upstream_work_of_one_seed_is_needed_again_for_each_that_a_rule_adds(lab: Lab) -> None:
    matrix = lab.expand(HEAD + RULE + TAU)
    (teacher,) = [job for job in matrix.plan.jobs if job.kind == "teacher"]
    own = replace(teacher, id="own", seed=1)  # as of a method whose upstream work has the seed
    jobs = [replace(j, upstream=("own",)) if j.seed == 1 else j for j in matrix.plan.jobs]
    configs = {"own": matrix.configs[teacher.id], **matrix.configs}
    matrix = replace(matrix, plan=replace(matrix.plan, jobs=(own, *jobs)), configs=configs)
    found = preview(matrix, all_known(matrix), CPU)
    assert found.seconds is not None
    rows = len(matrix.plan.variants)
    assert found.most_seconds == found.seconds + 10.0 * (rows * 3 + 1) / 3 * 9


def test_failed_jobs_are_shown_with_what_puts_them_back(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    states = dict.fromkeys(list(matrix.configs)[:1], PreviewState.FAILED)
    found = preview(matrix, Earlier(states=states), CPU)
    assert "1 failed (`ablate retry` puts failed jobs back)" in short_preview(found)[0]


def test_a_row_that_is_shown_twice_runs_once(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU + GRID)
    found = preview(matrix, Earlier(), CPU)
    assert len(found.jobs) == len(matrix.configs) < len(matrix.plan.jobs)
    places = {job.id: i for i, job in enumerate(found.jobs)}
    for job in matrix.plan.jobs:
        assert all(places[upstream] < places[job.id] for upstream in job.upstream)


def test_other_studies_with_a_job_are_named(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    job = next(iter(matrix.configs))
    earlier = Earlier(states={job: PreviewState.DONE}, studies={job: ("other", "study")})
    found = preview(matrix, earlier, CPU)
    assert found.jobs[0].shared_with == ("other",)
    assert "shared with other" in "\n".join(long_preview(found))


def large(lab: Lab) -> Preview:
    return preview(lab.expand(HEAD + TAU, "paper"), Earlier(), CPU)


def test_the_published_recipe_on_a_cpu_is_warned_of(lab: Lab) -> None:
    found = large(lab)
    assert any("CPU" in warning for warning in found.warnings)
    matrix = lab.expand(HEAD + TAU, "paper")
    assert preview(matrix, Earlier(), DevicesAtHand(1, "cuda:0", is_cpu=False)).warnings == ()
    assert preview(lab.expand(HEAD + TAU), Earlier(), CPU).warnings == ()


def test_a_person_is_asked_where_it_is_much_or_unknown_and_never_to_resume(lab: Lab) -> None:
    assert large(lab).needs_consent(24)
    matrix = lab.expand(HEAD + TAU)
    assert not preview(matrix, Earlier(), CPU).needs_consent(24)
    long = replace(all_known(matrix), paid=paid(matrix, 36_000))
    assert preview(matrix, long, CPU).needs_consent(24)
    assert not preview(matrix, long, CPU).needs_consent(1_000)
    begun = replace(long, states={[*matrix.configs][-1]: PreviewState.RESUMABLE})
    assert not preview(matrix, begun, CPU).needs_consent(24)


def test_json_is_plain(lab: Lab) -> None:
    found = preview(lab.expand(HEAD + TAU), Earlier(), CPU)
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["counts"] == {
        "done": 0, "resumable": 0, "queued": 0, "failed": 0, "new": len(found.jobs),
    }  # fmt: skip
    job = plain["jobs"][0]
    assert job["id"].startswith(job["short"])
    assert {"kind", "row", "pair", "seed", "state", "reason", "shared_with", "cost"} <= job.keys()


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (300, "5 min"), (9000, "2.5 h"), (10**6, "11.6 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
