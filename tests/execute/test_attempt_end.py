"""How attempts are judged where the disk does not give what they left."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.execute.attempt_end import read_end
from ablate.execute.launch.base import Exit
from ablate.execute.scheduler.messages import Trigger
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.scheduler.retry import RetryPolicy, RetryRecord
from ablate.execute.worker.main import EXIT_BUSY, EXIT_FAILED, attempt
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import StopFlag
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.session import Machine
from ablate.store.events import Started
from ablate.store.folders import Folder
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import FakeLauncher, finish, make_matrix, orchestrate

Spoil = Callable[..., None]


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Spoil:
    """Let the next so many readings of a file fail as on a network file system."""

    def order(name: str, times: int = 1) -> None:
        left = [None] * times
        read = Folder.read

        def stale(folder: Folder, file: str, *, most_bytes: int) -> bytes:
            if file == name and left:
                left.pop()
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            return read(folder, file, most_bytes=most_bytes)

        monkeypatch.setattr(Folder, "read", stale)

    return order


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    ((job, config),) = make_matrix(1).configs.items()
    return RunDirectory.of(tmp_path, job).create(config)


@pytest.mark.parametrize("name", ["result.json", "events.jsonl"])
def test_a_result_counts_though_the_disk_fails_for_a_moment(
    tmp_path: Path, spoil: Spoil, name: str
) -> None:
    def work(run: RunDirectory, order: Order) -> None:
        finish(run, order, peak_mib=7.0)
        spoil(name)

    launcher = FakeLauncher(work)
    summary, _ = orchestrate(tmp_path, make_matrix(1), launcher, [DeviceCapacity("cpu", 1)])
    assert summary.count(JobStatus.DONE) == 1
    assert len(launcher.launched) == 1, "nothing was computed again"


def test_a_log_that_cannot_be_read_without_a_result_is_a_crash(
    run: RunDirectory, spoil: Spoil
) -> None:
    spoil("events.jsonl")
    end = read_end(run, 1, Exit(run.id, 0))
    assert end.event.outcome is AttemptOutcome.CRASHED
    assert end.message.endswith("events.jsonl: Stale file handle")


def test_what_cannot_even_be_looked_for_is_not_taken_for_a_result(
    run: RunDirectory, spoil: Spoil, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(run, Order(run.path, 1, Machine(), {}))
    spoil("result.json")

    def stale(path: Path) -> os.stat_result:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", stale)
        end = read_end(run, 1, Exit(run.id, 0))
    assert end.event.outcome is AttemptOutcome.CRASHED


def test_a_worker_leaves_a_sound_result_alone(run: RunDirectory, spoil: Spoil) -> None:
    """As for an attempt whose result could not be read when it ended."""
    finish(run, Order(run.path, 1, Machine(), {}))
    result, log = run.result_file.read_bytes(), run.events()
    order = Order(run.path, 2, Machine(), {})
    assert attempt(order, StopFlag()) == 0
    assert run.events() == log, "its history is that of the attempt that computed it"
    spoil("result.json")
    assert attempt(order, StopFlag()) == EXIT_FAILED, "it may be sound, so nothing is computed"
    assert run.result_file.read_bytes() == result
    assert run.events().events[-1].message.endswith("result.json: Stale file handle")


def test_another_workers_hold_is_no_end_of_an_attempt(run: RunDirectory) -> None:
    """The open attempt in the log may be that worker's."""
    run.append(Started(attempt=1, time=1.0, host="h"))
    end = read_end(run, 1, Exit(run.id, EXIT_BUSY))
    assert end.event.outcome is AttemptOutcome.BUSY
    assert "another worker holds" in end.message
    record = RetryRecord(retries=3, step=5)
    for stopping, trigger in ((False, Trigger.REPEAT_LATER), (True, Trigger.STOP)):
        judged = RetryPolicy(0).judge(record, end.event, shared=False, stopping=stopping)
        assert judged == (trigger, record), "no attempt is used up"
