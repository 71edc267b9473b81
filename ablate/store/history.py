"""Fold the events of a job into its history; pure, so that event logs can rebuild everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.methods.device import Device
from ablate.methods.lifecycle import ERRORS, AttemptOutcome, JobStatus
from ablate.store.events import (
    AttemptEnded,
    CheckpointSaved,
    CheckpointsRejected,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Requeued,
    Resumed,
    Started,
    Stopped,
    Unknown,
)

#: Verdicts of an orchestrator that the next run does not go on from by itself.
_FINAL = frozenset({JobStatus.FAILED, JobStatus.DIVERGED, JobStatus.BLOCKED})


@dataclass(frozen=True)
class Attempt:
    """One attempt of a worker at a job."""

    number: int  #: from 1
    started: float | None = None  #: unix time; None if the worker never got that far
    ended: float | None = None  #: unix time of its last event, or of the orchestrator's verdict
    outcome: AttemptOutcome | None = None  #: None while nothing was heard of its end
    status: JobStatus | None = None  #: what the job was doing after it, by the orchestrator
    device: Device | None = None
    host: str = ""
    pid: int | None = None
    process_start: float | None = None  #: tells the process from a later one of the same pid
    threads: int | None = None
    resumed_step: int | None = None  #: None if it began from scratch
    resumed_epoch: int | None = None
    lost_seconds: float | None = None  #: work between the checkpoint and the end before
    rejected: tuple[str, ...] = ()  #: corrupt checkpoints that were passed over
    last_step: int = 0
    last_epoch: int = 0
    error: str = ""
    traceback: str = ""
    fingerprint: str = ""  #: equal for the same error at the same place
    exit_code: int | None = None
    signal: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether no event says how it ended."""
        return self.outcome is None


@dataclass(frozen=True)
class JobHistory:
    """All that events and result say about a job."""

    status: JobStatus
    attempts: tuple[Attempt, ...] = ()
    resumed_from: tuple[int, ...] = ()  #: global step of every resumption
    error: str = ""  #: of the last attempt; "" once the job is done
    finished: float | None = None  #: unix time; None unless done
    epochs: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, str]:
        """Where and with what the last attempt ran."""
        if not self.attempts:
            return {}
        last = self.attempts[-1]
        known = {"device": last.device, "host": last.host, "threads": last.threads}
        return {name: str(value) for name, value in known.items() if value} | dict(last.facts)


def history(events: Iterable[Event], *, done: bool = False) -> JobHistory:
    """Fold the events of a job, in the order of its log, into what they mean.

    `done`: whether the job has a sound result, which counts for more than any event.
    """
    drafts: dict[int, dict[str, Any]] = {}
    epochs: dict[int, Mapping[str, float]] = {}
    requeued_after = 0
    for event in events:
        if isinstance(event, Unknown):
            continue
        if isinstance(event, Requeued):
            requeued_after = max(drafts, default=0)
            continue
        draft = drafts.setdefault(event.attempt, {})
        draft.update(_LEARN[type(event)](event))
        _advance(draft, event)
        if isinstance(event, EpochEnded):
            epochs[event.epoch] = event.metrics
    attempts = _closed(drafts, done=done)
    return JobHistory(
        status=_status(attempts, requeued_after, done=done),
        attempts=attempts,
        resumed_from=tuple(a.resumed_step for a in attempts if a.resumed_step is not None),
        error=attempts[-1].error if attempts and not done else "",
        finished=attempts[-1].ended if attempts and done else None,
        epochs=dict(sorted(epochs.items())),
    )


def saved_step(events: Iterable[Event]) -> int:
    """The furthest step that a checkpoint of a job reached, over all attempts.

    It is 0 again where its checkpoints came to nothing: with the result, after which they are
    removed (so that a job whose result was lost begins anew), or when none was found sound.
    """
    reached = 0
    for event in events:
        if isinstance(event, CheckpointSaved):
            reached = max(reached, event.step)
        elif isinstance(event, Finished | CheckpointsRejected):
            reached = 0
    return reached


def _status(attempts: tuple[Attempt, ...], requeued_after: int, *, done: bool) -> JobStatus:
    if done:
        return JobStatus.DONE
    if not attempts or attempts[-1].number <= requeued_after:
        return JobStatus.WAITING
    last = attempts[-1]
    if last.open:
        return JobStatus.RUNNING
    if last.status in _FINAL:
        return last.status
    if last.status is None and last.outcome is AttemptOutcome.DIVERGED:
        return JobStatus.DIVERGED  # the orchestrator died before its verdict, which is certain
    return JobStatus.ERRED if last.outcome in ERRORS else JobStatus.INTERRUPTED


def _closed(drafts: Mapping[int, Mapping[str, Any]], *, done: bool) -> tuple[Attempt, ...]:
    """Attempts by number; one that a later one follows, or that left a result, is not open."""
    attempts = []
    for number in sorted(drafts):
        draft = dict(drafts[number])
        if number != max(drafts):
            draft["outcome"] = draft.get("outcome") or AttemptOutcome.LOST
        elif done:
            draft["outcome"] = AttemptOutcome.FINISHED
        attempts.append(Attempt(number, **draft))
    return tuple(attempts)


def _advance(draft: dict[str, Any], event: Any) -> None:
    """Note how far an attempt has come by an event that tells it."""
    for name in ("step", "epoch"):
        value = getattr(event, name, None)
        if value is not None:
            draft[f"last_{name}"] = max(draft.get(f"last_{name}", 0), value)


def _started(event: Started) -> dict[str, Any]:
    return {
        "started": event.time,
        "device": event.device,
        "host": event.host,
        "pid": event.pid,
        "process_start": event.process_start,
        "threads": event.threads,
        "facts": event.facts,
    }


def _resumed(event: Resumed) -> dict[str, Any]:
    return {
        "resumed_step": event.step,
        "resumed_epoch": event.epoch,
        "lost_seconds": event.lost_seconds,
        "rejected": event.rejected,
    }


def _rejected(event: CheckpointsRejected) -> dict[str, Any]:
    return {"rejected": event.rejected}


def _finished(event: Finished) -> dict[str, Any]:
    return {"outcome": AttemptOutcome.FINISHED, "ended": event.time}


def _stopped(event: Stopped) -> dict[str, Any]:
    return {"outcome": AttemptOutcome.INTERRUPTED, "ended": event.time}


def _failed(event: Failed) -> dict[str, Any]:
    return {
        "outcome": event.outcome,
        "ended": event.time,
        "error": event.message,
        "traceback": event.traceback,
        "fingerprint": event.fingerprint,
    }


def _ended(event: AttemptEnded) -> dict[str, Any]:
    """Fields of the orchestrator's verdict; an empty one leaves the worker's own field as it is."""
    known = {
        "outcome": event.outcome,
        "status": event.status,
        "ended": event.time,
        "error": event.message,
        "exit_code": event.exit_code,
        "signal": event.signal,
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _nothing(_: object) -> dict[str, Any]:
    return {}


_LEARN: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Started: _started,
    Resumed: _resumed,
    CheckpointsRejected: _rejected,
    EpochEnded: _nothing,
    CheckpointSaved: _nothing,
    Finished: _finished,
    Stopped: _stopped,
    Failed: _failed,
    AttemptEnded: _ended,
}
