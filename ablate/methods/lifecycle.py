"""What a job is doing, and how an attempt at it ended: one enum each, for all rooms.

A job's status is told by its run directory (`ablate.store.history`) and, while a run is at work, by
the scheduler, which tells apart what the directory cannot: ready, queued, retrying.
"""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """What a job is doing."""

    WAITING = "waiting"
    """It has not begun: an upstream job has not finished, or no run has taken it up."""

    READY = "ready"
    """All that it needs is there; it waits for a device."""

    QUEUED = "queued"
    """A launcher has taken the order, but the worker does not run yet."""

    RUNNING = "running"
    """Its last attempt has not ended, as far as is known."""

    BACKOFF = "backoff"
    """Its last attempt went wrong; it is tried again after a pause."""

    INTERRUPTED = "interrupted"
    """It was stopped or lost; the next run goes on from its newest checkpoint."""

    ERRED = "erred"
    """Its last attempt ended in an error; the next run tries it again."""

    DONE = "done"
    """It has a sound result."""

    FAILED = "failed"
    """It was given up; only `ablate retry` puts it back in the queue."""

    DIVERGED = "diverged"
    """A loss or a metric became NaN or infinite, as it would again."""

    BLOCKED = "blocked"
    """An upstream job failed, diverged or is itself blocked."""


#: Nothing can build on these.
BROKEN = frozenset({JobStatus.FAILED, JobStatus.DIVERGED, JobStatus.BLOCKED})

#: A job of this status starts no more.
OVER = BROKEN | {JobStatus.DONE}

#: What a run directory alone can tell, with what processes and upstream jobs say.
RECORDED: tuple[JobStatus, ...] = tuple(
    status
    for status in JobStatus
    if status not in (JobStatus.READY, JobStatus.QUEUED, JobStatus.BACKOFF)
)


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "finished"
    """It left a result."""

    INTERRUPTED = "interrupted"
    """It was asked to stop, wrote a checkpoint and left."""

    CRASHED = "crashed"
    """It was killed by a signal, or exited without a result and without a word."""

    LOST = "lost"
    """Its end was seen by nobody: its orchestrator died too, or a later attempt followed."""

    OUT_OF_MEMORY = "out of memory"
    """The device or the machine had no memory left; alone on its device the job may fit."""

    DIVERGED = "diverged"
    """A loss or a metric became NaN or infinite."""

    ERROR = "error"
    """The program raised an exception."""

    REFUSED = "refused"
    """What it was given, or what it returned, cannot be used; only the user can put that right."""

    MACHINE = "machine"
    """The machine failed it (a full disk, no process to be had): the job is not to blame."""

    PREEMPTED = "preempted"
    """The cluster took its node for a job of higher priority."""

    NODE_FAILED = "node failed"
    """The cluster lost the node that it ran on."""

    TIME_LIMIT = "time limit"
    """It reached the cluster's time limit."""

    CANCELLED = "cancelled"
    """Somebody cancelled it on the cluster."""

    BUSY = "busy"
    """Another worker holds the job, so this one did nothing."""


#: The job's own doing, be it that another attempt ends otherwise.
ERRORS = frozenset({AttemptOutcome.ERROR, AttemptOutcome.REFUSED, AttemptOutcome.OUT_OF_MEMORY})

#: Something else ended the attempt, before the job was over.
BROKEN_OFF = frozenset(AttemptOutcome) - ERRORS - {
    AttemptOutcome.FINISHED, AttemptOutcome.DIVERGED, AttemptOutcome.BUSY,
}  # fmt: skip
