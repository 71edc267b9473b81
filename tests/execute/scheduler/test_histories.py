"""The scheduler: all rules at once in random histories, and the cost of ten thousand jobs."""

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

from ablate.execute.scheduler import placement
from ablate.execute.scheduler.messages import (
    AllSettled,
    AttemptBegan,
    AttemptQueued,
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

PEAKS = {"k0": 100, "k1": 350, "k2": 900}
POOLS = (
    [DeviceCapacity("cpu", slots=1)],
    [DeviceCapacity("cpu", slots=3)],
    [
        DeviceCapacity("gpu0", slots=None, free_bytes=1000),
        DeviceCapacity("gpu1", slots=None, free_bytes=600),
    ],
    [DeviceCapacity("gpu0", slots=None), DeviceCapacity("cpu", slots=2)],
    [DeviceCapacity("tiny", slots=None, free_bytes=50)],
)


@st.composite
def graphs(draw: st.DrawFn) -> list[Task]:
    """Random acyclic graphs, upstream jobs before or behind the jobs that need them."""
    tasks = []
    for rank in draw(st.permutations(range(draw(st.integers(1, 12))))):
        upstream = draw(st.sets(st.sampled_from(range(rank)), max_size=3)) if rank else set()
        kind = draw(st.sampled_from(sorted(PEAKS)))
        row = draw(st.sampled_from("ab"))
        tasks.append(Task(f"j{rank}", kind, tuple(f"j{n}" for n in sorted(upstream)), row))
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

    def __init__(
        self, tasks: list[Task], devices: list[DeviceCapacity], done: frozenset[str]
    ) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.devices = {device.name: device for device in devices}
        self.free = {device.name: device.free_bytes for device in devices}
        self.guests: dict[str, dict[str, Guest]] = {device.name: {} for device in devices}
        self.finished = set(done)
        self.attempts: Counter[str] = Counter()
        self.alone: set[str] = set()
        self.pauses: set[str] = set()
        self.peaks: dict[str, int] = {}
        self.stops = self.settled = 0
        self.outage = False  #: the machine is waited for
        self.given_up = False  #: nothing starts, though nobody asked to stop
        self.errors: dict[str, set[str]] = {}  #: fingerprint -> rows
        self.cancelled: set[str] = set()  #: jobs that somebody took off a cluster

    def waiting_for(self, jobs: set[str]) -> set[str]:
        """Jobs and all that needs them, directly or not."""
        found = set(jobs)
        while more := {t.id for t in self.tasks.values() if found & {*t.upstream}} - found:
            found |= more
        return found

    @property
    def over(self) -> bool:
        """Whether nothing may start any more."""
        return bool(self.stops or self.given_up)

    @property
    def running(self) -> list[str]:
        return [job for guests in self.guests.values() for job in guests]

    def happened(self, event: Event) -> None:
        match event:
            case Ended(job, _, outcome, _, mark):
                if outcome in (AttemptOutcome.ERROR, AttemptOutcome.REFUSED) and not self.over:
                    self.errors.setdefault(mark, set()).add(self.tasks[job].row)
                for guests in self.guests.values():
                    guests.pop(job, None)
                if outcome is AttemptOutcome.CANCELLED:
                    self.cancelled.add(job)
                if outcome is AttemptOutcome.FINISHED:
                    self.finished.add(job)
                if outcome is AttemptOutcome.OUT_OF_MEMORY:
                    self.alone.add(job)
            case BackoffOver(job):
                self.pauses.remove(job)
            case PauseOver():
                self.outage = False
            case StopRequested():
                self.stops += 1
                self.outage = False
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
        given_up = any(isinstance(each, SameError) for each in instructions)
        asked = self.running if isinstance(event, StopRequested) or given_up else []
        assert given_up == (not self.over and any(len(rows) > 1 for rows in self.errors.values()))
        assert sorted(each.job for each in ends) == sorted(asked)
        for each in instructions:
            match each:
                case Launch():
                    self.launched(each)
                case WakeAfter(job, seconds):
                    assert not self.over and job not in self.running and job not in self.pauses
                    assert 0 < seconds < 100
                    self.pauses.add(job)
                case Pause(_, seconds):
                    assert not self.over and not self.outage
                    assert 0 < seconds <= 30
                    self.outage = True
                case SameError(jobs):
                    assert len({self.tasks[job].row for job in jobs}) == len(jobs) == 2
                    self.given_up, self.outage = True, False
                case WaitedTooLong():
                    self.given_up = True
                case AllSettled():
                    self.settled += 1
                    assert self.settled == 1
                    assert each is instructions[-1] and not self.running
                    assert self.over or not self.pauses

    def launched(self, launch: Launch) -> None:
        job, device, there = launch.job, self.devices[launch.device], self.guests[launch.device]
        kind = self.tasks[job].kind
        peak = self.peaks.get(kind)
        assert not self.over, "launched during a stop"
        assert not self.outage, "launched while the machine is waited for"
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


ENDS = st.sampled_from(AttemptOutcome)


class RandomHistory(RuleBasedStateMachine):
    """Anything that can happen, in any order; then everything goes well, and all must settle."""

    @initialize(data=st.data(), tasks=graphs(), devices=st.sampled_from(POOLS))
    def begin(self, data: st.DataObject, tasks: list[Task], devices: list[DeviceCapacity]) -> None:
        names = st.sampled_from([task.id for task in tasks])
        done = frozenset(data.draw(st.sets(names, max_size=2)))
        broken = st.sampled_from([JobStatus.FAILED, JobStatus.DIVERGED])
        failed = data.draw(st.dictionaries(names, broken, max_size=2))
        policy = RetryPolicy(max_retries=data.draw(st.integers(0, 3)))
        self.scheduler = Scheduler(tasks, devices, done=done, failed=failed, policy=policy)
        self.watcher = Watcher(tasks, devices, done)
        self.steps: Counter[str] = Counter()
        self.watcher.answered(None, self.scheduler.start())

    def send(self, event: Event) -> None:
        self.watcher.happened(event)
        self.watcher.answered(event, self.scheduler.handle(event))

    def attempt(
        self, job: str, outcome: AttemptOutcome, steps: int = 1, fingerprint: str = ""
    ) -> None:
        self.steps[job] += steps
        attempt = self.watcher.attempts[job]
        self.send(Ended(job, attempt, outcome, self.steps[job], fingerprint))

    def all_in(self, *statuses: JobStatus) -> list[str]:
        return [job for job in self.watcher.tasks if self.scheduler.status(job) in statuses]

    @precondition(lambda self: self.watcher.running)
    @rule(
        data=st.data(), outcome=ENDS, steps=st.sampled_from([0, 0, 3]), mark=st.sampled_from("xyz")
    )
    def an_attempt_ends(
        self, data: st.DataObject, outcome: AttemptOutcome, steps: int, mark: str
    ) -> None:
        self.attempt(data.draw(st.sampled_from(self.watcher.running)), outcome, steps, mark)

    @precondition(lambda self: self.watcher.pauses)
    @rule(data=st.data())
    def a_pause_is_over(self, data: st.DataObject) -> None:
        self.send(BackoffOver(data.draw(st.sampled_from(sorted(self.watcher.pauses)))))

    @precondition(lambda self: self.watcher.outage)
    @rule(sound=st.booleans())
    def the_machine_is_looked_at(self, sound: bool) -> None:
        self.send(PauseOver(sound))

    @precondition(lambda self: self.watcher.running)
    @rule(data=st.data())
    def an_attempt_begins_or_is_queued_again(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.watcher.running))
        queued = self.scheduler.status(job) is JobStatus.QUEUED
        self.send(AttemptBegan(job) if queued else AttemptQueued(job))

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
            self.scheduler.handle(
                Ended(job, self.watcher.attempts[job] + off, AttemptOutcome.FINISHED)
            )
        assert (self.scheduler.counts(), self.scheduler.running) == before

    @invariant()
    def all_is_in_order(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        self.scheduler.check_invariants()
        assert sorted(self.scheduler.running) == sorted(self.watcher.running)
        waits = self.watcher.pauses or (self.watcher.outage and self.all_in(JobStatus.READY))
        idle = not self.watcher.running and (self.watcher.over or not waits)
        assert bool(idle) == self.scheduler._settled

    def teardown(self) -> None:
        if not hasattr(self, "scheduler"):
            return
        for _ in range(10_000):
            if self.watcher.running:
                self.attempt(self.watcher.running[0], AttemptOutcome.FINISHED)
            elif self.watcher.outage:
                self.send(PauseOver())
            elif self.watcher.pauses:
                self.send(BackoffOver(min(self.watcher.pauses)))
            else:
                break
            self.all_is_in_order()
        assert self.watcher.settled >= 1
        restless = {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.BACKOFF}
        if not self.watcher.over:
            restless |= {JobStatus.READY, JobStatus.WAITING, JobStatus.INTERRUPTED}
        left = self.watcher.waiting_for(self.watcher.cancelled)
        assert set(self.all_in(*restless)) <= left


TestRandomHistory = RandomHistory.TestCase
TestRandomHistory.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def play(tasks: list[Task], devices: list[DeviceCapacity], seed: int) -> Iterator[tuple[Any, ...]]:
    """Let attempts go wrong at random, though never without progress, until all is settled."""
    random = Random(seed)
    scheduler, watcher = Scheduler(tasks, devices), Watcher(tasks, devices, frozenset())
    troubles = [
        AttemptOutcome.CRASHED,
        AttemptOutcome.INTERRUPTED,
        AttemptOutcome.OUT_OF_MEMORY,
        AttemptOutcome.ERROR,
    ]
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
            outcome = random.choice([*troubles, AttemptOutcome.FINISHED])
            event = Ended(job, watcher.attempts[job], outcome, step, f"{job} {step}")
        watcher.happened(event)
        answer = scheduler.handle(event)
        watcher.answered(event, answer)
        scheduler.check_invariants()
        yield event, tuple(answer)
    assert scheduler.counts()[JobStatus.DONE] == len(tasks)


@settings(max_examples=100)
@given(tasks=graphs(), devices=st.sampled_from(POOLS), seed=st.integers(0, 2**32))
def test_whatever_goes_wrong_all_is_done_in_the_end_and_the_same_way_again(
    tasks: list[Task], devices: list[DeviceCapacity], seed: int
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
                outcome = AttemptOutcome.CRASHED if crash else AttemptOutcome.FINISHED
                events.append(Ended(each.job, each.attempt, outcome, step=handled))
            elif isinstance(each, WakeAfter):
                events.append(BackoffOver(each.job))
        answer = scheduler.handle(events.pop(0))
        handled += 1
    return handled


def gpus() -> list[DeviceCapacity]:
    packed = [DeviceCapacity(f"gpu{n}", slots=None, free_bytes=500) for n in range(4)]
    return [*packed, DeviceCapacity("cpu", slots=2)]


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
    assert scheduler.counts()[JobStatus.DONE] == 10_000
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
