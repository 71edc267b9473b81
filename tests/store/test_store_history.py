import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.store.history import Attempt, JobHistory, Status, history, saved_step
from ablate.store.rundir import parse_events

STARTED = {
    "event": "started", "pid": 11, "process_start": 5.5, "host": "h", "device": "cpu",
    "threads": 2, "facts": {"torch": "2.9"},
}  # fmt: skip


def _log(*events):
    """Events with rising times; attempt 1 unless said otherwise."""
    return [{"attempt": 1, "time": float(n), **event} for n, event in enumerate(events)]


def _epoch(epoch, **more):
    metrics = {"loss": 1 / epoch}
    return {"event": "epoch", "epoch": epoch, "step": 10 * epoch, "metrics": metrics, **more}


def test_nothing_happened():
    assert history([]) == JobHistory(Status.WAITING)


def test_a_job_that_ran_through():
    told = history(
        _log(STARTED, _epoch(1), _epoch(2), {"event": "finished"}), {"metrics": {"top1": 1.0}}
    )
    assert told.status is Status.DONE
    assert told.finished == 3.0
    assert told.epochs == {1: {"loss": 1.0}, 2: {"loss": 0.5}}
    assert told.facts == {"device": "cpu", "host": "h", "threads": "2", "torch": "2.9"}
    assert told.attempts == (
        Attempt(
            1, started=0.0, ended=3.0, outcome="finished", device="cpu", host="h", pid=11,
            process_start=5.5, threads=2, last_step=20, last_epoch=2, facts={"torch": "2.9"},
        ),
    )  # fmt: skip


def test_a_job_that_was_killed_and_resumed():
    told = history(
        _log(
            STARTED,
            _epoch(1),
            {"event": "checkpoint", "step": 15, "epoch": 2},
            {**STARTED, "attempt": 2},
            {"event": "resumed", "attempt": 2, "step": 15, "epoch": 2, "lost_seconds": 1.5,
             "rejected": ["step-20.ckpt"]},
            _epoch(2, attempt=2),
        )
    )  # fmt: skip
    assert told.status is Status.RUNNING
    assert told.resumed_from == (15,)
    lost, resumed = told.attempts
    assert (lost.outcome, lost.last_step, lost.resumed_step) == ("lost", 15, None)
    assert resumed.open
    assert (resumed.resumed_step, resumed.resumed_epoch, resumed.lost_seconds) == (15, 2, 1.5)
    assert resumed.rejected == ("step-20.ckpt",)


def _verdict(phase, **more):
    return {"event": "ended", "outcome": "error", "phase": phase, "message": "boom", **more}


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([STARTED], Status.RUNNING),
        ([STARTED, {"event": "interrupted", "step": 3}], Status.INTERRUPTED),
        ([STARTED, {"event": "finished"}], Status.INTERRUPTED),  # it left no result
        ([STARTED, {"event": "error", "kind": "diverged"}], Status.DIVERGED),
        ([STARTED, {"event": "error", "kind": "error"}], Status.INTERRUPTED),
        ([STARTED, _verdict("failed")], Status.FAILED),
        ([STARTED, _verdict("diverged")], Status.DIVERGED),
        ([STARTED, _verdict("blocked")], Status.BLOCKED),
        ([STARTED, _verdict("retry")], Status.INTERRUPTED),
        ([STARTED, _verdict("stopped")], Status.INTERRUPTED),
        ([_verdict("failed")], Status.FAILED),  # its worker never said a word
        ([STARTED, _verdict("failed"), {"event": "retry"}], Status.WAITING),
        ([_verdict("failed"), {"event": "retry"}, {**STARTED, "attempt": 2}], Status.RUNNING),
        ([{"event": "retry"}], Status.WAITING),
    ],
)  # fmt: skip
def test_status(events, status):
    assert history(_log(*events)).status is status
    assert history(_log(*events), {}).status is Status.DONE


def test_the_error_is_the_last_attempts_and_ends_with_success():
    error = {"event": "error", "kind": "out_of_memory", "message": "no memory", "traceback": "tb",
             "fingerprint": "f"}  # fmt: skip
    events = _log(STARTED, error, {**_verdict("retry"), "message": "", "exit_code": 1})
    told = history(events)
    assert told.error == "no memory"
    assert told.attempts[0].traceback == "tb"
    assert told.attempts[0].fingerprint == "f"
    assert told.attempts[0].exit_code == 1
    assert history([*events, {"attempt": 2, **STARTED}]).error == ""
    assert history(events, {}).error == ""


def test_checkpoints_count_until_they_came_to_nothing():
    def saved(step):
        return {"event": "checkpoint", "step": step}

    events = _log(STARTED, saved(20), saved(10))
    assert saved_step([]) == 0
    assert saved_step(events) == 20
    assert saved_step([*events, {"attempt": 2, **STARTED}, saved(20)]) == 20
    for end in ("finished", "rejected"):
        events += [{"event": end}]
        assert saved_step(events) == 0
        events += [saved(5), {"event": "resumed", "step": 5}, saved(15), saved("?"), saved(None)]
        assert saved_step(events) == 15


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
_names = st.sampled_from(
    ["started", "resumed", "epoch", "checkpoint", "interrupted", "error", "finished", "ended",
     "retry", "novel"]
)  # fmt: skip
_wild = st.fixed_dictionaries(
    {"event": _names},
    optional={
        "attempt": st.integers(-1, 4) | _values,
        "epoch": st.integers(0, 5) | _values,
        "step": st.integers(0, 50) | _values,
        "phase": st.sampled_from(["failed", "blocked", "retry"]) | _values,
        "outcome": _values, "kind": _values, "time": _values, "pid": _values,
        "metrics": st.dictionaries(st.text(max_size=2), _values, max_size=2) | _values,
        "facts": st.dictionaries(st.text(max_size=2), _values, max_size=2) | _values,
        "rejected": st.lists(_values, max_size=2) | _values, "message": _values,
    },
)  # fmt: skip


@given(st.lists(_wild, max_size=12), st.none() | st.just({"metrics": {}}))
def test_any_events_tell_a_consistent_history(events, result):
    told = history(events, result)
    counted = [attempt.number for attempt in told.attempts]
    assert counted == sorted(set(counted))
    assert all(number >= 1 for number in counted)
    assert (told.status is Status.DONE) == (result is not None)
    assert not any(attempt.open for attempt in told.attempts[:-1])
    assert (told.status is Status.RUNNING) <= (bool(told.attempts) and told.attempts[-1].open)
    assert len(told.resumed_from) <= len(told.attempts)
    assert list(told.epochs) == sorted(told.epochs)
    json.dumps([attempt.facts for attempt in told.attempts])


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
    epochs = [event for event in events if event["event"] == "epoch"]
    assert repr(history(epochs + epochs)) == repr(history(epochs))
