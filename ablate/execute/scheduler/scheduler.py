"""The scheduler: events in, instructions out; no clock, no processes, no files.

Whoever drives it calls `start()`, carries out the instructions (launch, terminate, kill, wake
me later), and reports what happened to `handle()`, which answers with the next instructions.
The life of a job is `TRANSITIONS`; how often an attempt is repeated is `RetryPolicy`; which
device it gets is `placement`. The same events always give the same instructions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from ablate.errors import AblateError
from ablate.execute.scheduler.messages import (
    TRANSITIONS,
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
    TasksAdded,
    Terminate,
    Trigger,
    WaitedTooLong,
    WakeAfter,
)
from ablate.execute.scheduler.placement import DeviceCapacity, Placement, Request
from ablate.execute.scheduler.retry import DETERMINISTIC, USUAL, RetryPolicy
from ablate.execute.scheduler.scheduled_task import ACTIVE, ScheduledTask, check_job, linked
from ablate.methods.lifecycle import BROKEN, AttemptOutcome, JobStatus


class IllegalTransitionError(AblateError):
    """An event that cannot happen to a job as it is; the scheduler or its driver has a bug."""

    def __init__(self, job: str, what: str, history: Iterable[str] = ()) -> None:
        self.job, self.history = job, tuple(history)
        past = "; ".join(self.history) or "none"
        super().__init__(f'job "{job}": {what} (its recent history: {past})')


class Scheduler:
    """Decide which job runs where and when, from events alone.

    `done`, `failed`, `attempts` and `steps` carry over what earlier runs left, as `TasksAdded`
    does for jobs that come later. `PeakMeasured` and `DeviceChanged` known from before may be
    handled before `start`.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        devices: Iterable[DeviceCapacity],
        *,
        done: frozenset[str] = frozenset(),
        failed: Mapping[str, JobStatus] = {},
        attempts: Mapping[str, int] = {},
        steps: Mapping[str, int] = {},
        policy: RetryPolicy = USUAL,
    ) -> None:
        self._policy = policy
        self._placement = Placement(devices)
        self._jobs: dict[str, ScheduledTask] = {}
        self._counts = dict.fromkeys(JobStatus, 0)
        self._running: dict[str, str] = {}
        self._backoff: dict[str, None] = {}  # an ordered set
        self._started = self._settled = False
        self._stopping = False  #: nothing starts any more
        self._asked = False  #: somebody has asked to stop
        self._paused = ""  #: the job whose attempt the machine failed; "" if nothing waits for that
        self._pauses, self._waited_s = 0, 0.0  #: of the machine, since the last progress
        self._rows: dict[str, dict[str, str]] = {}  #: fingerprint -> row -> its first job
        self._add(TasksAdded(tuple(tasks), done, failed, attempts, steps))

    @property
    def running(self) -> Mapping[str, str]:
        """The running jobs and their devices, in the order they were launched."""
        return dict(self._running)

    def status(self, job: str) -> JobStatus:
        """The status of a job."""
        return self._job(job).status

    def next_attempt(self, job: str) -> int:
        """The number of the next attempt at a job."""
        return self._job(job).attempt + 1

    def counts(self) -> Mapping[JobStatus, int]:
        """How many jobs have each status, zeros included."""
        return dict(self._counts)

    def start(self) -> list[Instruction]:
        """Begin: launch what can run."""
        if self._started:
            raise AblateError("the scheduler was started already")
        self._started = True
        return self._go_on()

    def handle(self, event: Event) -> list[Instruction]:
        """Take note of an event and say what to do next; an illegal event changes nothing."""
        out: list[Instruction] = []
        match event:
            case TasksAdded():
                self._add(event)
            case AttemptQueued(job):
                self._move(self._job(job), Trigger.QUEUE)
            case AttemptBegan(job):
                self._move(self._job(job), Trigger.BEGIN)
            case Ended():
                out += self._end(event)
            case PauseOver(sound):
                job, self._paused = self._paused, ""
                out += self._pause(job) if job and not sound else []
            case BackoffOver(job):
                self._move(self._job(job), Trigger.BACKOFF_OVER)
            case StopRequested():
                out += self._stop()
            case PeakMeasured(kind, peak):
                self._placement.measured(kind, peak)
            case DeviceChanged(device, free_bytes):
                self._placement.read(device, free_bytes)
            case _:
                assert_never(event)
        return out + self._go_on()

    def _add(self, added: TasksAdded) -> None:
        new = linked(added, self._jobs)
        self._jobs |= new
        for job in new.values():
            self._counts[job.status] += 1
        for job in new.values():
            if job.status in (JobStatus.FAILED, JobStatus.DIVERGED):
                self._break_downstream(job)
        for job in new.values():
            self._look_upstream(job)

    def _go_on(self) -> list[Instruction]:
        """Launch all that can run now, and notice when nothing is left to do."""
        out: list[Instruction] = []
        if not self._started:
            return out
        while not (self._stopping or self._paused) and (placed := self._placement.place_next()):
            name, device = placed
            job = self._jobs[name]
            job.attempt += 1
            job.launched += 1
            self._move(job, Trigger.LAUNCH, f"attempt {job.attempt} on {device}")
            self._running[name] = device
            out.append(Launch(name, job.attempt, device))
        rests = self._stopping or not self._placement.waiting
        idle = rests and not self._running and not self._backoff
        if idle and not self._settled:
            out.append(AllSettled())
        self._settled = idle
        return out

    def _end(self, end: Ended) -> list[Instruction]:
        job = self._job(end.job)
        what = f"attempt {end.attempt} {end.outcome}"
        if job.status not in ACTIVE or end.attempt != job.attempt:
            raise self._illegal(job, f'event "{what}", but it is {_described(job)}')
        if end.step > job.record.step or end.outcome is AttemptOutcome.FINISHED:
            self._pauses, self._waited_s = 0, 0.0
        shared = self._placement.release(end.job)
        del self._running[end.job]
        trigger, job.record = self._policy.judge(
            job.record, end, shared=shared, stopping=self._stopping
        )
        job.ended += 1
        status = self._move(job, trigger, f"{what} at step {end.step}")
        if status is JobStatus.DONE:
            for below in job.downstream:
                below.unfinished -= 1
                self._look_upstream(below)
        elif status in BROKEN:
            self._break_downstream(job)
        if same := self._same_error(job, end):
            return same
        if status is JobStatus.BACKOFF:
            busy = end.outcome is AttemptOutcome.BUSY
            seconds = self._policy.busy_s if busy else self._policy.delay_s(job.record)
            return [WakeAfter(end.job, seconds)]
        if end.outcome is AttemptOutcome.MACHINE and not (self._paused or self._stopping):
            return self._pause(end.job)
        return []

    def _pause(self, job: str) -> list[Instruction]:
        """Wait for the machine, ever longer, unless it was waited for long enough."""
        if self._stopping:
            return []
        if self._waited_s >= self._policy.machine_wait_s:
            self._start_no_more()
            return [WaitedTooLong()]
        seconds = self._policy.pause_s(self._pauses)
        self._pauses, self._waited_s = self._pauses + 1, self._waited_s + seconds
        self._paused = job
        return [Pause(job, seconds)]

    def _same_error(self, job: ScheduledTask, end: Ended) -> list[Instruction]:
        """Stop where an error that ended a job of one row has ended one of another row, too."""
        if not end.fingerprint or self._stopping or end.outcome not in DETERMINISTIC:
            return []
        rows = self._rows.setdefault(end.fingerprint, {})
        rows.setdefault(job.task.row, end.job)
        if len(rows) < 2:
            return []
        for name in rows.values():
            if self._jobs[name].status is JobStatus.BACKOFF:
                self._move(self._jobs[name], Trigger.GIVE_UP)
                self._break_downstream(self._jobs[name])
        self._start_no_more()
        return [SameError(tuple(rows.values())), *map(Terminate, self._running)]

    def _stop(self) -> list[Instruction]:
        again, self._asked = self._asked, True
        self._start_no_more()
        return [Kill(name) if again else Terminate(name) for name in self._running]

    def _start_no_more(self) -> None:
        self._stopping, self._paused = True, ""
        for name in list(self._backoff):
            self._move(self._jobs[name], Trigger.STOP)

    def _look_upstream(self, job: ScheduledTask) -> None:
        """Move a waiting job on if its upstream jobs let it, or never will."""
        if job.status is JobStatus.WAITING and job.broken:
            self._move(job, Trigger.UPSTREAM_BROKEN)
        elif job.status is JobStatus.WAITING and not job.unfinished:
            self._move(job, Trigger.UPSTREAM_DONE)

    def _break_downstream(self, job: ScheduledTask) -> None:
        """Block all that builds on a job; a loop, since chains can be longer than the stack."""
        spreading = [job]
        while spreading:
            for below in spreading.pop().downstream:
                below.broken += 1
                if below.status is JobStatus.WAITING:
                    self._move(below, Trigger.UPSTREAM_BROKEN)
                    spreading.append(below)

    def _move(self, job: ScheduledTask, trigger: Trigger, why: str = "") -> JobStatus:
        target = TRANSITIONS.get((job.status, trigger))
        if target is None:
            raise self._illegal(job, f'"{trigger}" while it is {_described(job)}')
        job.history.append(f"{job.status} -> {target} ({why or trigger})")
        self._counts[job.status] -= 1
        self._counts[target] += 1
        self._backoff.pop(job.task.id, None)
        job.status = target
        if target is JobStatus.BACKOFF:
            self._backoff[job.task.id] = None
        elif target is JobStatus.READY:
            task = job.task
            self._placement.add(Request(job.order, task.id, task.kind, job.record.alone))
        return target

    def _job(self, name: str) -> ScheduledTask:
        if name not in self._jobs:
            raise IllegalTransitionError(name, "no such job")
        return self._jobs[name]

    def _illegal(self, job: ScheduledTask, what: str) -> IllegalTransitionError:
        return IllegalTransitionError(job.task.id, what, job.history)

    def check_invariants(self) -> None:
        """Assert what must always hold; looks at every job, so it is for tests."""
        jobs = self._jobs.values()
        statuses = [job.status for job in jobs]
        assert self._counts == {status: statuses.count(status) for status in JobStatus}
        running = [job.task.id for job in jobs if job.status in ACTIVE]
        assert sorted(running) == sorted(self._running)
        self._placement.check_invariants(self._running)
        assert self._placement.waiting == self._counts[JobStatus.READY]
        assert set(self._backoff) == {
            job.task.id for job in jobs if job.status is JobStatus.BACKOFF
        }
        assert not any(status is JobStatus.DONE for status, _ in TRANSITIONS), (
            "finished never reruns"
        )
        for job in jobs:
            check_job(job, self._jobs)
        if self._started and self._counts[JobStatus.READY]:
            rests = self._stopping or self._paused
            assert self._running or rests, "ready jobs, free devices, nothing runs"
        if self._stopping:
            assert not self._backoff
        if self._settled:
            assert not self._running and not self._backoff


def _described(job: ScheduledTask) -> str:
    return f"{job.status}, latest attempt {job.attempt}" if job.attempt else str(job.status)
