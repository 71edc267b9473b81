"""The scheduler: each rule by example, all of them at once by random histories."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ablate.errors import AblateError
from ablate.execute import placement
from ablate.execute.scheduler import (
    AllSettled,
    BackoffOver,
    Device,
    DeviceChanged,
    Ended,
    Event,
    IllegalTransitionError,
    Instruction,
    Kill,
    Launch,
    Outcome,
    PeakMeasured,
    Phase,
    Retry,
    RetryPolicy,
    Scheduler,
    StopRequested,
    Task,
    Terminate,
    WakeAfter,
)

CPU = Device("cpu", slots=1)
WIDE = Device("wide", slots=100)


def task(name: str, *upstream: str, kind: str = "k") -> Task:
    return Task(name, kind, upstream)


def started(*tasks: Task, device: Device = WIDE, **options: Any) -> Scheduler:
    scheduler = Scheduler(tasks, [device], **options)
    scheduler.start()
    return scheduler


def end(scheduler: Scheduler, job: str, outcome: Outcome, **more: Any) -> list[Instruction]:
    """End the job's current attempt, whatever its number."""
    out = scheduler.handle(Ended(job, scheduler._job(job).attempt, outcome, **more))
    scheduler.check_invariants()
    return out


def phases(scheduler: Scheduler, names: str) -> list[Phase]:
    return [scheduler.phase(name) for name in names.split()]


# --- order, upstream, devices ------------------------------------------------------------------


def test_jobs_launch_in_the_given_order_as_devices_become_free() -> None:
    scheduler = Scheduler([task("b"), task("a"), task("c")], [Device("d", slots=2)])
    assert scheduler.start() == [Launch("b", 1, "d"), Launch("a", 1, "d")]
    assert scheduler.running == {"b": "d", "a": "d"}
    assert end(scheduler, "a", Outcome.FINISHED) == [Launch("c", 1, "d")]
    assert end(scheduler, "c", Outcome.FINISHED) == []
    assert end(scheduler, "b", Outcome.FINISHED) == [AllSettled()]
    assert scheduler.counts() == {phase: 3 * (phase is Phase.DONE) for phase in Phase}


def test_a_job_waits_for_all_its_upstream_jobs() -> None:
    scheduler = started(
        task("student", "teacher", "table"), task("table", "teacher"), task("teacher")
    )
    assert phases(scheduler, "student table teacher") == ["waiting", "waiting", "running"]
    assert end(scheduler, "teacher", Outcome.FINISHED) == [Launch("table", 1, "wide")]
    assert end(scheduler, "table", Outcome.FINISHED) == [Launch("student", 1, "wide")]


def test_an_earlier_job_that_becomes_ready_goes_before_later_ones() -> None:
    scheduler = started(task("a"), task("b", "a"), task("c"), device=CPU)
    assert end(scheduler, "a", Outcome.FINISHED) == [Launch("b", 1, "cpu")]


def test_what_earlier_runs_left_is_taken_over() -> None:
    scheduler = Scheduler(
        [task("a"), task("b", "a", "gone"), task("c"), task("d", "c"), task("e", "d"), task("f")],
        [WIDE],
        done=frozenset({"a", "gone"}),
        failed={"c": Phase.FAILED, "f": Phase.DIVERGED},
        attempts={"b": 4},
    )
    assert scheduler.start() == [Launch("b", 5, "wide")]
    assert phases(scheduler, "a c d e f") == ["done", "failed", "blocked", "blocked", "diverged"]
    assert end(scheduler, "b", Outcome.FINISHED) == [AllSettled()]


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
        Scheduler([task("a")], [CPU], failed={"a": Phase.DONE})


# --- retries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.INTERRUPTED, Outcome.OUT_OF_MEMORY])
def test_an_attempt_without_progress_is_repeated_ever_later_and_then_given_up(
    outcome: Outcome,
) -> None:
    scheduler = started(task("a"), device=CPU)
    for attempt, pause in enumerate([1.0, 4.0, 16.0], start=1):
        assert scheduler.handle(Ended("a", attempt, outcome)) == [WakeAfter("a", pause)]
        assert scheduler.phase("a") is Phase.BACKOFF
        assert scheduler.handle(BackoffOver("a")) == [Launch("a", attempt + 1, "cpu")]
    assert scheduler.handle(Ended("a", 4, outcome)) == [AllSettled()]
    assert scheduler.phase("a") is Phase.FAILED


def test_the_policy_sets_number_and_pauses() -> None:
    policy = RetryPolicy(max_retries=2, first_delay_s=0.5, factor=10)
    scheduler = started(task("a"), policy=policy)
    assert end(scheduler, "a", Outcome.CRASHED) == [WakeAfter("a", 0.5)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", Outcome.CRASHED) == [WakeAfter("a", 5.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", Outcome.CRASHED) == [AllSettled()]


def test_only_attempts_without_progress_count() -> None:
    scheduler = started(task("a"), policy=RetryPolicy(max_retries=1))
    for step in (10, 20, 30):
        assert end(scheduler, "a", Outcome.CRASHED, step=step) == [WakeAfter("a", 1.0)]
        scheduler.handle(BackoffOver("a"))
        # As far as before is no progress; this one counts.
        assert end(scheduler, "a", Outcome.CRASHED, step=step) == [WakeAfter("a", 1.0)]
        scheduler.handle(BackoffOver("a"))
    end(scheduler, "a", Outcome.CRASHED, step=29)
    assert scheduler.phase("a") is Phase.FAILED


def test_the_same_error_twice_is_final() -> None:
    scheduler = started(task("a"))
    assert end(scheduler, "a", Outcome.ERROR, fingerprint="x") == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", Outcome.ERROR, step=5, fingerprint="x") == [AllSettled()]
    assert scheduler.phase("a") is Phase.FAILED


@pytest.mark.parametrize("fingerprints", ["wxyz", ["", "", "", ""]])
def test_different_errors_count_as_retries(fingerprints: str) -> None:
    scheduler = started(task("a"))
    for fingerprint, pause in zip(fingerprints, [1.0, 4.0, 16.0], strict=False):
        out = end(scheduler, "a", Outcome.ERROR, fingerprint=fingerprint)
        assert out == [WakeAfter("a", pause)]
        scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", Outcome.ERROR, fingerprint=fingerprints[3]) == [AllSettled()]


def test_a_job_that_diverged_is_not_repeated() -> None:
    scheduler = started(task("a"), task("b", "a"))
    assert end(scheduler, "a", Outcome.DIVERGED, step=7) == [AllSettled()]
    assert phases(scheduler, "a b") == ["diverged", "blocked"]


def test_an_interruption_that_nobody_asked_us_for_goes_on_at_once_after_progress() -> None:
    scheduler = started(task("a"), policy=RetryPolicy(max_retries=0))
    for step in range(1, 9):
        out = end(scheduler, "a", Outcome.INTERRUPTED, step=step)
        assert out == [Launch("a", step + 1, "wide")]
    end(scheduler, "a", Outcome.INTERRUPTED, step=8)
    assert scheduler.phase("a") is Phase.FAILED


def test_after_running_out_of_shared_memory_a_job_runs_alone_and_only_then_counts() -> None:
    device = Device("d", slots=2)
    scheduler = started(task("a"), task("b"), device=device, policy=RetryPolicy(max_retries=1))
    assert end(scheduler, "a", Outcome.OUT_OF_MEMORY) == [WakeAfter("a", 1.0)]
    assert scheduler.handle(BackoffOver("a")) == []  # b is still there
    assert end(scheduler, "b", Outcome.FINISHED) == [Launch("a", 2, "d")]
    assert end(scheduler, "a", Outcome.OUT_OF_MEMORY) == [WakeAfter("a", 1.0)]
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "a", Outcome.OUT_OF_MEMORY) == [AllSettled()]
    assert scheduler.phase("a") is Phase.FAILED


def test_nobody_joins_a_job_that_runs_alone() -> None:
    scheduler = started(task("a"), task("b", "c"), task("c"), device=Device("d", slots=3))
    end(scheduler, "a", Outcome.OUT_OF_MEMORY, step=3)
    scheduler.handle(BackoffOver("a"))
    assert end(scheduler, "c", Outcome.CRASHED) == [WakeAfter("c", 1.0), Launch("a", 2, "d")]
    assert scheduler.handle(BackoffOver("c")) == []
    assert end(scheduler, "a", Outcome.FINISHED) == [Launch("c", 2, "d")]


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
    assert end(scheduler, "a", Outcome.CRASHED) == []
    assert phases(scheduler, "a b c x y z") == [
        "failed", "blocked", "blocked", "running", "waiting", "blocked",
    ]  # fmt: skip
    end(scheduler, "x", Outcome.FINISHED)
    assert end(scheduler, "y", Outcome.FINISHED) == [AllSettled()]


def test_retry_unblocks_what_no_other_failure_blocks() -> None:
    tasks = [task("a"), task("b"), task("c", "a"), task("d", "c", "b"), task("e", "c")]
    scheduler = started(*tasks, policy=RetryPolicy(max_retries=0))
    end(scheduler, "b", Outcome.DIVERGED)
    assert end(scheduler, "a", Outcome.CRASHED) == [AllSettled()]
    assert scheduler.handle(Retry("a")) == [Launch("a", 2, "wide")]
    scheduler.check_invariants()
    assert phases(scheduler, "c d e") == ["waiting", "blocked", "waiting"]
    end(scheduler, "a", Outcome.FINISHED)
    end(scheduler, "c", Outcome.FINISHED)
    assert end(scheduler, "e", Outcome.FINISHED) == [AllSettled()]  # there was work again
    assert scheduler.handle(Retry("b")) == [Launch("b", 2, "wide")]
    assert end(scheduler, "b", Outcome.FINISHED) == [Launch("d", 1, "wide")]


def test_retry_gives_fresh_retries() -> None:
    scheduler = started(task("a"))
    for fingerprint in "xx":
        end(scheduler, "a", Outcome.ERROR, fingerprint=fingerprint)
        if scheduler.phase("a") is Phase.BACKOFF:
            scheduler.handle(BackoffOver("a"))
    assert scheduler.handle(Retry("a")) == [Launch("a", 3, "wide")]
    assert end(scheduler, "a", Outcome.ERROR, fingerprint="x") == [WakeAfter("a", 1.0)]


def test_a_retried_job_of_an_earlier_run_waits_for_its_upstream_jobs() -> None:
    failed = {"b": Phase.FAILED, "c": Phase.FAILED}
    scheduler = started(task("a"), task("b", "a"), task("c", "b"), task("d", "c"), failed=failed)
    scheduler.handle(Retry("c"))
    scheduler.check_invariants()
    assert phases(scheduler, "b c d") == ["failed", "blocked", "blocked"]
    assert scheduler.handle(Retry("b")) == []
    scheduler.check_invariants()
    assert phases(scheduler, "b c d") == ["waiting", "waiting", "waiting"]
    assert end(scheduler, "a", Outcome.FINISHED) == [Launch("b", 1, "wide")]


# --- stopping ----------------------------------------------------------------------------------


def test_a_stop_asks_once_then_kills_and_launches_no_more() -> None:
    scheduler = started(
        task("a"), task("b"), task("c"), task("d", "a"), device=Device("d", slots=2)
    )
    assert scheduler.handle(StopRequested()) == [Terminate("a"), Terminate("b")]
    assert end(scheduler, "a", Outcome.FINISHED) == []
    assert scheduler.handle(StopRequested()) == [Kill("b")]
    assert end(scheduler, "b", Outcome.CRASHED) == [AllSettled()]
    assert phases(scheduler, "a b c d") == ["done", "stopped", "ready", "ready"]


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [
        (Outcome.FINISHED, Phase.DONE),
        (Outcome.DIVERGED, Phase.DIVERGED),
        (Outcome.INTERRUPTED, Phase.STOPPED),
        (Outcome.CRASHED, Phase.STOPPED),
        (Outcome.OUT_OF_MEMORY, Phase.STOPPED),
        (Outcome.ERROR, Phase.STOPPED),
    ],
)
def test_what_a_stop_makes_of_each_outcome(outcome: Outcome, phase: Phase) -> None:
    scheduler = started(task("a"))
    scheduler.handle(StopRequested())
    assert end(scheduler, "a", outcome, fingerprint="x") == [AllSettled()]
    assert scheduler.phase("a") is phase


def test_a_definite_failure_is_one_during_a_stop_too_but_a_kill_is_none() -> None:
    tasks = [task("error"), task("memory"), task("crash"), task("killed")]
    scheduler = started(*tasks, policy=RetryPolicy(max_retries=0), device=Device("d", slots=5))
    end(scheduler, "memory", Outcome.OUT_OF_MEMORY)  # shared, hence not counted
    scheduler.handle(StopRequested())
    assert scheduler.phase("memory") is Phase.STOPPED
    end(scheduler, "error", Outcome.ERROR, fingerprint="x")
    end(scheduler, "crash", Outcome.CRASHED)
    end(scheduler, "killed", Outcome.INTERRUPTED)
    assert phases(scheduler, "error crash killed") == ["failed", "stopped", "stopped"]


def test_a_job_in_backoff_is_stopped_and_its_late_wake_up_is_harmless() -> None:
    scheduler = started(task("a"))
    end(scheduler, "a", Outcome.CRASHED)
    assert scheduler.handle(StopRequested()) == [AllSettled()]
    assert scheduler.phase("a") is Phase.STOPPED
    assert scheduler.handle(BackoffOver("a")) == []
    assert scheduler.phase("a") is Phase.STOPPED


def test_a_retry_during_a_stop_waits_for_the_next_run() -> None:
    scheduler = started(task("a"), task("b"))
    end(scheduler, "a", Outcome.DIVERGED)
    scheduler.handle(StopRequested())
    assert scheduler.handle(Retry("a")) == []
    assert end(scheduler, "b", Outcome.INTERRUPTED) == [AllSettled()]
    assert phases(scheduler, "a b") == ["ready", "stopped"]


# --- memory, as told by events -----------------------------------------------------------------


def test_a_measured_peak_lets_the_next_jobs_join() -> None:
    device = Device("gpu", slots=None, free_bytes=1000)
    scheduler = Scheduler([task(name) for name in "abcd"], [device])
    assert scheduler.start() == [Launch("a", 1, "gpu")]
    assert scheduler.handle(PeakMeasured("k", 300)) == [
        Launch("b", 1, "gpu"),
        Launch("c", 1, "gpu"),
    ]
    assert scheduler.handle(DeviceChanged("gpu", 500)) == [Launch("d", 1, "gpu")]
    scheduler.check_invariants()


def test_a_peak_known_from_an_earlier_run_counts_from_the_start() -> None:
    scheduler = Scheduler([task("a"), task("b")], [Device("gpu", slots=None)])
    assert scheduler.handle(PeakMeasured("k", 100)) == []
    assert scheduler.handle(DeviceChanged("gpu", 1000)) == []
    assert len(scheduler.start()) == 2


# --- what cannot happen ------------------------------------------------------------------------


def test_an_illegal_event_names_the_job_and_its_history_and_changes_nothing() -> None:
    scheduler = started(task("a"), task("b", "a"), task("f"))
    end(scheduler, "a", Outcome.CRASHED, step=3)
    scheduler.handle(BackoffOver("a"))
    end(scheduler, "f", Outcome.DIVERGED)
    before = (scheduler.counts(), scheduler.running)
    illegal: list[Event] = [
        Ended("a", 1, Outcome.FINISHED),  # an attempt of the past
        Ended("a", 3, Outcome.FINISHED),  # and one of the future
        Ended("b", 0, Outcome.FINISHED),
        BackoffOver("a"),
        BackoffOver("b"),
        Retry("a"),
        Retry("b"),
        Ended("f", 1, Outcome.FINISHED),
        Retry("nobody"),
    ]
    for event in illegal:
        with pytest.raises(IllegalTransitionError) as caught:
            scheduler.handle(event)
        assert isinstance(caught.value, AblateError)
        assert (scheduler.counts(), scheduler.running) == before
        scheduler.check_invariants()
    with pytest.raises(IllegalTransitionError) as caught:
        scheduler.handle(Ended("a", 1, Outcome.FINISHED))
    assert str(caught.value) == (
        'job "a": event "attempt 1 finished", but it is running, latest attempt 2 (its recent '
        "history: waiting -> ready (upstream done); ready -> running (attempt 1 on wide); "
        "running -> backoff (attempt 1 crashed at step 3); backoff -> ready (backoff over); "
        "ready -> running (attempt 2 on wide))"
    )
    assert caught.value.job == "a"
    assert len(caught.value.history) == 5


def test_starting_twice_is_refused() -> None:
    scheduler = started(task("a"))
    with pytest.raises(AblateError, match="started already"):
        scheduler.start()


# --- random histories --------------------------------------------------------------------------

PEAKS = {"k0": 100, "k1": 350, "k2": 900}
POOLS = (
    [Device("cpu", slots=1)],
    [Device("cpu", slots=3)],
    [Device("gpu0", slots=None, free_bytes=1000), Device("gpu1", slots=None, free_bytes=600)],
    [Device("gpu0", slots=None), Device("cpu", slots=2)],
    [Device("tiny", slots=None, free_bytes=50)],
)


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    """Random acyclic graphs, upstream jobs before or behind the jobs that need them."""
    tasks = []
    for rank in draw(st.permutations(range(draw(st.integers(1, 12))))):
        upstream = draw(st.sets(st.sampled_from(range(rank)), max_size=3)) if rank else set()
        kind = draw(st.sampled_from(sorted(PEAKS)))
        tasks.append(Task(f"j{rank}", kind, tuple(f"j{n}" for n in sorted(upstream))))
    return tasks


@dataclass
class Guest:
    """A running job as the watcher remembers it."""

    kind: str
    alone: bool
    promised: int | None  #: None: its peak is not known; 0: part of the latest reading
    unread: bool = True


class Watcher:
    """Checks instructions against the rules, from books of its own."""

    def __init__(self, tasks: list[Task], devices: list[Device], done: frozenset[str]) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.devices = {device.name: device for device in devices}
        self.free = {device.name: device.free_bytes for device in devices}
        self.guests: dict[str, dict[str, Guest]] = {device.name: {} for device in devices}
        self.finished = set(done)
        self.attempts: Counter[str] = Counter()
        self.alone: set[str] = set()
        self.pauses: set[str] = set()
        self.peaks: dict[str, int] = {}
        self.stops = self.settled = self.retries = 0

    @property
    def running(self) -> list[str]:
        return [job for guests in self.guests.values() for job in guests]

    def happened(self, event: Event) -> None:
        match event:
            case Ended(job, _, outcome):
                for guests in self.guests.values():
                    guests.pop(job, None)
                if outcome is Outcome.FINISHED:
                    self.finished.add(job)
                if outcome is Outcome.OUT_OF_MEMORY:
                    self.alone.add(job)
            case BackoffOver(job):
                self.pauses.remove(job)
            case StopRequested():
                self.stops += 1
            case Retry():
                self.retries += 1
            case PeakMeasured(kind, peak):
                self.peaks[kind] = max(peak, self.peaks.get(kind, 0))
                for guests in self.guests.values():
                    for guest in guests.values():
                        if guest.kind == kind and guest.promised is None and guest.unread:
                            guest.promised = placement.need(peak)
            case DeviceChanged(device, free):
                self.free[device] = free
                for guest in self.guests[device].values():
                    guest.unread, guest.promised = False, 0

    def answered(self, event: Event | None, instructions: list[Instruction]) -> None:
        ends = [each for each in instructions if isinstance(each, Terminate | Kill)]
        assert all(isinstance(each, Kill if self.stops > 1 else Terminate) for each in ends)
        asked = self.running if isinstance(event, StopRequested) else []
        assert sorted(each.job for each in ends) == sorted(asked)
        for each in instructions:
            match each:
                case Launch():
                    self.launched(each)
                case WakeAfter(job, seconds):
                    assert not self.stops and job not in self.running and job not in self.pauses
                    assert 0 < seconds < 100
                    self.pauses.add(job)
                case AllSettled():
                    self.settled += 1
                    assert self.settled <= 1 + self.retries
                    assert each is instructions[-1] and not self.running
                    assert self.stops or not self.pauses

    def launched(self, launch: Launch) -> None:
        job, device, there = launch.job, self.devices[launch.device], self.guests[launch.device]
        kind = self.tasks[job].kind
        peak = self.peaks.get(kind)
        assert not self.stops, "launched during a stop"
        assert job not in self.running, "runs twice at once"
        assert job not in self.pauses and job not in self.finished
        assert set(self.tasks[job].upstream) <= self.finished
        self.attempts[job] += 1
        assert launch.attempt == self.attempts[job]
        if there:
            assert job not in self.alone and not any(guest.alone for guest in there.values())
        if there and device.slots is not None:
            assert len(there) < device.slots
        elif there:
            free = self.free[launch.device]
            assert free is not None and peak is not None
            assert all(guest.kind in self.peaks for guest in there.values())
            assert 1.1 * peak <= free - sum(guest.promised or 0 for guest in there.values()) + 1e-6
        promised = placement.need(peak) if peak is not None else None
        there[job] = Guest(kind, job in self.alone, promised)


ENDS = st.sampled_from(Outcome)


class RandomHistory(RuleBasedStateMachine):
    """Anything that can happen, in any order; then everything goes well, and all must settle."""

    @initialize(data=st.data(), tasks=graphs(), devices=st.sampled_from(POOLS))
    def begin(self, data: st.DataObject, tasks: list[Task], devices: list[Device]) -> None:
        names = st.sampled_from([task.id for task in tasks])
        done = frozenset(data.draw(st.sets(names, max_size=2)))
        broken = st.sampled_from([Phase.FAILED, Phase.DIVERGED])
        failed = data.draw(st.dictionaries(names, broken, max_size=2))
        policy = RetryPolicy(max_retries=data.draw(st.integers(0, 3)))
        self.scheduler = Scheduler(tasks, devices, done=done, failed=failed, policy=policy)
        self.watcher = Watcher(tasks, devices, done)
        self.steps: Counter[str] = Counter()
        self.watcher.answered(None, self.scheduler.start())

    def send(self, event: Event) -> None:
        self.watcher.happened(event)
        self.watcher.answered(event, self.scheduler.handle(event))

    def attempt(self, job: str, outcome: Outcome, steps: int = 1, fingerprint: str = "") -> None:
        self.steps[job] += steps
        attempt = self.watcher.attempts[job]
        self.send(Ended(job, attempt, outcome, self.steps[job], fingerprint))

    def all_in(self, *phases: Phase) -> list[str]:
        return [job for job in self.watcher.tasks if self.scheduler.phase(job) in phases]

    @precondition(lambda self: self.watcher.running)
    @rule(
        data=st.data(), outcome=ENDS, steps=st.sampled_from([0, 0, 3]), mark=st.sampled_from("xyz")
    )
    def an_attempt_ends(self, data: st.DataObject, outcome: Outcome, steps: int, mark: str) -> None:
        self.attempt(data.draw(st.sampled_from(self.watcher.running)), outcome, steps, mark)

    @precondition(lambda self: self.watcher.pauses)
    @rule(data=st.data())
    def a_pause_is_over(self, data: st.DataObject) -> None:
        self.send(BackoffOver(data.draw(st.sampled_from(sorted(self.watcher.pauses)))))

    @precondition(lambda self: self.all_in(Phase.FAILED, Phase.DIVERGED))
    @rule(data=st.data())
    def somebody_retries(self, data: st.DataObject) -> None:
        self.send(Retry(data.draw(st.sampled_from(self.all_in(Phase.FAILED, Phase.DIVERGED)))))

    @rule(kind=st.sampled_from(sorted(PEAKS)), extra=st.integers(0, 50))
    def a_peak_is_measured(self, kind: str, extra: int) -> None:
        self.send(PeakMeasured(kind, PEAKS[kind] + extra))

    @rule(data=st.data(), free=st.integers(0, 2000))
    def a_device_is_read(self, data: st.DataObject, free: int) -> None:
        self.send(DeviceChanged(data.draw(st.sampled_from(sorted(self.watcher.devices))), free))

    @rule(sure=st.integers(0, 9))
    def somebody_stops(self, sure: int) -> None:
        if sure == 7:  # seldom, as it ends most of what could happen
            self.send(StopRequested())

    @precondition(lambda self: self.watcher.running)
    @rule(data=st.data(), off=st.sampled_from([-1, 1]))
    def a_wrong_attempt_ends(self, data: st.DataObject, off: int) -> None:
        job = data.draw(st.sampled_from(self.watcher.running))
        before = (self.scheduler.counts(), self.scheduler.running)
        with pytest.raises(IllegalTransitionError):
            self.scheduler.handle(Ended(job, self.watcher.attempts[job] + off, Outcome.FINISHED))
        assert (self.scheduler.counts(), self.scheduler.running) == before

    @invariant()
    def all_is_in_order(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        self.scheduler.check_invariants()
        assert sorted(self.scheduler.running) == sorted(self.watcher.running)
        idle = not self.watcher.running and (self.watcher.stops or not self.watcher.pauses)
        assert bool(idle) == self.scheduler._settled

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        for _ in range(10_000):
            if self.watcher.running:
                self.attempt(self.watcher.running[0], Outcome.FINISHED)
            elif self.watcher.pauses:
                self.send(BackoffOver(min(self.watcher.pauses)))
            else:
                break
            self.all_is_in_order()
        assert self.watcher.settled >= 1
        restless = {Phase.RUNNING, Phase.BACKOFF}
        if not self.watcher.stops:
            restless |= {Phase.READY, Phase.WAITING, Phase.STOPPED}
        assert self.all_in(*restless) == []


TestRandomHistory = RandomHistory.TestCase
TestRandomHistory.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def play(tasks: list[Task], devices: list[Device], seed: int) -> Iterator[tuple[Any, ...]]:
    """Let attempts go wrong at random, though never without progress, until all is settled."""
    random = Random(seed)
    scheduler, watcher = Scheduler(tasks, devices), Watcher(tasks, devices, frozenset())
    troubles = [Outcome.CRASHED, Outcome.INTERRUPTED, Outcome.OUT_OF_MEMORY, Outcome.ERROR]
    steps = count(1)
    answer = scheduler.start()
    watcher.answered(None, answer)
    while not scheduler._settled:
        event: Event
        pick = random.random()
        if watcher.pauses and (pick < 0.2 or not watcher.running):
            event = BackoffOver(random.choice(sorted(watcher.pauses)))
        elif pick < 0.3:
            event = PeakMeasured(*random.choice(sorted(PEAKS.items())))
        elif pick < 0.4:
            event = DeviceChanged(random.choice(devices).name, random.randrange(2000))
        else:
            job, step = random.choice(watcher.running), next(steps)
            outcome = random.choice([*troubles, Outcome.FINISHED])
            event = Ended(job, watcher.attempts[job], outcome, step, str(step))
        watcher.happened(event)
        answer = scheduler.handle(event)
        watcher.answered(event, answer)
        scheduler.check_invariants()
        yield event, tuple(answer)
    assert scheduler.counts()[Phase.DONE] == len(tasks)


@settings(max_examples=100, deadline=None)
@given(tasks=graphs(), devices=st.sampled_from(POOLS), seed=st.integers(0, 2**32))
def test_whatever_goes_wrong_all_is_done_in_the_end_and_the_same_way_again(
    tasks: list[Task], devices: list[Device], seed: int
) -> None:
    assert list(play(tasks, devices, seed)) == list(play(tasks, devices, seed))


# --- ten thousand jobs -------------------------------------------------------------------------


def large_study(size: int, kinds: int = 40) -> list[Task]:
    """Teachers, a table for each, and variants of many kinds that need both."""
    teachers = [Task(f"teacher{n}", "teacher") for n in range(size // 100)]
    tables = [Task(f"table{n}", "table", (f"teacher{n}",)) for n in range(size // 100)]
    variants = [
        Task(f"job{n}", f"k{n % kinds}", (f"teacher{n % len(teachers)}", f"table{n % len(tables)}"))
        for n in range(size - len(teachers) - len(tables))
    ]
    return variants + teachers + tables  # upstream last, so that everything has to wait first


def run_through(scheduler: Scheduler) -> int:
    """Run a study to its end, every tenth attempt crashing and peaks coming in; count events."""
    events: list[Event] = []
    answer = scheduler.start()
    handled = 0
    while AllSettled() not in answer:
        for each in answer:
            if isinstance(each, Launch):
                job = scheduler._jobs[each.job]
                crash = handled % 10 == 0 and each.attempt == 1
                events.append(PeakMeasured(job.task.kind, 50 + 10 * (handled % 9)))
                outcome = Outcome.CRASHED if crash else Outcome.FINISHED
                events.append(Ended(each.job, each.attempt, outcome, step=handled))
            elif isinstance(each, WakeAfter):
                events.append(BackoffOver(each.job))
        answer = scheduler.handle(events.pop(0))
        handled += 1
    return handled


def gpus() -> list[Device]:
    packed = [Device(f"gpu{n}", slots=None, free_bytes=500) for n in range(4)]
    return [*packed, Device("cpu", slots=2)]


def test_ten_thousand_jobs_take_a_bounded_number_of_placement_trials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = count()
    fits = placement.fits

    def counted(*args: Any) -> bool:
        next(trials)
        return fits(*args)

    monkeypatch.setattr(placement, "fits", counted)
    devices = gpus()
    scheduler = Scheduler(large_study(10_000), devices)
    events = run_through(scheduler)
    scheduler.check_invariants()
    assert scheduler.counts()[Phase.DONE] == 10_000
    attempts = 2 * len(devices) * (placement.LOOK_AHEAD + 3)  # per event: the launch and a vain one
    assert next(trials) <= attempts * events


@contextmanager
def counted_lines(counter: Counter[str]) -> Iterator[None]:
    """Count the lines of the tool's own code that are executed."""

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        if frame.f_code.co_filename not in (
            placement.__file__,
            sys.modules[Scheduler.__module__].__file__,
        ):
            return None
        counter["lines"] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_the_work_per_event_does_not_grow_with_the_study() -> None:
    per_event = []
    for size in (300, 2400):
        scheduler, counter = Scheduler(large_study(size, kinds=4), gpus()), Counter[str]()
        with counted_lines(counter):
            events = run_through(scheduler)
        per_event.append(counter["lines"] / events)
    assert per_event[1] < 1.3 * per_event[0]


def test_a_failure_at_the_head_of_a_long_chain_blocks_it_without_recursion() -> None:
    chain = [task("j0"), *(task(f"j{n}", f"j{n - 1}") for n in range(1, 10_000))]
    scheduler = started(*chain)
    assert end(scheduler, "j0", Outcome.DIVERGED) == [AllSettled()]
    assert scheduler.counts()[Phase.BLOCKED] == 9_999
    assert scheduler.handle(Retry("j0")) == [Launch("j0", 2, "wide")]
    assert scheduler.counts()[Phase.WAITING] == 9_999
