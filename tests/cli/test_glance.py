from __future__ import annotations

import pytest

from ablate.cli.glance import counted, duration, glance
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store.query import JobState, Resumption


def job(
    name: str,
    status: JobStatus,
    attempts: int = 1,
    lost: tuple[float, ...] = (),
    *,
    outcomes: tuple[AttemptOutcome | None, ...] = (),
) -> JobState:
    end = AttemptOutcome.FINISHED if status is JobStatus.DONE else None
    outcomes = outcomes or (*(AttemptOutcome.CRASHED,) * (attempts - 1), end)
    resumptions = tuple(Resumption(i + 2, 1, 10, one, 0.0) for i, one in enumerate(lost))
    return JobState(
        id=name, kind="student", variant="v", pair="a/b", seed=0, status=status,
        attempts=attempts, outcomes=outcomes, resumptions=resumptions, error="", device="cpu",
        epoch=1, step=10,
    )  # fmt: skip


def test_the_sentence_counts_jobs_interruptions_and_what_was_lost() -> None:
    jobs = [job(f"d{i}", JobStatus.DONE) for i in range(9)]
    jobs += [job("x", JobStatus.DONE, 3, (0.1, 0.3)), job("y", JobStatus.DONE, 3, (0.2, 0.0))]
    sentence = glance(jobs, {}).sentence()
    assert sentence.startswith("2 of 11 jobs were interrupted 4 times; all resumed, at most 0.3 s")
    assert "idle" in sentence


def test_a_job_of_two_studies_counts_once() -> None:
    assert glance([job("a", JobStatus.DONE), job("a", JobStatus.DONE)], {}).jobs == 1


def test_what_did_not_resume_is_said() -> None:
    found = glance([job("a", JobStatus.INTERRUPTED, 2, (0.5,))], {})
    assert (found.interruptions, found.resumptions) == (2, 1)
    assert "1 resumed from a checkpoint" in found.sentence()


def test_an_error_is_no_interruption() -> None:
    error = AttemptOutcome.ERROR
    jobs = [
        job("a", JobStatus.ERRED, 1, outcomes=(error,)),
        job("b", JobStatus.FAILED, 3, outcomes=(AttemptOutcome.CRASHED, error, error)),
    ]
    found = glance(jobs, {})
    assert (found.interrupted_jobs, found.interruptions, found.errors) == (1, 1, 3)
    assert "3 attempts ended in an error" in found.sentence()
    assert "none was interrupted, 1 attempt ended" in glance(jobs[:1], {}).sentence()


def test_time_left_is_that_of_jobs_like_it() -> None:
    jobs = [job("a", JobStatus.DONE), job("b", JobStatus.RUNNING), job("c", JobStatus.WAITING)]
    left = glance(jobs, {"a": 100.0, "b": 40.0}).seconds_left
    assert left == pytest.approx(160.0)
    assert glance(jobs, {}).seconds_left is None
    assert glance(jobs[:1], {"a": 100.0}).seconds_left is None
    assert "about 3 min left" in glance(jobs, {"a": 100.0, "b": 40.0}).sentence()


def test_no_jobs_is_a_sentence_too() -> None:
    assert glance([], {}).sentence() == "no jobs"


@pytest.mark.parametrize(
    ("seconds", "text"), [(40, "40 s"), (720, "12 min"), (12_000, "3 h 20 min"), (7_200, "2 h")]
)
def test_durations_are_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_thing_is_singular() -> None:
    assert (counted(1, "job"), counted(2_000, "job")) == ("1 job", "2,000 jobs")
