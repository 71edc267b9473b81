"""The scheduler: each rule by example."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.errors import AblateError
from ablate.execute.scheduler.messages import (
    AllSettled,
    BackoffOver,
    DeviceChanged,
    Ended,
    Event,
    Instruction,
    Kill,
    Launch,
    Pause,
    PauseOver,
    PeakMeasured,
    SameError,
    StopRequested,
    Task,
    TasksAdded,
    Terminate,
    WaitedTooLong,
    WakeAfter,
)
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.scheduler.retry import RetryPolicy
from ablate.execute.scheduler.scheduler import (
    IllegalTransitionError,
    Scheduler,
)
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from tests.naming import missing_from

CPU = DeviceCapacity("cpu", slots=1)
WIDE = DeviceCapacity("wide", slots=100)


def task(name: str, *upstream: str, kind: str = "k") -> Task:
    return Task(name, kind, upstream)


def started(*tasks: Task, device: DeviceCapacity = WIDE, **options: Any) -> Scheduler:
    scheduler = Scheduler(tasks, [device], **options)
    scheduler.start()
    return scheduler


def end(scheduler: Scheduler, job: str, outcome: AttemptOutcome, **more: Any) -> list[Instruction]:
    """End the job's current attempt, whatever its number."""
    out = scheduler.handle(Ended(job, scheduler._job(job).attempt, outcome, **more))
    scheduler.check_invariants()
    return out


def statuses(scheduler: Scheduler, names: str) -> list[JobStatus]:
    return [scheduler.status(name) for name in names.split()]


# --- order, upstream, devices ------------------------------------------------------------------


def test_jobs_launch_in_the_given_order_as_devices_become_free() -> None:
    scheduler = Scheduler([task("b"), task("a"), task("c")], [DeviceCapacity("d", slots=2)])
    assert scheduler.start() == [Launch("b", 1, "d"), Launch("a", 1, "d")]
    assert scheduler.running == {"b": "d", "a": "d"}
    assert end(scheduler, "a", AttemptOutcome.FINISHED) == [Launch("c", 1, "d")]
    assert end(scheduler, "c", AttemptOutcome.FINISHED) == []
    assert end(scheduler, "b", AttemptOutcome.FINISHED) == [AllSettled()]
    assert scheduler.counts() == {status: 3 * (status is JobStatus.DONE) for status in JobStatus}


def test_a_job_waits_for_all_its_upstream_jobs() -> None:
    scheduler = started(
        task("student", "teacher", "table"), task("table", "teacher"), task("teacher")
    )
    assert statuses(scheduler, "student table teacher") == ["waiting", "waiting", "queued"]
    assert end(scheduler, "teacher", AttemptOutcome.FINISHED) == [Launch("table", 1, "wide")]
    assert end(scheduler, "table", AttemptOutcome.FINISHED) == [Launch("student", 1, "wide")]


def test_an_earlier_job_that_becomes_ready_goes_before_later_ones() -> None:
    scheduler = started(task("a"), task("b", "a"), task("c"), device=CPU)
    assert end(scheduler, "a", AttemptOutcome.FINISHED) == [Launch("b", 1, "cpu")]


def test_what_earlier_runs_left_is_taken_over() -> None:
    scheduler = Scheduler(
        [task("a"), task("b", "a", "gone"), task("c"), task("d", "c"), task("e", "d"), task("f")],
        [WIDE],
        done=frozenset({"a", "gone"}),
        failed={"c": JobStatus.FAILED, "f": JobStatus.DIVERGED},
        attempts={"b": 4},
    )
    assert scheduler.start() == [Launch("b", 5, "wide")]
    assert statuses(scheduler, "a c d e f") == ["done", "failed", "blocked", "blocked", "diverged"]
    assert end(scheduler, "b", AttemptOutcome.FINISHED) == [AllSettled()]


def test_nothing_to_do_is_settled_at_once_and_only_once() -> None:
    scheduler = Scheduler([task("a")], [CPU], done=frozenset({"a"}))
    assert scheduler.start() == [AllSettled()]
    assert scheduler.handle(DeviceChanged("cpu", 1)) == []
    assert scheduler.handle(StopRequested()) == []


def test_tasks_that_are_no_study_are_refused() -> None:
    for tasks, match in (
        ([task("a"), task("a")], "two tasks are called a"),
        ([task("a", "b")], "a needs b, which is not there"),
        ([task("a", "b"), task("b", "a")], "cycle"),
    ):
        with pytest.raises(ValueError, match=match):
            Scheduler(tasks, [CPU])
    with pytest.raises(ValueError, match="cannot have failed as done"):
        Scheduler([task("a")], [CPU], failed={"a": JobStatus.DONE})


# --- retries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outcome", [AttemptOutcome.CRASHED, AttemptOutcome.INTERRUPTED, AttemptOutcome.OUT_OF_MEMORY]
)
def test_an_attempt_without_progress_is_repeated_ever_later_and_then_given_up(
    outcome: AttemptOutcome,
) -> None:
    scheduler = started(task("a"), device=CPU)
    for attempt, pause in enumerate([1.0, 4.0, 16.0], start=1):
        assert scheduler.handle(Ended("a", attempt, outcome)) == [WakeAfter("a", pause)]
        assert scheduler.status("a") is JobStatus.BACKOFF
        assert scheduler.handle(BackoffOver("a")) == [Launch("a", attempt + 1, "cpu")]
    assert scheduler.handle(Ended("a", 4, outcome)) == [AllSettled()]
    assert scheduler.status("a") is JobStatus.FAILED


def test_the_policy_sets_number_and_pauses() -> None:
    policy = RetryPolicy(max_retries=2, first_delay_s=0.5, factor=10)
    scheduler = started(task("a"), policy=policy)
    assert end(scheduler, "a", AttemptOutcome.CRASHED) == [WakeAfter("a", 0.5)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.CRASHED) == [WakeAfter("a", 5.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.CRASHED) == [AllSettled()]


def test_only_attempts_without_progress_count() -> None:
    scheduler = started(task("a"), policy=RetryPolicy(max_retries=1))
    for step in (10, 20, 30):
        assert end(scheduler, "a", AttemptOutcome.CRASHED, step=step) == [WakeAfter("a", 1.0)]
        scheduler.handle(BackoffOver("a"))
        # As far as before is no progress; this one counts.
        assert end(scheduler, "a", AttemptOutcome.CRASHED, step=step) == [WakeAfter("a", 1.0)]
        scheduler.handle(BackoffOver("a"))
    end(scheduler, "a", AttemptOutcome.CRASHED, step=29)
    assert scheduler.status("a") is JobStatus.FAILED


def test_a_checkpoint_of_an_earlier_run_is_no_progress_of_this_one() -> None:
    policy = RetryPolicy(max_retries=1)
    scheduler = started(task("a"), policy=policy, attempts={"a": 2}, steps={"a": 10})
    assert end(scheduler, "a", AttemptOutcome.CRASHED, step=10) == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.CRASHED, step=10) == [AllSettled()]
    assert scheduler.status("a") is JobStatus.FAILED


def test_progress_after_a_fresh_start_is_progress() -> None:
    """Its checkpoints were lost at step 100: what it saves on the way there again counts."""
    policy = RetryPolicy(max_retries=1)
    scheduler = started(task("a"), policy=policy, attempts={"a": 2}, steps={"a": 100})
    for step in (10, 20, 30, 40):
        assert end(scheduler, "a", AttemptOutcome.CRASHED, step=step) == [WakeAfter("a", 1.0)]
        scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.CRASHED, step=40) == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.CRASHED, step=40) == [AllSettled()]


def test_the_same_error_twice_is_final() -> None:
    scheduler = started(task("a"))
    assert end(scheduler, "a", AttemptOutcome.ERROR, fingerprint="x") == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.ERROR, step=5, fingerprint="x") == [AllSettled()]
    assert scheduler.status("a") is JobStatus.FAILED


@pytest.mark.parametrize("fingerprints", ["wxyz", ["", "", "", ""]])
def test_different_errors_count_as_retries(fingerprints: str) -> None:
    scheduler = started(task("a"))
    for fingerprint, pause in zip(fingerprints, [1.0, 4.0, 16.0], strict=False):
        out = end(scheduler, "a", AttemptOutcome.ERROR, fingerprint=fingerprint)
        assert out == [WakeAfter("a", pause)]
        scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.ERROR, fingerprint=fingerprints[3]) == [AllSettled()]


def test_a_job_that_diverged_is_not_repeated() -> None:
    scheduler = started(task("a"), task("b", "a"))
    assert end(scheduler, "a", AttemptOutcome.DIVERGED, step=7) == [AllSettled()]
    assert statuses(scheduler, "a b") == ["diverged", "blocked"]


def test_a_job_whose_input_was_refused_is_not_repeated() -> None:
    scheduler = started(task("a"), task("b", "a"))
    assert end(scheduler, "a", AttemptOutcome.REFUSED) == [AllSettled()]
    assert statuses(scheduler, "a b") == ["failed", "blocked"]


def test_an_interruption_that_nobody_asked_us_for_goes_on_at_once_after_progress() -> None:
    scheduler = started(task("a"), policy=RetryPolicy(max_retries=0))
    for step in range(1, 9):
        out = end(scheduler, "a", AttemptOutcome.INTERRUPTED, step=step)
        assert out == [Launch("a", step + 1, "wide")]
    end(scheduler, "a", AttemptOutcome.INTERRUPTED, step=8)
    assert scheduler.status("a") is JobStatus.FAILED


def test_after_running_out_of_shared_memory_a_job_runs_alone_and_only_then_counts() -> None:
    device = DeviceCapacity("d", slots=2)
    scheduler = started(task("a"), task("b"), device=device, policy=RetryPolicy(max_retries=1))
    assert end(scheduler, "a", AttemptOutcome.OUT_OF_MEMORY) == [WakeAfter("a", 1.0)]
    assert scheduler.handle(BackoffOver("a")) == []  # b is still there
    assert end(scheduler, "b", AttemptOutcome.FINISHED) == [Launch("a", 2, "d")]
    assert end(scheduler, "a", AttemptOutcome.OUT_OF_MEMORY) == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", AttemptOutcome.OUT_OF_MEMORY) == [AllSettled()]
    assert scheduler.status("a") is JobStatus.FAILED


def test_nobody_joins_a_job_that_runs_alone() -> None:
    scheduler = started(task("a"), task("b", "c"), task("c"), device=DeviceCapacity("d", slots=3))
    end(scheduler, "a", AttemptOutcome.OUT_OF_MEMORY, step=3)
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "c", AttemptOutcome.CRASHED) == [WakeAfter("c", 1.0), Launch("a", 2, "d")]
    assert scheduler.handle(BackoffOver("c")) == []
    assert end(scheduler, "a", AttemptOutcome.FINISHED) == [Launch("c", 2, "d")]


# --- failure of one, fate of others ------------------------------------------------------------


def test_a_failure_blocks_what_builds_on_it_and_nothing_else() -> None:
    tasks = [
        task("a"),
        task("b", "a"),
        task("c", "b"),
        task("x"),
        task("y", "x"),
        task("z", "y", "c"),
    ]
    scheduler = started(*tasks, policy=RetryPolicy(max_retries=0))
    assert end(scheduler, "a", AttemptOutcome.CRASHED) == []
    assert statuses(scheduler, "a b c x y z") == [
        "failed", "blocked", "blocked", "queued", "waiting", "blocked",
    ]  # fmt: skip
    end(scheduler, "x", AttemptOutcome.FINISHED)
    assert end(scheduler, "y", AttemptOutcome.FINISHED) == [AllSettled()]


def test_a_failure_at_the_head_of_a_long_chain_blocks_it_without_recursion() -> None:
    chain = [task("j0"), *(task(f"j{n}", f"j{n - 1}") for n in range(1, 10_000))]
    scheduler = started(*chain)
    assert end(scheduler, "j0", AttemptOutcome.DIVERGED) == [AllSettled()]
    assert scheduler.counts()[JobStatus.BLOCKED] == 9_999


# --- stopping ----------------------------------------------------------------------------------


def test_a_stop_asks_once_then_kills_and_launches_no_more() -> None:
    scheduler = started(
        task("a"), task("b"), task("c"), task("d", "a"), device=DeviceCapacity("d", slots=2)
    )
    assert scheduler.handle(StopRequested()) == [Terminate("a"), Terminate("b")]
    assert end(scheduler, "a", AttemptOutcome.FINISHED) == []
    assert scheduler.handle(StopRequested()) == [Kill("b")]
    assert end(scheduler, "b", AttemptOutcome.CRASHED) == [AllSettled()]
    assert statuses(scheduler, "a b c d") == ["done", "interrupted", "ready", "ready"]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (AttemptOutcome.FINISHED, JobStatus.DONE),
        (AttemptOutcome.DIVERGED, JobStatus.DIVERGED),
        (AttemptOutcome.INTERRUPTED, JobStatus.INTERRUPTED),
        (AttemptOutcome.CRASHED, JobStatus.INTERRUPTED),
        (AttemptOutcome.OUT_OF_MEMORY, JobStatus.INTERRUPTED),
        (AttemptOutcome.ERROR, JobStatus.INTERRUPTED),
    ],
)
def test_what_a_stop_makes_of_each_outcome(outcome: AttemptOutcome, status: JobStatus) -> None:
    scheduler = started(task("a"))
    scheduler.handle(StopRequested())
    assert end(scheduler, "a", outcome, fingerprint="x") == [AllSettled()]
    assert scheduler.status("a") is status


def test_a_definite_failure_is_one_during_a_stop_too_but_a_kill_is_none() -> None:
    tasks = [task("error"), task("memory"), task("crash"), task("killed")]
    scheduler = started(
        *tasks, policy=RetryPolicy(max_retries=0), device=DeviceCapacity("d", slots=5)
    )
    end(scheduler, "memory", AttemptOutcome.OUT_OF_MEMORY)  # shared, hence not counted
    scheduler.handle(StopRequested())
    assert scheduler.status("memory") is JobStatus.INTERRUPTED
    end(scheduler, "error", AttemptOutcome.ERROR, fingerprint="x")
    end(scheduler, "crash", AttemptOutcome.CRASHED)
    end(scheduler, "killed", AttemptOutcome.INTERRUPTED)
    assert statuses(scheduler, "error crash killed") == ["failed", "interrupted", "interrupted"]


def test_a_job_in_backoff_is_stopped_and_its_late_wake_up_is_harmless() -> None:
    scheduler = started(task("a"))
    end(scheduler, "a", AttemptOutcome.CRASHED)
    assert scheduler.handle(StopRequested()) == [AllSettled()]
    assert scheduler.status("a") is JobStatus.INTERRUPTED
    assert scheduler.handle(BackoffOver("a")) == []
    assert scheduler.status("a") is JobStatus.INTERRUPTED


# --- memory, as told by events -----------------------------------------------------------------


def test_a_measured_peak_lets_the_next_jobs_join() -> None:
    device = DeviceCapacity("gpu", slots=None, free_bytes=1000)
    scheduler = Scheduler([task(name) for name in "abcd"], [device])
    assert scheduler.start() == [Launch("a", 1, "gpu")]
    assert scheduler.handle(PeakMeasured("k", 300)) == [
        Launch("b", 1, "gpu"),
        Launch("c", 1, "gpu"),
    ]
    assert scheduler.handle(DeviceChanged("gpu", 500)) == [Launch("d", 1, "gpu")]
    scheduler.check_invariants()


def test_a_peak_known_from_an_earlier_run_counts_from_the_start() -> None:
    scheduler = Scheduler([task("a"), task("b")], [DeviceCapacity("gpu", slots=None)])
    assert scheduler.handle(PeakMeasured("k", 100)) == []
    assert scheduler.handle(DeviceChanged("gpu", 1000)) == []
    assert len(scheduler.start()) == 2


# --- what cannot happen ------------------------------------------------------------------------


def test_an_illegal_event_names_the_job_and_its_history_and_changes_nothing() -> None:
    scheduler = started(task("a"), task("b", "a"), task("f"))
    end(scheduler, "a", AttemptOutcome.CRASHED, step=3)
    scheduler.handle(BackoffOver("a"))
    end(scheduler, "f", AttemptOutcome.DIVERGED)
    before = (scheduler.counts(), scheduler.running)
    illegal: list[Event] = [
        Ended("a", 1, AttemptOutcome.FINISHED),  # an attempt of the past
        Ended("a", 3, AttemptOutcome.FINISHED),  # and one of the future
        Ended("b", 0, AttemptOutcome.FINISHED),
        BackoffOver("a"),
        BackoffOver("b"),
        Ended("f", 1, AttemptOutcome.FINISHED),
        BackoffOver("nobody"),
    ]
    for event in illegal:
        with pytest.raises(IllegalTransitionError) as caught:
            scheduler.handle(event)
        assert isinstance(caught.value, AblateError)
        assert (scheduler.counts(), scheduler.running) == before
        scheduler.check_invariants()
    with pytest.raises(IllegalTransitionError) as caught:
        scheduler.handle(Ended("a", 1, AttemptOutcome.FINISHED))
    message, _, recent = str(caught.value).partition("(")
    assert missing_from(message, '"a"', '"attempt 1 finished"', "queued", "attempt 2") == []
    assert recent.removesuffix(")").partition(": ")[2].split("; ") == [
        "waiting -> ready (upstream done)",
        "ready -> queued (attempt 1 on wide)",
        "queued -> backoff (attempt 1 crashed at step 3)",
        "backoff -> ready (backoff over)",
        "ready -> queued (attempt 2 on wide)",
    ]
    assert (caught.value.job, len(caught.value.history)) == ("a", 5)


def test_starting_twice_is_refused() -> None:
    scheduler = started(task("a"))
    with pytest.raises(AblateError, match="started already"):
        scheduler.start()


# --- faults of the machine, and errors that are not one job's --------------------------------


def test_nothing_starts_while_the_machine_is_waited_for_and_no_retry_is_counted() -> None:
    scheduler = started(task("a"), task("b"), device=CPU, policy=RetryPolicy(max_retries=0))
    for seconds in (1.0, 2.0, 4.0):
        assert end(scheduler, "a", AttemptOutcome.MACHINE) == [Pause("a", seconds)]
        (launch,) = scheduler.handle(PauseOver())
        assert isinstance(launch, Launch) and launch.job == "a"
    end(scheduler, "a", AttemptOutcome.FINISHED)
    assert end(scheduler, "b", AttemptOutcome.MACHINE) == [Pause("b", 1.0)], "progress was made"


def test_a_machine_that_does_not_recover_ends_the_run_and_fails_no_job() -> None:
    policy = RetryPolicy(machine_wait_s=5.0)
    scheduler = started(task("a"), task("b"), device=CPU, policy=policy)
    assert end(scheduler, "a", AttemptOutcome.MACHINE) == [Pause("a", 1.0)]
    assert scheduler.handle(PauseOver(sound=False)) == [Pause("a", 2.0)]
    assert scheduler.handle(PauseOver(sound=False)) == [Pause("a", 4.0)]
    assert scheduler.handle(PauseOver(sound=False)) == [WaitedTooLong(), AllSettled()]
    assert statuses(scheduler, "a b") == ["ready", "ready"]


def test_a_job_that_another_worker_holds_is_tried_again_for_ever() -> None:
    scheduler = started(task("a"), policy=RetryPolicy(max_retries=0, busy_s=5.0))
    for _ in range(3):
        assert end(scheduler, "a", AttemptOutcome.BUSY) == [WakeAfter("a", 5.0)]
        assert len(scheduler.handle(BackoffOver("a"))) == 1


def test_one_error_in_two_rows_stops_the_run() -> None:
    tasks = [Task("a", "k", row="one"), Task("b", "k", row="two"), Task("c", "k", row="three")]
    scheduler = started(*tasks, device=DeviceCapacity("cpu", slots=3))
    assert end(scheduler, "a", AttemptOutcome.ERROR, fingerprint="f") == [WakeAfter("a", 1.0)]
    answer = end(scheduler, "b", AttemptOutcome.ERROR, fingerprint="f")
    assert answer == [SameError(("a", "b")), Terminate("c")]
    assert statuses(scheduler, "a b c") == ["failed", "failed", "queued"]
    assert end(scheduler, "c", AttemptOutcome.INTERRUPTED) == [AllSettled()]
    assert statuses(scheduler, "c") == ["interrupted"]


def test_one_error_in_two_seeds_of_a_row_stops_nothing() -> None:
    tasks = [Task("a", "k", row="one"), Task("b", "k", row="one"), Task("c", "k", row="two")]
    scheduler = started(*tasks, device=DeviceCapacity("cpu", slots=3))
    for job in "ab":
        assert end(scheduler, job, AttemptOutcome.ERROR, fingerprint="f") == [WakeAfter(job, 1.0)]
    assert end(scheduler, "c", AttemptOutcome.DIVERGED, fingerprint="f") == []


def test_jobs_may_come_later() -> None:
    scheduler = started(task("a"))
    assert end(scheduler, "a", AttemptOutcome.FINISHED) == [AllSettled()]
    later = (task("b", "a"), task("c", "b"), task("old"))
    added = TasksAdded(later, done=frozenset({"old"}), attempts={"b": 2})
    assert scheduler.handle(added) == [Launch("b", 3, "wide")]
    assert statuses(scheduler, "b c old") == ["queued", "waiting", "done"]
    with pytest.raises(ValueError, match="two tasks"):
        scheduler.handle(TasksAdded((task("a"),)))
