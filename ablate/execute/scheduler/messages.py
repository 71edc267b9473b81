"""What the scheduler and its driver tell each other, and the one table of a job's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Where a job is in its life."""

    WAITING = "waiting"  # an upstream job has not finished
    READY = "ready"
    BACKOFF = "backoff"  # will be repeated after a pause
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DIVERGED = "diverged"
    BLOCKED = "blocked"  # an upstream job failed, diverged or is itself blocked
    STOPPED = "stopped"  # interrupted on request; the next run resumes it


class Outcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"  # obeyed a SIGTERM, with a checkpoint
    CRASHED = "crashed"  # killed by a signal, lost, or exited without a result
    OUT_OF_MEMORY = "out of memory"
    DIVERGED = "diverged"
    ERROR = "error"  # raised an exception
    REFUSED = "refused"  # what it was given, or what it gave back, cannot be used


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


TRANSITIONS: Mapping[tuple[Phase, Trigger], Phase] = {
    (Phase.WAITING, Trigger.UPSTREAM_DONE): Phase.READY,
    (Phase.WAITING, Trigger.UPSTREAM_BROKEN): Phase.BLOCKED,
    (Phase.READY, Trigger.LAUNCH): Phase.RUNNING,
    (Phase.RUNNING, Trigger.FINISH): Phase.DONE,
    (Phase.RUNNING, Trigger.DIVERGE): Phase.DIVERGED,
    (Phase.RUNNING, Trigger.GIVE_UP): Phase.FAILED,
    (Phase.RUNNING, Trigger.REPEAT_LATER): Phase.BACKOFF,
    (Phase.RUNNING, Trigger.REPEAT_NOW): Phase.READY,
    (Phase.RUNNING, Trigger.STOP): Phase.STOPPED,
    (Phase.BACKOFF, Trigger.BACKOFF_OVER): Phase.READY,
    (Phase.BACKOFF, Trigger.STOP): Phase.STOPPED,
    (Phase.STOPPED, Trigger.BACKOFF_OVER): Phase.STOPPED,  # a wake-up asked for before the stop
}
BROKEN = frozenset({Phase.FAILED, Phase.DIVERGED, Phase.BLOCKED})  #: nothing can build on these


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
    failed: Mapping[str, Phase] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """An attempt ended; `step` is what checkpoints reached by then, counted over all attempts.

    It is less than at the end before where the attempt found no sound checkpoint to go on from.
    """

    job: str
    attempt: int
    outcome: Outcome
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
