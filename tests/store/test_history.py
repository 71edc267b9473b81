import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.methods.device import Device
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store.events import (
    AttemptEnded,
    CheckpointSaved,
    CheckpointsRejected,
    EpochEnded,
    Failed,
    Finished,
    Requeued,
    Resumed,
    Started,
    Stopped,
    from_line,
    to_line,
)
from ablate.store.history import Attempt, JobHistory, history, saved_step
from ablate.store.rundir import parse_events

STARTED = Started(
    attempt=1, pid=11, process_start=5.5, host="h", device=Device(), threads=2,
    facts={"torch": "2.9"},
)  # fmt: skip


def _log(*events):
    """Events with rising times."""
    return [dataclasses.replace(event, time=float(n)) for n, event in enumerate(events)]


def _epoch(epoch, attempt=1):
    return EpochEnded(attempt=attempt, epoch=epoch, step=10 * epoch, metrics={"loss": 1 / epoch})


def _again(event, attempt=2):
    return dataclasses.replace(event, attempt=attempt)


def test_nothing_happened():
    assert history([]) == JobHistory(JobStatus.WAITING)


def test_a_job_that_ran_through():
    told = history(_log(STARTED, _epoch(1), _epoch(2), Finished(attempt=1)), done=True)
    assert told.status is JobStatus.DONE
    assert told.finished == 3.0
    assert told.epochs == {1: {"loss": 1.0}, 2: {"loss": 0.5}}
    assert told.facts == {"device": "cpu", "host": "h", "threads": "2", "torch": "2.9"}
    assert told.attempts == (
        Attempt(
            1, started=0.0, ended=3.0, outcome=AttemptOutcome.FINISHED, device=Device(), host="h",
            pid=11, process_start=5.5, threads=2, last_step=20, last_epoch=2,
            facts={"torch": "2.9"},
        ),
    )  # fmt: skip


def test_a_job_that_was_killed_and_resumed():
    told = history(
        _log(
            STARTED,
            _epoch(1),
            CheckpointSaved(attempt=1, step=15, epoch=2),
            _again(STARTED),
            Resumed(attempt=2, step=15, epoch=2, lost_seconds=1.5, rejected=("step-20.ckpt",)),
            _epoch(2, attempt=2),
        )
    )
    assert told.status is JobStatus.RUNNING
    assert told.resumed_from == (15,)
    lost, resumed = told.attempts
    assert (lost.outcome, lost.last_step, lost.resumed_step) == (AttemptOutcome.LOST, 15, None)
    assert resumed.open
    assert (resumed.resumed_step, resumed.resumed_epoch, resumed.lost_seconds) == (15, 2, 1.5)
    assert resumed.rejected == ("step-20.ckpt",)


def _verdict(status, **more):
    return AttemptEnded(
        attempt=1, outcome=AttemptOutcome.ERROR, status=status, message="boom", **more
    )


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([STARTED], JobStatus.RUNNING),
        ([STARTED, Stopped(attempt=1, step=3)], JobStatus.INTERRUPTED),
        ([STARTED, Finished(attempt=1)], JobStatus.INTERRUPTED),  # it left no result
        ([STARTED, Failed(attempt=1, outcome=AttemptOutcome.DIVERGED)], JobStatus.DIVERGED),
        ([STARTED, Failed(attempt=1)], JobStatus.ERRED),
        ([STARTED, _verdict(JobStatus.FAILED)], JobStatus.FAILED),
        ([STARTED, _verdict(JobStatus.DIVERGED)], JobStatus.DIVERGED),
        ([STARTED, _verdict(JobStatus.BLOCKED)], JobStatus.BLOCKED),
        ([STARTED, _verdict(JobStatus.BACKOFF)], JobStatus.ERRED),
        ([STARTED, _verdict(JobStatus.INTERRUPTED)], JobStatus.ERRED),
        ([_verdict(JobStatus.FAILED)], JobStatus.FAILED),  # its worker wrote nothing
        ([STARTED, _verdict(JobStatus.FAILED), Requeued()], JobStatus.WAITING),
        ([_verdict(JobStatus.FAILED), Requeued(), _again(STARTED)], JobStatus.RUNNING),
        ([Requeued()], JobStatus.WAITING),
    ],
)
def test_status(events, status):
    assert history(_log(*events)).status is status
    assert history(_log(*events), done=True).status is JobStatus.DONE


def test_the_error_is_the_last_attempts_and_ends_with_success():
    error = Failed(
        attempt=1, outcome=AttemptOutcome.OUT_OF_MEMORY, message="no memory", traceback="tb",
        fingerprint="f",
    )  # fmt: skip
    verdict = AttemptEnded(attempt=1, status=JobStatus.BACKOFF, exit_code=1)
    events = _log(STARTED, error, verdict)
    told = history(events)
    assert told.error == "no memory"
    assert told.attempts[0].traceback == "tb"
    assert told.attempts[0].fingerprint == "f"
    assert told.attempts[0].exit_code == 1
    assert history([*events, _again(STARTED)]).error == ""
    assert history(events, done=True).error == ""


def test_checkpoints_count_until_they_came_to_nothing():
    def saved(step):
        return CheckpointSaved(attempt=1, step=step)

    events = _log(STARTED, saved(20), saved(10))
    assert saved_step([]) == 0
    assert saved_step(events) == 20
    assert saved_step([*events, _again(STARTED), saved(20)]) == 20
    for end in (Finished(attempt=1), CheckpointsRejected(attempt=1)):
        events += [end]
        assert saved_step(events) == 0
        events += [saved(5), Resumed(attempt=1, step=5), saved(15)]
        assert saved_step(events) == 15


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
_names = st.sampled_from(
    ["started", "resumed", "checkpoints_rejected", "epoch_ended", "checkpoint_saved", "stopped",
     "failed", "finished", "attempt_ended", "requeued", "novel"]
)  # fmt: skip
_wild = st.fixed_dictionaries(
    {"event": _names},
    optional={
        "attempt": st.integers(-1, 4) | _values,
        "epoch": st.integers(0, 5) | _values,
        "step": st.integers(0, 50) | _values,
        "status": st.sampled_from(["failed", "blocked", "backoff"]) | _values,
        "outcome": _values, "kind": _values, "time": _values, "pid": _values,
        "metrics": st.dictionaries(st.text(max_size=2), _values, max_size=2) | _values,
        "facts": st.dictionaries(st.text(max_size=2), _values, max_size=2) | _values,
        "rejected": st.lists(_values, max_size=2) | _values, "message": _values,
    },
)  # fmt: skip


def _read(objects):
    """Events as they come out of a log with these lines."""
    return [from_line(json.dumps(one).encode()) for one in objects]


@given(st.lists(_wild, max_size=12), st.booleans())
def test_any_events_tell_a_consistent_history(objects, done):
    told = history(_read(objects), done=done)
    counted = [attempt.number for attempt in told.attempts]
    assert counted == sorted(set(counted))
    assert all(number >= 1 for number in counted)
    assert (told.status is JobStatus.DONE) == done
    assert not any(attempt.open for attempt in told.attempts[:-1])
    assert (told.status is JobStatus.RUNNING) <= (bool(told.attempts) and told.attempts[-1].open)
    assert len(told.resumed_from) <= len(told.attempts)
    assert list(told.epochs) == sorted(told.epochs)
    json.dumps([dict(attempt.facts) for attempt in told.attempts])


@given(st.lists(_wild, max_size=8), st.data())
def test_a_log_cut_at_any_byte_tells_the_history_so_far(events, data):
    lines = [json.dumps(event).encode() + b"\n" for event in events]
    content = b"".join(lines)
    cut = data.draw(st.integers(0, len(content)))
    whole = content[:cut].count(b"\n")
    so_far = [repr(history(parse_events(b"".join(lines[:n])).events)) for n in (whole, whole + 1)]
    assert repr(history(parse_events(content[:cut]).events)) in so_far


@given(st.lists(_wild, max_size=12))
def test_repeating_a_log_of_epochs_changes_nothing(events):
    epochs = [event for event in _read(events) if isinstance(event, EpochEnded)]
    assert repr(history(epochs + epochs)) == repr(history(epochs))


@given(st.lists(_wild, max_size=12))
def test_what_was_read_is_written_and_read_as_the_same(objects):
    events = _read(objects)
    assert repr([from_line(to_line(event)) for event in events]) == repr(events)
