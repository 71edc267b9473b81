"""What the scheduler and its driver tell each other, and the one table of a job's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ablate.methods.lifecycle import AttemptOutcome, JobStatus


class Trigger(StrEnum):
    """What moves a job from one phase to another."""

    UPSTREAM_DONE = "upstream done"
    UPSTREAM_BROKEN = "upstream broken"
    LAUNCH = "launch"
    FINISH = "finish"
    DIVERGE = "diverge"
    GIVE_UP = "give up"
    REPEAT_LATER = "repeat later"
    REPEAT_NOW = "repeat now"
    STOP = "stop"
    BACKOFF_OVER = "backoff over"


TRANSITIONS: Mapping[tuple[JobStatus, Trigger], JobStatus] = {
    (JobStatus.WAITING, Trigger.UPSTREAM_DONE): JobStatus.READY,
    (JobStatus.WAITING, Trigger.UPSTREAM_BROKEN): JobStatus.BLOCKED,
    (JobStatus.READY, Trigger.LAUNCH): JobStatus.RUNNING,
    (JobStatus.RUNNING, Trigger.FINISH): JobStatus.DONE,
    (JobStatus.RUNNING, Trigger.DIVERGE): JobStatus.DIVERGED,
    (JobStatus.RUNNING, Trigger.GIVE_UP): JobStatus.FAILED,
    (JobStatus.RUNNING, Trigger.REPEAT_LATER): JobStatus.BACKOFF,
    (JobStatus.RUNNING, Trigger.REPEAT_NOW): JobStatus.READY,
    (JobStatus.RUNNING, Trigger.STOP): JobStatus.INTERRUPTED,
    (JobStatus.BACKOFF, Trigger.BACKOFF_OVER): JobStatus.READY,
    (JobStatus.BACKOFF, Trigger.STOP): JobStatus.INTERRUPTED,
    # A wake-up that was asked for before the stop.
    (JobStatus.INTERRUPTED, Trigger.BACKOFF_OVER): JobStatus.INTERRUPTED,
}


@dataclass(frozen=True)
class Task:
    """A job as the scheduler sees it; jobs of one `kind` need about the same memory."""

    id: str
    kind: str
    upstream: tuple[str, ...] = ()


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
class AllSettled:
    """Nothing runs, and nothing will: said once, at the end."""


Event = TasksAdded | Ended | BackoffOver | StopRequested | PeakMeasured | DeviceChanged
Instruction = Launch | Terminate | Kill | WakeAfter | AllSettled
