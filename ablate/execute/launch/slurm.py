"""Slurm launcher: attempts are tasks of arrays on a cluster, and Slurm is asked about them.

Orders are gathered and submitted as arrays at the next `wait`. What is submitted is written down
before (the array's token, which is also its comment) and after (the id that Slurm gave), so that a
successor of an orchestrator that died in between finds the array by its comment.

What became of an attempt is told, in this order, by the job's own result file, by the queue (one
query a round for all attempts), and by the accounting, which may be disabled, late or wrong. A
controller that doesn't answer tells nothing: unknown is not dead.
"""

from __future__ import annotations

import contextlib
import getpass
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import StoreError
from ablate.execute.launch.base import (
    Began,
    Exit,
    Handle,
    Launcher,
    Queued,
    Report,
    read_handle,
    write_handle,
)
from ablate.execute.launch.slurm_address import Address
from ablate.execute.launch.slurm_arrays import Arrays, Refused, Submitted
from ablate.execute.launch.slurm_client import (
    QueueTask,
    SlurmClient,
    SlurmRefused,
    SlurmUnavailable,
    TaskState,
)
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import Pulse, read_pulse
from ablate.methods.lifecycle import AttemptOutcome
from ablate.store.history import history
from ablate.store.rundir import RunDirectory
from ablate.study.slurm_settings import Slurm

ORDER_FILE = "order.json"
FOLDER = "slurm"  #: below the results folder: what tasks print before their logs are open

#: Slurm's word for an end that is not the job's doing -> how the attempt ended.
_OUTCOMES: Mapping[TaskState, AttemptOutcome] = {
    TaskState.PREEMPTED: AttemptOutcome.PREEMPTED,
    TaskState.NODE_FAIL: AttemptOutcome.NODE_FAILED,
    TaskState.TIMEOUT: AttemptOutcome.TIME_LIMIT,
    TaskState.OUT_OF_MEMORY: AttemptOutcome.OUT_OF_MEMORY,
    TaskState.CANCELLED: AttemptOutcome.CANCELLED,
}


@dataclass
class _Watched:
    """An attempt that was handed over to Slurm, or will be."""

    handle: Handle
    run: RunDirectory
    address: Address
    shown: tuple[TaskState, str] | None = None  #: state and reason that were reported last
    ended_at: float | None = None  #: when it was first seen to have ended
    taken_back: bool = False  #: before it was submitted
    pulse: Pulse | None = None  #: how far its worker was at the last look


class SlurmLauncher(Launcher):
    """Submits, finds, watches and cancels attempts on a cluster."""

    name = "slurm"
    outlives = True

    def __init__(
        self,
        settings: Slurm,
        results: Path,
        client: SlurmClient | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name a cluster; nothing is asked of it yet."""
        self._settings, self._results = settings, results
        self._client = client or SlurmClient()
        self._clock, self._sleep = clock, sleep
        self._arrays = Arrays(settings, self._client, results / FOLDER)
        self._watched: dict[str, _Watched] = {}  #: by job
        self._next_look = 0.0
        self._looked = False  #: at the queue, at least once
        self.queries = 0  #: how often the controller was asked for the queue

    def submit(self, order: Order, handle: Handle) -> str:
        """Write the order down and gather it; the next `wait` submits it.

        Raises OSError where the order cannot be written.
        """
        run = RunDirectory(order.run)
        text = replace(order, elsewhere=True).to_json()
        run.folder.write(ORDER_FILE, text.encode())
        upstream = (
            p.name for p in order.upstream.values() if not RunDirectory(p).has_result_file()
        )
        address = self._arrays.gather(
            handle.job, order.run / ORDER_FILE, kind=order.kind, upstream=tuple(sorted(upstream))
        )
        named = replace(handle, name=str(address))
        self._watched[handle.job] = _Watched(named, run, address)
        return str(address)

    def find(self, handles: Iterable[Handle]) -> list[Handle]:
        """Take over attempts that an earlier orchestrator submitted; see `Launcher.find`."""
        queue, found = self._queue(), []
        for handle in handles:
            address = Address.of(handle)
            address = address.in_queue(queue) if address else None
            if address is None or queue[address.task].state.ended:
                continue
            named = replace(handle, name=str(address))
            run = RunDirectory.of(self._results, handle.job)
            self._watched[handle.job] = _Watched(named, run, address)
            found.append(named)
        return found

    def submitted(self) -> bool:
        """Whether Slurm has all that was launched."""
        return self._looked and all(one.address.array for one in self._watched.values())

    def wait(self, seconds: float) -> list[Report]:
        """Submit what was gathered, look at the queue if it is time, else sleep; returns news."""
        reports = list(self._submit())
        if not reports and self._clock() >= self._next_look:
            self._next_look = self._clock() + self._settings.poll_s
            self._looked = True
            reports += self._look()
        if not reports:
            self._sleep(seconds)
        for report in reports:
            if isinstance(report, Exit):
                self._watched.pop(report.job, None)
        return reports

    def terminate(self, handle: Handle) -> None:
        """Ask an attempt to write a checkpoint and leave; one that waits is taken back."""
        self._end([handle], self._client.ask_to_leave)

    def kill(self, handles: Iterable[Handle]) -> None:
        """Cancel attempts; Slurm kills what has not left within its KillWait."""
        self._end(handles, self._client.cancel)

    def _end(self, handles: Iterable[Handle], how: Callable[[list[str]], None]) -> None:
        watched = [self._watched[h.job] for h in handles if h.job in self._watched]
        for one in watched:
            one.taken_back = one.taken_back or self._arrays.take_back(one.address)
        with contextlib.suppress(SlurmUnavailable, SlurmRefused):  # the queue tells what became
            how([one.address.task for one in watched if one.address.array])
        self._next_look = 0.0

    def close(self, grace_s: float) -> None:
        """Leave what waits or runs to the cluster: the next run finds it by its handles."""

    def _submit(self) -> Iterator[Report]:
        in_queue = sum(bool(one.address.array) for one in self._watched.values())
        room = self._settings.max_submitted - in_queue
        for answer in self._arrays.submit(self._task_of, self._queue, room):
            match answer:
                case Submitted(array, token, jobs):
                    for index, job in jobs.items():
                        self._name(self._watched[job], Address(token, index, array))
                case Refused(jobs, why):
                    refused = AttemptOutcome.REFUSED
                    yield from (Exit(job, None, trouble=why, outcome=refused) for job in jobs)

    def _name(self, one: _Watched, address: Address) -> None:
        """Write down the id that Slurm gave."""
        one.address, one.handle = address, replace(one.handle, name=str(address))
        with contextlib.suppress(OSError):  # it is found by its comment too
            write_handle(one.run.path, one.handle)

    def _task_of(self, job: str) -> str | None:
        run = RunDirectory.of(self._results, job)
        if run.has_result_file():
            return ""
        watched = self._watched.get(job)
        address = watched.address if watched else Address.of(read_handle(run.path))
        return address.task if address is not None and address.array else None

    def _queue(self) -> dict[str, QueueTask]:
        self.queries += 1
        return self._client.queue(user=getpass.getuser())

    def _look(self) -> Iterator[Report]:
        """Tell what is new of all attempts; nothing where the controller doesn't answer."""
        for one in self._watched.values():
            if one.taken_back:
                yield Exit(one.handle.job, None, outcome=AttemptOutcome.INTERRUPTED)
        submitted = [one for one in self._watched.values() if one.address.array]
        try:
            queue = self._queue() if submitted else {}
        except SlurmUnavailable:
            return
        states = self._states(submitted, queue)
        for one in submitted:
            entry = queue.get(one.address.task)
            yield from self._news(one, states[one.handle.job], entry.reason if entry else "")

    def _states(
        self, submitted: list[_Watched], queue: Mapping[str, QueueTask]
    ) -> dict[str, TaskState | None]:
        """State of each job's task by the queue, else by the accounting; None: neither knows."""
        there = {one.handle.job for one in submitted if one.address.in_queue(queue)}
        missing = [one.address.task for one in submitted if one.handle.job not in there]
        accounted = (self._client.account(missing) if missing else None) or {}
        states: dict[str, TaskState | None] = {}
        for one in submitted:
            source = queue if one.handle.job in there else accounted
            task = source.get(one.address.task)
            states[one.handle.job] = task.state if task is not None else None
        return states

    def _news(self, one: _Watched, state: TaskState | None, reason: str) -> Iterator[Report]:
        """Report an attempt whose result is there, which ended, or whose state has changed."""
        job = one.handle.job
        if one.run.has_result_file():
            yield Exit(job, 0)
        elif state is None or state.ended:
            yield from self._end_of(one, state)
        elif (state, reason) != one.shown:
            one.shown, one.ended_at = (state, reason), None
            yield Queued(job, reason) if state is TaskState.PENDING else Began(job)

    def _end_of(self, one: _Watched, state: TaskState | None) -> Iterator[Report]:
        """Report an end once the attempt's own files tell it, or had the time to appear.

        A worker whose pulse goes on lives, even if the queue has forgotten it.
        """
        now, pulse = self._clock(), read_pulse(one.run)
        if one.ended_at is None or pulse != one.pulse:
            one.ended_at, one.pulse = now, pulse
        if not _has_last_word(one) and now - one.ended_at < self._settings.late_s:
            return
        word = f"Slurm ended it: {state}" if state else "it is no longer in Slurm's queue"
        outcome = _OUTCOMES.get(state) if state else AttemptOutcome.LOST
        yield Exit(one.handle.job, None, trouble=word, outcome=outcome)


def _has_last_word(one: _Watched) -> bool:
    """Whether the worker itself wrote down how its attempt ended."""
    try:
        attempts = history(one.run.events().events).attempts
    except StoreError:
        return False
    last = attempts[-1] if attempts else None
    return last is not None and last.number >= one.handle.attempt and not last.open
