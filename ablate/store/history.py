"""What events say about a job: a pure fold, so that anything can be rebuilt from event logs.

A worker writes `started`, `resumed` (or `rejected`), `epoch`, `checkpoint`, and one of `finished`,
`interrupted` and `error`; the orchestrator adds `ended` with its verdict after the worker's death,
and `retry` when a user puts the job back in the queue. All carry "event", "time" and "attempt".
Unknown events and misshapen fields are passed over: a log may come from a newer version.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    RUNNING = "running"  #: its last attempt has not ended; only a look at the process tells more
    INTERRUPTED = "interrupted"  #: it will go on where it stopped
    DONE = "done"
    FAILED = "failed"
    DIVERGED = "diverged"
    BLOCKED = "blocked"  #: an upstream job failed


@dataclass(frozen=True)
class Attempt:
    """One worker's go at a job."""

    number: int  #: from 1
    started: float | None = None  #: unix time; None if the worker never got that far
    ended: float | None = None  #: unix time of its last word, or of the orchestrator's
    outcome: str = ""  #: "" while open; "finished", "interrupted", "lost", "diverged", "crashed", …
    phase: str = ""  #: what the orchestrator made of it: "failed", "retry", "stopped", …
    device: str = ""
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
        """Whether nothing was heard of its end."""
        return not self.outcome


@dataclass(frozen=True)
class JobHistory:
    """All that events and result say about a job."""

    status: Status
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


def history(
    events: Iterable[Mapping[str, Any]], result: Mapping[str, Any] | None = None
) -> JobHistory:
    """Fold the events of a job, in the order of its log, and its result into what they mean."""
    drafts: dict[int, dict[str, Any]] = {}
    epochs: dict[int, dict[str, float]] = {}
    requeued_after = 0
    for event in events:
        name = event.get("event")
        if name == "retry":
            requeued_after = max(drafts, default=0)
            continue
        number, learn = _whole(event.get("attempt")), _LEARN.get(str(name))
        if number is None or number < 1 or learn is None:
            continue
        draft = drafts.setdefault(number, {})
        draft.update(learn(event))
        _advance(draft, event)
        if name == "epoch" and (epoch := _whole(event.get("epoch"))) is not None:
            epochs[epoch] = numbers(event.get("metrics"))
    attempts = _closed(drafts, done=result is not None)
    return JobHistory(
        status=_status(attempts, requeued_after, result),
        attempts=attempts,
        resumed_from=tuple(a.resumed_step for a in attempts if a.resumed_step is not None),
        error=attempts[-1].error if attempts and result is None else "",
        finished=attempts[-1].ended if attempts and result is not None else None,
        epochs=dict(sorted(epochs.items())),
    )


def saved_step(events: Iterable[Mapping[str, Any]]) -> int:
    """The furthest step that a checkpoint of a job reached, over all attempts.

    It is 0 again where its checkpoints came to nothing: with the result, after which they are
    removed (so that a job whose result was lost begins anew), or when none was found sound.
    """
    reached = 0
    for event in events:
        if event.get("event") == "checkpoint":
            reached = max(reached, _whole(event.get("step")) or 0)
        elif event.get("event") in ("finished", "rejected"):
            reached = 0
    return reached


def numbers(value: object) -> dict[str, float]:
    """Those entries of a mapping that are numbers, as floats."""
    if not isinstance(value, Mapping):
        return {}
    found = {_text(name): _real(number) for name, number in value.items()}
    return {name: number for name, number in found.items() if number is not None}


def texts(value: object) -> dict[str, str]:
    """The entries of a mapping as text."""
    if not isinstance(value, Mapping):
        return {}
    return {_text(str(name)): _text(str(text)) for name, text in value.items()}


def _status(
    attempts: tuple[Attempt, ...], requeued_after: int, result: Mapping[str, Any] | None
) -> Status:
    if result is not None:
        return Status.DONE
    if not attempts or attempts[-1].number <= requeued_after:
        return Status.WAITING
    last = attempts[-1]
    if last.open:
        return Status.RUNNING
    if last.phase in (Status.FAILED, Status.DIVERGED, Status.BLOCKED):
        return Status(last.phase)
    if not last.phase and last.outcome == Status.DIVERGED:
        return Status.DIVERGED  # the orchestrator died before its verdict, which is certain
    return Status.INTERRUPTED


def _closed(drafts: Mapping[int, Mapping[str, Any]], done: bool) -> tuple[Attempt, ...]:
    """Attempts by number; one that a later one follows, or that left a result, is not open."""
    attempts = []
    for number in sorted(drafts):
        draft = dict(drafts[number])
        if number != max(drafts):
            draft["outcome"] = draft.get("outcome") or "lost"
        elif done:
            draft["outcome"] = "finished"
        attempts.append(Attempt(number, **draft))
    return tuple(attempts)


def _advance(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    for name in ("step", "epoch"):
        value = _whole(event.get(name))
        if value is not None:
            draft[f"last_{name}"] = max(draft.get(f"last_{name}", 0), value)


def _started(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "started": _real(event.get("time")),
        "device": _text(event.get("device")),
        "host": _text(event.get("host")),
        "pid": _whole(event.get("pid")),
        "process_start": _real(event.get("process_start")),
        "threads": _whole(event.get("threads")),
        "facts": texts(event.get("facts")),
    }


def _resumed(event: Mapping[str, Any]) -> dict[str, Any]:
    rejected = event.get("rejected")
    return {
        "resumed_step": _whole(event.get("step")),
        "resumed_epoch": _whole(event.get("epoch")),
        "lost_seconds": _real(event.get("lost_seconds")),
        "rejected": tuple(map(str, rejected)) if isinstance(rejected, list | tuple) else (),
    }


def _rejected(event: Mapping[str, Any]) -> dict[str, Any]:
    """No checkpoint was sound: the attempt began from scratch."""
    return {"rejected": _resumed(event)["rejected"]}


def _finished(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"outcome": "finished", "ended": _real(event.get("time"))}


def _interrupted(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"outcome": "interrupted", "ended": _real(event.get("time"))}


def _error(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "outcome": _text(event.get("kind")) or "error",
        "ended": _real(event.get("time")),
        "error": _text(event.get("message")),
        "traceback": _text(event.get("traceback")),
        "fingerprint": _text(event.get("fingerprint")),
    }


def _ended(event: Mapping[str, Any]) -> dict[str, Any]:
    """The orchestrator's verdict; it adds to the worker's words and replaces none by nothing."""
    known = {
        "outcome": _text(event.get("outcome")) or "ended",
        "phase": _text(event.get("phase")),
        "ended": _real(event.get("time")),
        "error": _text(event.get("message")),
        "exit_code": _whole(event.get("exit_code")),
        "signal": _whole(event.get("signal")),
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_LEARN: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "started": _started,
    "resumed": _resumed,
    "rejected": _rejected,
    "epoch": _nothing,
    "checkpoint": _nothing,
    "finished": _finished,
    "interrupted": _interrupted,
    "error": _error,
    "ended": _ended,
}


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        return None
    return value


def _real(value: object) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _text(value: object) -> str:
    """Text without lone surrogates, which JSON can carry and a database cannot."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else value.encode(errors="replace").decode()
