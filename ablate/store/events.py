"""Events of a job: one dataclass per event, and their one way to and from JSON.

A line of an event log is a JSON object with the event's name under "event" and its fields under
their own names. A worker writes `Started`, `Resumed` (or `CheckpointsRejected`), `EpochEnded`,
`CheckpointSaved`, and one of `Finished`, `Stopped` and `Failed`; the orchestrator adds
`AttemptEnded` with its verdict after the worker's death, and `Requeued` when a user puts the job
back in the queue.

Fields that are unknown here are ignored, and misshapen ones take their default, both in `_read`. An
event of an unknown name, or one that lacks what it cannot do without, is kept as `Unknown`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ablate.methods.device import Device
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store import values


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A worker began an attempt."""

    attempt: int  #: from 1
    time: float | None = None  #: unix time, as of every event
    host: str = ""
    pid: int | None = None
    process_start: float | None = None  #: tells the process from a later one of the same pid
    device: Device | None = None
    threads: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)  #: versions, git state


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """The attempt took up a checkpoint."""

    attempt: int
    time: float | None = None
    step: int | None = None  #: global steps done
    epoch: int | None = None
    lost_seconds: float | None = None  #: training between this checkpoint and the end before
    lost_steps: int | None = None
    rejected: tuple[str, ...] = ()  #: corrupt checkpoints that were passed over


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointsRejected:
    """No checkpoint was sound: the attempt began from scratch."""

    attempt: int
    time: float | None = None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochEnded:
    """An epoch was trained to its end."""

    attempt: int
    epoch: int
    time: float | None = None
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    trained_s: float = 0.0  #: training time over all attempts
    evaluation_s: float = 0.0  #: what of it this epoch's evaluation took, where a program says so


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointSaved:
    """A checkpoint was written."""

    attempt: int
    step: int
    time: float | None = None
    epoch: int | None = None
    seconds: float | None = None  #: what it took
    bytes: int | None = None
    trained_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """The result was written."""

    attempt: int
    time: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopped:
    """The worker was asked to stop, and left with a checkpoint."""

    attempt: int
    time: float | None = None
    step: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The program raised an exception."""

    attempt: int
    time: float | None = None
    outcome: AttemptOutcome = AttemptOutcome.ERROR
    message: str = ""
    traceback: str = ""
    fingerprint: str = ""  #: equal for the same error at the same place; "" is like no other


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptEnded:
    """The orchestrator's verdict on an attempt."""

    attempt: int
    time: float | None = None
    outcome: AttemptOutcome = AttemptOutcome.CRASHED
    status: JobStatus = JobStatus.INTERRUPTED  #: what the job was doing after it
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Requeued:
    """A user put the job back in the queue."""

    time: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unknown:
    """An event of another version, or one that lacks what it cannot do without."""

    name: str
    content: Mapping[str, Any]


AttemptEvent = (
    Started
    | Resumed
    | CheckpointsRejected
    | EpochEnded
    | CheckpointSaved
    | Finished
    | Stopped
    | Failed
    | AttemptEnded
)  #: events of one attempt
Event = AttemptEvent | Requeued | Unknown

_NAMES: Mapping[type, str] = {
    Started: "started",
    Resumed: "resumed",
    CheckpointsRejected: "checkpoints_rejected",
    EpochEnded: "epoch_ended",
    CheckpointSaved: "checkpoint_saved",
    Finished: "finished",
    Stopped: "stopped",
    Failed: "failed",
    AttemptEnded: "attempt_ended",
    Requeued: "requeued",
}


def to_line(event: Event) -> bytes:
    """The line of an event log, without its newline."""
    if isinstance(event, Unknown):
        content = {"event": event.name, **event.content}
    else:
        known = dataclasses.asdict(event) | {"event": _NAMES[type(event)]}
        content = {name: value for name, value in known.items() if value is not None}
        if isinstance(event, Started) and event.device is not None:
            content["device"] = str(event.device)
    return json.dumps(content, separators=(",", ":")).encode()


def from_line(line: bytes) -> Event | None:
    """Read a line of an event log; None if it is no JSON object that names an event."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = found.get("event") if isinstance(found, dict) else None
    if not isinstance(name, str):
        return None
    reader = _READERS.get(name)
    event = _read(reader, found) if reader else None
    if event is not None:
        return event
    return Unknown(name=name, content={key: found[key] for key in found if key != "event"})


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one class of events is read."""

    make: Callable[..., Event]
    converters: tuple[tuple[str, Callable[[object], Any]], ...]
    required: frozenset[str]


def _read(reader: _Reader, found: Mapping[str, Any]) -> Event | None:
    """The event that an object tells of; None if it lacks what that cannot do without."""
    fields = {}
    for name, convert in reader.converters:
        value = convert(found.get(name))
        if value is not None:
            fields[name] = value
    return reader.make(**fields) if reader.required <= fields.keys() else None


_OUTCOMES: Mapping[str, AttemptOutcome] = {one.value: one for one in AttemptOutcome}
_STATUSES: Mapping[str, JobStatus] = {one.value: one for one in JobStatus}


def _attempt(value: object) -> int | None:
    number = values.whole(value)
    return number if number is not None and number >= 1 else None


def _outcome(value: object) -> AttemptOutcome | None:
    return _OUTCOMES.get(value) if isinstance(value, str) else None


def _status(value: object) -> JobStatus | None:
    return _STATUSES.get(value) if isinstance(value, str) else None


def _device(value: object) -> Device | None:
    try:
        return Device.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


#: Field of this name, or of this type -> what reads it.
_CONVERTERS: Mapping[Any, Callable[[object], Any]] = {
    "attempt": _attempt,
    int: values.whole,
    int | None: values.whole,
    float: values.real,
    float | None: values.real,
    str: values.text,
    Mapping[str, float]: values.numbers,
    Mapping[str, str]: values.texts,
    tuple[str, ...]: values.names,
    AttemptOutcome: _outcome,
    JobStatus: _status,
    Device | None: _device,
}


def _reader(kind: Any) -> _Reader:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    return _Reader(
        make=kind,
        converters=tuple(
            (one.name, _CONVERTERS[one.name if one.name in _CONVERTERS else hints[one.name]])
            for one in fields
        ),
        required=frozenset(
            one.name
            for one in fields
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        ),
    )


_READERS: Mapping[str, _Reader] = {name: _reader(kind) for kind, name in _NAMES.items()}
