"""What earlier runs left: results that cannot be read, and what counts of a job's past."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import StoreError
from ablate.execute.recovery import mend_configs, read_past, set_damaged_aside, settle_strays
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.worker.order import Order
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import JobStatus
from ablate.methods.session import Machine
from ablate.store.events import CheckpointSaved, CheckpointsRejected, Started
from ablate.store.folders import Folder
from ablate.store.history import history
from ablate.store.processes import process_start
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import FakeLauncher, finish, make_matrix, orchestrate
from tests.naming import missing_from


def finished(results: Path, jobs: int) -> tuple[Matrix, list[RunDirectory]]:
    """A matrix whose jobs are all done."""
    matrix = make_matrix(jobs)
    runs = [RunDirectory.of(results, job).create(c) for job, c in matrix.configs.items()]
    for run in runs:
        finish(run, Order(run.path, 1, Machine(), {}))
    return matrix, runs


def test_a_result_that_cannot_be_read_keeps_no_other_job_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, (unreadable, damaged, sound) = finished(tmp_path, 3)
    damaged.result_file.write_bytes(b"")
    read = Folder.read

    def refuse(folder: Folder, name: str, *, most_bytes: int) -> bytes:
        if folder.path / name == unreadable.result_file:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return read(folder, name, most_bytes=most_bytes)

    monkeypatch.setattr(Folder, "read", refuse)
    said: list[str] = []
    set_damaged_aside(matrix.configs, lambda job: RunDirectory.of(tmp_path, job), said.append)
    refused, spoiled = said
    assert missing_from(refused, unreadable.result_file, "Permission denied", "done") == []
    assert missing_from(spoiled, damaged.result_file, "damaged", "runs again") == []
    past = read_past(matrix.configs, lambda job: RunDirectory.of(tmp_path, job))
    assert past.done == {unreadable.id, sound.id}
    assert past.open(matrix.configs) == [damaged.id]


def test_a_damaged_result_that_cannot_be_set_aside_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job would count as done, though nothing can build on it."""
    matrix, (damaged,) = finished(tmp_path, 1)
    damaged.result_file.write_bytes(b"")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match=r"result\.json: Read-only file system"):
        set_damaged_aside(matrix.configs, lambda job: RunDirectory.of(tmp_path, job), print)


def test_a_config_that_cannot_be_mended_keeps_no_job_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, (damaged, _) = finished(tmp_path, 2)
    (damaged.path / "config.json").write_bytes(b"")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    said: list[str] = []
    mend_configs(matrix.configs, lambda job: RunDirectory.of(tmp_path, job), said.append)
    why = "its config cannot be written anew: Read-only file system"
    assert said == [f"{damaged.path}: {why}"]


@pytest.mark.parametrize("lost", ["result", "checkpoints"])
def test_a_job_that_begins_anew_gets_on_though_it_got_further_before(
    tmp_path: Path, lost: str
) -> None:
    """Attempts that each get a little further are no retries, also below the step of before."""

    def work(run: RunDirectory, order: Order) -> None:
        stamp: Any = {"attempt": order.attempt, "time": 1.0}
        run.append(Started(**stamp))
        if order.attempt == 2 and lost == "checkpoints":
            run.append(CheckpointsRejected(rejected=("step-100.ckpt.corrupt",), **stamp))
        if order.attempt == 6:
            finish(run, order)
        else:  # killed
            step = 100 if order.attempt == 1 else 10 * order.attempt
            run.append(CheckpointSaved(step=step, epoch=1, **stamp))

    matrix = make_matrix(1)
    ((job, config),) = matrix.configs.items()
    if lost == "result":
        run = RunDirectory.of(tmp_path, job).create(config)
        order = Order(run.path, 1, Machine(), {})
        work(run, order)
        finish(run, order)
        run.result_file.unlink()
    launcher = FakeLauncher(work)
    summary, _ = orchestrate(tmp_path, matrix, launcher, [DeviceCapacity("cpu", 1)])
    assert summary.count(JobStatus.DONE) == 1


@pytest.mark.parametrize(
    "pid",
    [1, 0, -1, -2, os.getpid(), os.getppid(), 2**31, 2**62],
    ids=["init", "own group", "all", "group 2", "own", "parent", "too large", "huge"],
)
def test_a_number_in_a_log_ends_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    """Forged, it may name any process of the machine, or all."""

    def signalled(*_: object) -> None:
        pytest.fail("a process was signalled")

    for module, name in ((os, "kill"), (os, "killpg"), (signal, "pidfd_send_signal")):
        monkeypatch.setattr(module, name, signalled, raising=False)
    matrix = make_matrix(1)
    ((job, config),) = matrix.configs.items()
    run = RunDirectory.of(tmp_path, job).create(config)
    here, start = socket.gethostname(), process_start()
    run.append(Started(attempt=1, time=1.0, host=here, pid=pid, process_start=start))
    assert settle_strays(matrix.configs, lambda _: run, 0.0, print) == {}
    assert history(run.events().events).status is JobStatus.INTERRUPTED


def test_a_copy_of_a_folder_at_work_ends_no_worker_of_the_original(tmp_path: Path) -> None:
    matrix = make_matrix(1)
    ((job, config),) = matrix.configs.items()
    run = RunDirectory.of(tmp_path / "original", job).create(config)
    with run.lock.open("w") as lock, run.log.open("w") as log:
        worker = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=log, stderr=lock)
    here, start = socket.gethostname(), process_start(worker.pid)
    run.append(Started(attempt=1, time=1.0, host=here, pid=worker.pid, process_start=start))
    try:
        shutil.copytree(tmp_path / "original", tmp_path / "copy")
        copy = RunDirectory.of(tmp_path / "copy", job)
        assert settle_strays(matrix.configs, lambda _: copy, 0.0, print) == {}
        assert history(copy.events().events).status is JobStatus.INTERRUPTED
        assert worker.poll() is None
        assert settle_strays(matrix.configs, lambda _: run, 0.0, print) == {}
        assert worker.wait(30) == -signal.SIGKILL, "it holds the original's log"
    finally:
        worker.kill()
        worker.wait()
