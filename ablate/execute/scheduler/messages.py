"""Events for the scheduler, its instructions, and the table of a job's transitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ablate.methods.lifecycle import AttemptOutcome, JobStatus


class Trigger(StrEnum):
    """What moves a job from one status to another."""

    UPSTREAM_DONE = "upstream done"
    UPSTREAM_BROKEN = "upstream broken"
    LAUNCH = "launch"
    QUEUE = "queue"
    BEGIN = "begin"
    FINISH = "finish"
    DIVERGE = "diverge"
    GIVE_UP = "give up"
    REPEAT_LATER = "repeat later"
    REPEAT_NOW = "repeat now"
    STOP = "stop"
    BACKOFF_OVER = "backoff over"


QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING

#: What the end of an attempt makes of a job, whether it was seen to run or not.
ENDS: Mapping[Trigger, JobStatus] = {
    Trigger.FINISH: JobStatus.DONE,
    Trigger.DIVERGE: JobStatus.DIVERGED,
    Trigger.GIVE_UP: JobStatus.FAILED,
    Trigger.REPEAT_LATER: JobStatus.BACKOFF,
    Trigger.REPEAT_NOW: JobStatus.READY,
    Trigger.STOP: JobStatus.INTERRUPTED,
}

TRANSITIONS: Mapping[tuple[JobStatus, Trigger], JobStatus] = {
    (JobStatus.WAITING, Trigger.UPSTREAM_DONE): JobStatus.READY,
    (JobStatus.WAITING, Trigger.UPSTREAM_BROKEN): JobStatus.BLOCKED,
    (JobStatus.READY, Trigger.LAUNCH): JobStatus.QUEUED,
    (JobStatus.QUEUED, Trigger.QUEUE): JobStatus.QUEUED,
    (JobStatus.RUNNING, Trigger.QUEUE): JobStatus.QUEUED,  # a cluster took its place away
    (JobStatus.QUEUED, Trigger.BEGIN): JobStatus.RUNNING,
    **{(here, end): after for here in (QUEUED, RUNNING) for end, after in ENDS.items()},
    (JobStatus.BACKOFF, Trigger.BACKOFF_OVER): JobStatus.READY,
    (JobStatus.BACKOFF, Trigger.GIVE_UP): JobStatus.FAILED,
    (JobStatus.BACKOFF, Trigger.STOP): JobStatus.INTERRUPTED,
    # A wake-up that was asked for before the stop.
    (JobStatus.INTERRUPTED, Trigger.BACKOFF_OVER): JobStatus.INTERRUPTED,
    (JobStatus.FAILED, Trigger.BACKOFF_OVER): JobStatus.FAILED,
}


@dataclass(frozen=True)
class Task:
    """A job as the scheduler sees it; jobs of one `kind` need about the same memory."""

    id: str
    kind: str
    upstream: tuple[str, ...] = ()
    row: str = ""  #: of the study: one error in two different rows stops the run


@dataclass(frozen=True)
class TasksAdded:
    """Jobs to carry out, and what earlier runs left of them.

    `failed` says FAILED or DIVERGED; `steps` are of the furthest checkpoint, so that no attempt
    counts it as progress again. Upstream jobs may be named in `done` without being tasks.
    """

    tasks: tuple[Task, ...]
    done: frozenset[str] = frozenset()
    failed: Mapping[str, JobStatus] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptQueued:
    """A launched attempt waits in a queue, for the first time or again."""

    job: str


@dataclass(frozen=True)
class AttemptBegan:
    """A queued attempt runs now."""

    job: str


@dataclass(frozen=True)
class Ended:
    """An attempt ended; `step` is what checkpoints reached by then, counted over all attempts.

    It is less than at the end before where the attempt found no sound checkpoint to go on from.
    """

    job: str
    attempt: int
    outcome: AttemptOutcome
    step: int = 0
    fingerprint: str = ""  #: hash of an ERROR's traceback; "" is like no other, not even itself


@dataclass(frozen=True)
class BackoffOver:
    """The time asked for by `WakeAfter` has passed."""

    job: str


@dataclass(frozen=True)
class PauseOver:
    """The time asked for by `Pause` has passed; whether the machine was found sound by then."""

    sound: bool = True


@dataclass(frozen=True)
class StopRequested:
    """Somebody wants to stop: once gently, a second time at once."""


@dataclass(frozen=True)
class PeakMeasured:
    """A job of this kind was seen to take so many bytes, in all, on its device."""

    kind: str
    bytes: int


@dataclass(frozen=True)
class DeviceChanged:
    """A device has so many bytes free, with all that runs there now; see `placement`."""

    device: str
    free_bytes: int


@dataclass(frozen=True)
class Launch:
    """Start this attempt on this device."""

    job: str
    attempt: int
    device: str


@dataclass(frozen=True)
class Terminate:
    """Ask a running job to write a checkpoint and end."""

    job: str


@dataclass(frozen=True)
class Kill:
    """End a running job at once."""

    job: str


@dataclass(frozen=True)
class WakeAfter:
    """Send `BackoffOver` for this job after so many seconds."""

    job: str
    seconds: float


@dataclass(frozen=True)
class Pause:
    """The machine failed an attempt: nothing starts before `PauseOver`, after so many seconds."""

    job: str
    seconds: float


@dataclass(frozen=True)
class WaitedTooLong:
    """The machine did not recover within the time limit: nothing starts any more."""


@dataclass(frozen=True)
class SameError:
    """One error, at one place, ended jobs of different rows: nothing starts any more."""

    jobs: tuple[str, ...]


@dataclass(frozen=True)
class AllSettled:
    """Nothing runs and nothing will: the last instruction, sent once."""


Event = (
    TasksAdded
    | AttemptQueued
    | AttemptBegan
    | Ended
    | BackoffOver
    | PauseOver
    | StopRequested
    | PeakMeasured
    | DeviceChanged
)
Instruction = Launch | Terminate | Kill | WakeAfter | Pause | WaitedTooLong | SameError | AllSettled
