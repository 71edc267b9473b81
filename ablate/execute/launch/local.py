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
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

import psutil

from ablate.execute.launch.base import Began, Exit, Handle, Launcher, Queued, Report, in_words
from ablate.execute.launch.limits import limits, memory_kills
from ablate.execute.worker.main import main
from ablate.execute.worker.order import Order
from ablate.methods.lifecycle import AttemptOutcome
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
_SLOW_START_S = 60.0  #: to import torch takes up to twenty seconds where the disk is cold
_PATIENCE_S = 3.0  #: for a fork server that was stopped
_STARTS = 3  #: tries to start a worker, each with a new fork server
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
    started: Future[None]
    ordered_at: float  #: when its start was asked for
    pid: int = 0  #: 0 until it was started
    start: float | None = None
    orphaned: bool = False  #: the fork server is gone: nobody will tell how this one ends
    leave: int = 0  #: the signal that it gets once it was started


class LocalLauncher(Launcher):
    """Starts, stops and watches the workers of one orchestrator on this machine.

    Workers are started by a thread of its own: the first one waits until the fork server has
    imported torch, and one that was stopped would never answer. Nothing else waits for it.
    """

    name = "local"

    def __init__(self, preload: Iterable[str] = ()) -> None:
        """`preload`: modules to import once instead of in each worker."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["ablate.execute.launch.warm", *preload])
        self._workers: dict[str, _Worker] = {}
        self._host = socket.gethostname()
        self._memory_kills = memory_kills()
        self._waits_since = 0.0  #: for a fork server that should have answered; 0 if nothing does
        self._starter = ThreadPoolExecutor(1, "start-workers")
        self._processes = threading.Lock()  #: multiprocessing reads an exit code only once
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def submit(self, order: Order, handle: Handle) -> str:
        """Have a worker started; `wait` tells when it runs, or why it does not."""
        process = self._context.Process(
            target=main, args=(order,), name=f"ablate {handle.job[:10]}"
        )
        started = self._starter.submit(self._start, process)
        started.add_done_callback(lambda _: self._awake())
        self._workers[handle.job] = _Worker(handle, process, started, time.monotonic())
        return ""  # the worker signs its run directory itself

    def _start(self, process: ForkServerProcess) -> None:
        with self._processes:
            make_socket_folder()
            for _ in range(_STARTS):
                with contextlib.suppress(EOFError, ConnectionError):  # the server died meanwhile
                    return process.start()
            raise OSError(errno.EAGAIN, "the process that starts workers ended again and again")

    def _awake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full of wake-ups already
            os.write(self._wake, b".")

    def find(self, handles: Iterable[Handle]) -> list[Handle]:
        """No worker outlives its orchestrator for long: it writes a checkpoint and leaves."""
        return []

    def wait(self, seconds: float) -> list[Report]:
        """Wait until a worker starts or ends or the time is up; returns what happened."""
        deadline = time.monotonic() + seconds
        while True:
            orphaned = [worker for worker in self._workers.values() if worker.orphaned]
            gone = [worker for worker in orphaned if not self._lives(worker)]
            reports = [*self._starts(), *self._reap(gone)]
            left = max(0.0, deadline - time.monotonic())
            if reports:
                return reports
            if not left:
                self._look_at_server()
                return []
            ready = self._ready(min(left, _POLL_S) if orphaned else left)
            for worker in ready:
                worker.orphaned = self._lives(worker)
            if reports := self._reap([worker for worker in ready if not worker.orphaned]):
                return reports

    def _starts(self) -> list[Report]:
        """What became of orders to start: workers that run, that cannot run, or that hang."""
        reports: list[Report] = []
        for worker in list(self._workers.values()):
            job = worker.handle.job
            if worker.pid or not worker.started.done():
                waited = time.monotonic() - worker.ordered_at
                if not worker.pid and waited > _SLOW_START_S:
                    worker.ordered_at = float("inf")  # told once
                    reports.append(Queued(job, "the process that starts workers does not answer"))
                continue
            error = worker.started.exception()
            if error is not None:
                del self._workers[job]
                number = error.errno if isinstance(error, OSError) else None
                reports.append(Exit(job, None, trouble=in_words(error), errno=number))
                continue
            assert worker.process.pid is not None, "started"
            worker.pid = worker.process.pid
            with contextlib.suppress(psutil.Error):  # it may have ended already
                worker.start = process_start(worker.pid)
            reports.append(Began(job))
            if worker.leave:
                self._signal(worker, worker.leave)
        return reports

    def _ready(self, seconds: float) -> list[_Worker]:
        """Workers whose server says that they ended, or whose server ended."""
        watched = [w for w in self._workers.values() if w.pid and not w.orphaned]
        sentinels = {worker.process.sentinel: worker for worker in watched}
        ready = set(wait([self._woken, *sentinels], seconds))
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        return [worker for sentinel, worker in sentinels.items() if sentinel in ready]

    def _lives(self, worker: _Worker) -> bool:
        """Whether a worker runs on although its server is gone; then it is not to be doubled."""
        if worker.start is None:
            return False
        return bool(is_alive(self._host, worker.pid, worker.start))

    def _reap(self, workers: list[_Worker]) -> list[Report]:
        """Take the exit codes of workers that ended; later, where one is just being started."""
        if not workers or not self._processes.acquire(timeout=_POLL_S):
            return []
        try:
            return [self._exit(worker) for worker in workers]
        finally:
            self._processes.release()

    def _exit(self, worker: _Worker) -> Exit:
        worker.process.join()
        code = worker.process.exitcode
        if worker.orphaned or code == _SERVER_GONE:
            code = None
        self._signal(worker, signal.SIGKILL)  # a grandchild must not keep the device
        worker.process.close()
        del self._workers[worker.handle.job]
        killed_by = -code if code is not None and code < 0 else None
        ended = Exit(worker.handle.job, None if killed_by else code, killed_by)
        if killed_by == signal.SIGKILL and not worker.leave and self._memory_ran_out():
            limit = limits().memory_bytes
            words = f" (the limit here is {limit / 2**30:.1f} GiB)" if limit else ""
            trouble = f"killed by the system because memory ran out{words}"
            return replace(ended, trouble=trouble, outcome=AttemptOutcome.OUT_OF_MEMORY)
        return ended

    def _memory_ran_out(self) -> bool:
        """Whether the kernel has killed for lack of memory since this was asked last."""
        before, self._memory_kills = self._memory_kills, memory_kills()
        return self._memory_kills > before

    def terminate(self, handle: Handle) -> None:
        """Ask a worker to write a checkpoint and leave."""
        if worker := self._workers.get(handle.job):
            worker.leave = worker.leave or signal.SIGTERM
            if worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGTERM)

    def kill(self, handles: Iterable[Handle]) -> None:
        """End workers and all they started, at once."""
        for handle in handles:
            if worker := self._workers.get(handle.job):
                worker.leave = signal.SIGKILL
                if worker.pid:
                    self._signal(worker, signal.SIGKILL)

    def close(self, grace_s: float) -> None:
        """Let nothing of ours run on: ask every worker to leave, and end those that don't."""
        for worker in self._workers.values():
            if not worker.started.cancel():
                self.terminate(worker.handle)
        deadline = time.monotonic() + grace_s
        while self._workers and time.monotonic() < deadline:
            self._forget_cancelled()
            self.wait(_POLL_S)
        self.kill([worker.handle for worker in self._workers.values()])
        if any(not worker.pid for worker in self._workers.values()):
            self._end_server()
        while self._workers and time.monotonic() < deadline + grace_s:
            self._forget_cancelled()
            self.wait(_POLL_S)
        self._starter.shutdown(wait=False, cancel_futures=True)

    def _forget_cancelled(self) -> None:
        for job, worker in list(self._workers.items()):
            if worker.started.cancelled():
                del self._workers[job]

    def _look_at_server(self) -> None:
        """End a fork server that somebody stopped: it starts no worker and tells of no end.

        Another one is started when it is needed.
        """
        now = time.monotonic()
        waits = any(
            not self._lives(worker) if worker.pid else now - worker.ordered_at > _PATIENCE_S
            for worker in self._workers.values()
            if not worker.orphaned
        )
        self._waits_since = (self._waits_since or now) if waits else 0.0
        if waits and now - self._waits_since > _PATIENCE_S:
            self._end_server(only_stopped=True)

    def _end_server(self, *, only_stopped: bool = False) -> None:
        """End a fork server that does not answer, so that whoever waits for it goes on."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process().children():
                is_server = "multiprocessing.forkserver" in " ".join(child.cmdline())
                stopped = child.status() == psutil.STATUS_STOPPED
                if is_server and (stopped or not only_stopped):
                    child.kill()

    def _signal(self, worker: _Worker, number: int) -> None:
        """Send a signal to a worker's whole group."""
        try:
            os.killpg(worker.pid, number)
        except ProcessLookupError:  # not yet leader of its group, or gone with all of it
            if self._lives(worker):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)
        except PermissionError:  # macOS, of a group that is all zombies
            pass
