"""Local launcher: a worker process per attempt, forked from a server that is warm already."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

from ablate.execute.session import Order
from ablate.execute.worker import main
from ablate.store.processes import is_alive, process_start

#: What the fork server imports before it forks the first worker that trains.
_TORCH = ("torch", "ablate.training.programs")


@dataclass(frozen=True)
class Exit:
    """A worker that ended."""

    job: str
    exit_code: int | None  #: None if killed by a signal, or if nobody knows
    signal: int | None = None


@dataclass
class _Worker:
    job: str
    process: ForkServerProcess
    host: str
    start: float | None


class LocalLauncher:
    """Starts, stops and watches the workers of one orchestrator on this machine."""

    def __init__(self, *, torch: bool) -> None:
        """`torch`: whether to preload it, which takes seconds once and saves them per job."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["ablate.execute.warm", *(_TORCH if torch else ())])
        self._workers: dict[str, _Worker] = {}

    def launch(self, job: str, order: Order) -> None:
        """Start a worker; OSError where the system has no process to give."""
        process = self._context.Process(target=main, args=(order,), name=f"ablate {job[:10]}")
        process.start()
        assert process.pid is not None, "started"
        start: float | None = None
        with contextlib.suppress(Exception):  # it may have ended already
            start = process_start(process.pid)
        self._workers[job] = _Worker(job, process, os.uname().nodename, start)

    def wait(self, seconds: float) -> list[Exit]:
        """Wait until a worker ends or the time is up; returns those that ended."""
        sentinels = {worker.process.sentinel: worker for worker in self._workers.values()}
        ready = wait(list(sentinels), timeout=seconds)
        ended = [worker for sentinel, worker in sentinels.items() if sentinel in ready]
        return [self._reap(worker) for worker in ended if not self._outlived_server(worker)]

    def _outlived_server(self, worker: _Worker) -> bool:
        """Whether only the fork server is gone: its workers live on, and are not to be doubled."""
        pid = worker.process.pid
        known = worker.start is not None and pid is not None
        return known and bool(is_alive(worker.host, pid or 0, worker.start or 0.0))

    def _reap(self, worker: _Worker) -> Exit:
        worker.process.join()
        code = worker.process.exitcode
        self._signal_group(worker, signal.SIGKILL)  # a grandchild must not keep the device
        worker.process.close()
        del self._workers[worker.job]
        killed_by = -code if code is not None and code < 0 else None
        return Exit(worker.job, None if killed_by else code, killed_by)

    def terminate(self, job: str) -> None:
        """Ask a worker to write a checkpoint and leave."""
        if job in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._workers[job].process.pid or 0, signal.SIGTERM)

    def kill(self, jobs: Iterable[str]) -> None:
        """End workers and all they started, at once."""
        for job in jobs:
            if job in self._workers:
                self._signal_group(self._workers[job], signal.SIGKILL)

    def _signal_group(self, worker: _Worker, number: int) -> None:
        pid = worker.process.pid
        if not pid:
            return
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # not yet leader of its group, or gone with all of it
            if worker.process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
