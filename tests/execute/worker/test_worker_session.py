"""A worker's session: when a checkpoint is due, what is kept, and what a kill lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ablate.errors import Interrupted, StoreError
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import (
    StopFlag,
    WorkerSession,
    pulse_file,
    read_pulse,
)
from ablate.methods.session import Machine, Position
from ablate.store import checkpoints
from ablate.store.events import CheckpointSaved, Resumed, from_line
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import make_matrix

STEPS = 4  #: per epoch


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def order(tmp_path: Path) -> Order:
    ((job, config),) = make_matrix(1).configs.items()
    run = RunDirectory.of(tmp_path, job).create(config)
    return Order(run.path, 1, Machine(), {})


def positions(first: int, last: int) -> Iterator[Position]:
    for step in range(first, last + 1):
        yield Position((step - 1) // STEPS + 1, step, step % STEPS == 0)


def state_of(step: int) -> bytes:
    return f"state {step}".encode()


def train(order: Order, first: int, last: int, clock: Clock, stop: StopFlag | None = None) -> None:
    """A program that takes a second a step."""
    session = WorkerSession(order, stop or StopFlag(), clock)
    session.resume()
    for position in positions(first, last):
        clock.now += 1.0
        if position.epoch_ended:
            session.log_epoch(position.epoch, position.step, {})
        session.step_done(position, partial(state_of, position.step))


def resumptions(order: Order) -> list[Resumed]:
    return [e for e in RunDirectory(order.run).events().events if isinstance(e, Resumed)]


def saved(order: Order) -> list[int]:
    events = RunDirectory(order.run).events().events
    return [event.step for event in events if isinstance(event, CheckpointSaved)]


@pytest.mark.parametrize(
    ("interval", "steps"),
    [
        ((1, "epoch"), [4, 8, 12, 16]),
        ((2, "epoch"), [8, 16]),
        ((3, "step"), [3, 6, 9, 12, 15]),
        ((5, "second"), [5, 10, 15]),
        ((0.1, "minute"), [6, 12]),
    ],
)
def test_intervals(order: Order, interval: tuple[float, str], steps: list[int]) -> None:
    train(replace(order, interval=interval), 1, 16, Clock())
    assert saved(order) == steps
    assert len(list((order.run / "checkpoints").iterdir())) <= 2


@pytest.mark.parametrize(
    ("share", "steps"), [(0.01, [4, 16]), (0.02, [4, 12]), (0.1, [4, 8, 12, 16])]
)
def test_a_share_of_the_time_saves_the_first_epoch_and_then_as_often_as_it_allows(
    order: Order, share: float, steps: list[int]
) -> None:
    """A second a step, a tenth of a second a checkpoint: 1 % of the time is one in ten seconds."""
    clock = Clock()
    session = WorkerSession(replace(order, interval=(share, "share")), StopFlag(), clock)

    def snapshot() -> bytes:
        clock.now += 0.1
        return b"state"

    for position in positions(1, 16):
        clock.now += 1.0
        session.step_done(position, snapshot)
    assert saved(order) == steps


@pytest.mark.parametrize(("epochs", "then"), [(1, [12, 16]), (2, [16])])
def test_a_stop_inside_an_epoch_starts_no_longer_interval(
    order: Order, epochs: int, then: list[int]
) -> None:
    """Work lost by a kill is at most one interval, also after a stop in mid-epoch."""
    clock, stop = Clock(), StopFlag()
    order = replace(order, interval=(epochs, "epoch"))
    train(order, 1, 9, clock)
    stop.request("SIGTERM")
    with pytest.raises(Interrupted):
        train(order, 10, 10, clock, stop)
    before = saved(order)
    assert before[-1] == 10
    train(replace(order, attempt=2), 11, 16, clock)
    assert saved(order)[len(before) :] == then


def test_a_kill_loses_what_came_after_the_checkpoint(order: Order) -> None:
    clock = Clock()
    train(order, 1, 7, clock)
    clock.now += 86_400  # nobody runs for a day
    session = WorkerSession(replace(order, attempt=2), StopFlag(), clock)
    assert session.resume() == b"state 4"
    (resumed,) = resumptions(order)
    assert (resumed.step, resumed.epoch, resumed.lost_steps) == (4, 1, 3)
    assert resumed.lost_seconds == pytest.approx(3.0)
    assert session.seconds == pytest.approx(4.0), "training time without what was lost"
    again = WorkerSession(replace(order, attempt=3), StopFlag(), clock)
    again.resume()
    lost = [event.lost_steps for event in resumptions(order)]
    assert lost == [3, 0], "what was lost is told once"


def test_a_kill_between_checkpoint_and_event(order: Order) -> None:
    clock = Clock()
    train(replace(order, interval=(3, "step")), 1, 6, clock)
    run = RunDirectory(order.run)
    lines = run.events_file.read_bytes().splitlines(keepends=True)
    assert isinstance(from_line(lines[-1]), CheckpointSaved)
    run.events_file.write_bytes(b"".join(lines[:-1]))
    session = WorkerSession(replace(order, attempt=2), StopFlag(), clock)
    assert session.resume() == b"state 6"
    (resumed,) = resumptions(order)
    assert (resumed.step, resumed.epoch, resumed.lost_steps) == (6, 2, 0)
    assert session.seconds == pytest.approx(6.0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"step": 1}garbage', b"[]"])
def test_a_pulse_that_cannot_be_read(order: Order, content: bytes) -> None:
    clock = Clock()
    train(order, 1, 7, clock)
    pulse_file(RunDirectory(order.run)).write_bytes(content)
    assert read_pulse(RunDirectory(order.run)) is None
    session = WorkerSession(replace(order, attempt=2), StopFlag(), clock)
    assert session.resume() == b"state 4"
    assert session.seconds == pytest.approx(4.0)


def test_a_full_disk_is_tried_again_when_the_next_is_due(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def full(folder: Path, step: int, payload: bytes) -> Path:
        tried.append(step)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "save", full)
    train(replace(order, interval=(3, "step")), 1, 8, Clock())
    assert tried == [3, 6]


def test_a_checkpoint_whose_event_fails_did_not_fail(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    RunDirectory(order.run).events_file.mkdir()
    session = WorkerSession(replace(order, interval=(1, "step")), StopFlag(), Clock())
    session.step_done(Position(1, 1), lambda: b"state")
    newest, _ = checkpoints.newest(order.run / "checkpoints")
    assert newest is not None
    assert "checkpoint at step 1 was saved, but not written down" in capsys.readouterr().err


def test_an_artifact_is_no_path(order: Order) -> None:
    session = WorkerSession(order, StopFlag())
    for name in ("../elsewhere", ".hidden", "a/b"):
        with pytest.raises(StoreError):
            session.save_artifact(name, b"")
