"""Local launcher: a worker process per attempt, forked from a server that is warm already."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import multiprocessing.util
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

import psutil

from ablate.execute.launch.base import Exit, Handle, Launcher, Report
from ablate.execute.worker.main import main
from ablate.execute.worker.order import Order
from ablate.methods.session import JobConfig
from ablate.store.processes import is_alive, process_start

#: What the fork server imports before it forks the first worker that trains; the third is what
#: torch imports when it is told to be deterministic, which takes a second.
_TORCH = ("torch", "ablate.training.programs", "torch._inductor")

#: What reads a data set, likewise; others are read by torchvision.
_READERS = {"digits": "sklearn.datasets"}

#: Bytes of a folder for sockets: 107 fit into an address, 32 are what multiprocessing adds.
_LONGEST_FOLDER = 75

_SERVER_GONE = 255  #: what multiprocessing says where the server took the exit code with it
_POLL_S = 0.05  #: how often workers are looked at whose server is gone


def modules_for(jobs: Iterable[JobConfig]) -> list[str]:
    """What the workers of these jobs will import: seconds that need be spent only once."""
    training = [job for job in jobs if job.program.startswith("ablate.training")]
    readers = {_READERS.get(job.data, "torchvision.datasets") for job in training}
    return [*_TORCH, *sorted(readers)] if training else []


def make_socket_folder() -> None:
    """Make the folder of multiprocessing's sockets where their paths are not too long.

    It would lie below TMPDIR, wherever that leads; the operating system takes about a hundred
    bytes. OSError where no folder can be made at all.
    """
    chosen = tempfile.tempdir
    with contextlib.suppress(OSError):
        if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST_FOLDER:
            multiprocessing.util.get_temp_dir()
            return
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108
        try:
            if folder and len(os.fsencode(folder)) <= _LONGEST_FOLDER:
                tempfile.tempdir = folder
                multiprocessing.util.get_temp_dir()
                return
        except OSError:
            continue
        finally:
            tempfile.tempdir = chosen
    raise OSError(errno.EACCES, "no temporary folder that is writable and whose path is short")


@dataclass
class _Worker:
    handle: Handle
    process: ForkServerProcess
    pid: int
    start: float | None
    orphaned: bool = False  #: the fork server is gone: nobody will tell how this one ends


class LocalLauncher(Launcher):
    """Starts, stops and watches the workers of one orchestrator on this machine."""

    name = "local"

    def __init__(self, preload: Iterable[str] = ()) -> None:
        """`preload`: modules to import once instead of in each worker."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["ablate.execute.launch.warm", *preload])
        self._workers: dict[str, _Worker] = {}
        self._host = socket.gethostname()

    def submit(self, order: Order, handle: Handle) -> str:
        """Start a worker; OSError where the system has no process to give."""
        make_socket_folder()
        process = self._context.Process(
            target=main, args=(order,), name=f"ablate {handle.job[:10]}"
        )
        try:
            process.start()
        except EOFError as error:  # the server died of it
            raise OSError("the fork server ended") from error
        assert process.pid is not None, "started"
        start: float | None = None
        with contextlib.suppress(psutil.Error):  # it may have ended already
            start = process_start(process.pid)
        self._workers[handle.job] = _Worker(handle, process, process.pid, start)
        return ""  # the worker signs its run directory itself

    def find(self, handle: Handle) -> Handle | None:
        """No worker outlives its orchestrator for long: it writes a checkpoint and leaves."""
        return None

    def alive(self, handle: Handle) -> bool | None:
        """Whether a worker that was started here lives; None for one of another orchestrator."""
        worker = self._workers.get(handle.job)
        return None if worker is None or worker.handle != handle else self._lives(worker)

    def wait(self, seconds: float) -> list[Report]:
        """Wait until a worker ends or the time is up; returns those that ended."""
        deadline = time.monotonic() + seconds
        while True:
            orphaned = [worker for worker in self._workers.values() if worker.orphaned]
            gone = [worker for worker in orphaned if not self._lives(worker)]
            if gone:
                return [self._reap(worker) for worker in gone]
            left = max(0.0, deadline - time.monotonic())
            ready = self._ready(min(left, _POLL_S) if orphaned else left)
            for worker in ready:
                worker.orphaned = self._lives(worker)
            ended = [worker for worker in ready if not worker.orphaned]
            if ended or time.monotonic() >= deadline:
                return [self._reap(worker) for worker in ended]

    def _ready(self, seconds: float) -> list[_Worker]:
        """Workers whose server says that they ended, or whose server ended."""
        watched = [worker for worker in self._workers.values() if not worker.orphaned]
        sentinels = {worker.process.sentinel: worker for worker in watched}
        if not sentinels:
            time.sleep(seconds)
            return []
        ready = set(wait(list(sentinels), seconds))
        return [worker for sentinel, worker in sentinels.items() if sentinel in ready]

    def _lives(self, worker: _Worker) -> bool:
        """Whether a worker runs on although its server is gone; then it is not to be doubled."""
        if worker.start is None:
            return False
        return bool(is_alive(self._host, worker.pid, worker.start))

    def _reap(self, worker: _Worker) -> Exit:
        worker.process.join()
        code = worker.process.exitcode
        if worker.orphaned or code == _SERVER_GONE:
            code = None
        self._signal_group(worker, signal.SIGKILL)  # a grandchild must not keep the device
        worker.process.close()
        del self._workers[worker.handle.job]
        killed_by = -code if code is not None and code < 0 else None
        return Exit(worker.handle.job, None if killed_by else code, killed_by)

    def terminate(self, handle: Handle) -> None:
        """Ask a worker to write a checkpoint and leave."""
        if worker := self._workers.get(handle.job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)

    def kill(self, handles: Iterable[Handle]) -> None:
        """End workers and all they started, at once."""
        for handle in handles:
            if worker := self._workers.get(handle.job):
                self._signal_group(worker, signal.SIGKILL)

    def close(self, grace_s: float) -> None:
        """Let nothing of ours run on: ask every worker to leave, and end those that don't."""
        for worker in self._workers.values():
            self.terminate(worker.handle)
        deadline = time.monotonic() + grace_s
        while self._workers and time.monotonic() < deadline:
            self.wait(_POLL_S)
        self.kill([worker.handle for worker in self._workers.values()])
        while self._workers and time.monotonic() < deadline + grace_s:
            self.wait(_POLL_S)

    def _signal_group(self, worker: _Worker, number: int) -> None:
        try:
            os.killpg(worker.pid, number)
        except ProcessLookupError:  # not yet leader of its group, or gone with all of it
            if self._lives(worker):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)
        except PermissionError:  # macOS, of a group that is all zombies
            pass
