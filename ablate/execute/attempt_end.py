"""Decide how an attempt ended, from the files in its run directory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ablate.errors import StoreError
from ablate.execute.launch.base import Exit
from ablate.execute.machine_faults import START_FAULTS
from ablate.execute.scheduler.messages import (
    Ended,
)
from ablate.execute.worker.main import EXIT_BUSY, EXIT_MACHINE
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store.events import AttemptEnded
from ablate.store.history import (
    Attempt,
    history,
    saved_step,
)
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory

TAIL_LINES = 10
_TAIL_BYTES = 16_384

#: What a worker's own last event may say; a result it wrote speaks for itself.
_HEARD = frozenset(AttemptOutcome) - {AttemptOutcome.FINISHED, AttemptOutcome.LOST}


_EXITS = {
    EXIT_BUSY: "another worker holds the job",
    EXIT_MACHINE: "the machine did not let it write a file",
    0: "exited without a result",
    None: "ended without a word",
}


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended, and the message for the user."""

    event: Ended
    message: str = ""
    written: Attempt | None = None  #: the attempt by its own log
    peak_bytes: int = 0


def read_end(run: RunDirectory, attempt: int, exit_: Exit) -> AttemptEnd:
    """Decide how an attempt ended: a result counts, whatever the exit code says."""
    result, unheard = _result_left(run), ""
    try:
        events = run.events().events
    except StoreError as error:
        events, unheard = (), str(error)
    last = history(events).attempts[-1:]  # a cluster may have started the attempt again
    ours = next((a for a in last if a.number >= attempt), None)
    step = saved_step(events)
    if result is not None:
        finished = Ended(run.id, attempt, AttemptOutcome.FINISHED, step)
        return AttemptEnd(finished, "", ours, result.peak_bytes)
    if exit_.exit_code == EXIT_BUSY:
        busy = Ended(run.id, attempt, AttemptOutcome.BUSY, step)
        return AttemptEnd(busy, how_it_ended(exit_))
    heard = ours.outcome if ours else None
    outcome = heard if heard in _HEARD else _unheard_outcome(exit_)
    if heard is AttemptOutcome.INTERRUPTED and exit_.outcome is not None:
        outcome = exit_.outcome  # the launcher knows why it was asked to stop
    fingerprint = ours.fingerprint if ours else ""
    message = ours.error if ours else unheard
    if not message and outcome is not AttemptOutcome.INTERRUPTED:
        message = how_it_ended(exit_)
    return AttemptEnd(Ended(run.id, attempt, outcome, step, fingerprint), message, ours)


def _unheard_outcome(exit_: Exit) -> AttemptOutcome:
    """The outcome that an exit code or a signal tells, where the worker wrote none."""
    if exit_.outcome is not None:
        return exit_.outcome
    if exit_.exit_code == EXIT_BUSY:
        return AttemptOutcome.BUSY
    if exit_.exit_code == EXIT_MACHINE or exit_.errno in START_FAULTS:
        return AttemptOutcome.MACHINE
    return AttemptOutcome.CRASHED


def beginning(attempt: Attempt) -> tuple[str, str] | None:
    """How an attempt began: a word and the details; None for a job's first attempt.

    To have lost all that was trained is worth a line: nothing else would tell a user of it.
    """
    count = len(attempt.rejected)
    corrupt = f"{count} corrupt checkpoint{'s' if count > 1 else ''}"
    if attempt.resumed_step is None:
        return ("restarted", f"from the start: {corrupt}, none sound") if count else None
    where = f"from step {attempt.resumed_step}, epoch {attempt.resumed_epoch or 0}"
    return "resumed", f"{where}; {corrupt} passed over" if count else where


def _result_left(run: RunDirectory) -> JobResult | None:
    """The result of an attempt; an empty one if it is there and cannot be read.

    What a network file system does not give us now says nothing against the result, which was
    written whole; to call it none would have the job computed again and the result replaced.
    """
    try:
        return run.result()
    except StoreError:
        return JobResult() if run.has_result_file() else None


def write_end(
    run: RunDirectory,
    attempt: int,
    outcome: AttemptOutcome,
    status: JobStatus,
    message: str,
    exit_: Exit | None = None,
) -> None:
    """Add the verdict to a job's events; without it the next run finds the attempt open."""
    run.append(
        AttemptEnded(
            attempt=attempt,
            time=time.time(),
            outcome=outcome,
            status=status,
            message=message,
            exit_code=exit_.exit_code if exit_ else None,
            signal=exit_.signal if exit_ else None,
        )
    )


def how_it_ended(exit_: Exit) -> str:
    """Describe an exit in words, where the worker wrote no error."""
    if exit_.trouble:
        return exit_.trouble
    if exit_.signal is not None:
        return f"killed by signal {exit_.signal}"
    return _EXITS.get(exit_.exit_code, f"exited with code {exit_.exit_code}")


def log_tail(run: RunDirectory, lines: int = TAIL_LINES) -> list[str]:
    """The last lines that a job's workers printed."""
    try:
        with os.fdopen(run.folder.open(run.log.name, os.O_RDONLY), "rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return []
    return text.rstrip().splitlines()[-lines:]
