"""The worker's side of a job's run directory: resume, epochs, checkpoints, stops."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import Interrupted, StoreError
from ablate.execute.worker.order import Order
from ablate.methods.session import JobConfig, Position
from ablate.store import checkpoints
from ablate.store.artifacts import checked
from ablate.store.events import (
    CheckpointSaved,
    CheckpointsRejected,
    EpochEnded,
    Event,
    Resumed,
    Stopped,
)
from ablate.store.job_result import is_artifact_name
from ablate.store.rundir import RunDirectory

PULSE_S = 0.5  #: how often a worker notes how far it is
_MOST_PULSE = 4096  #: bytes of that note


@dataclass(frozen=True, order=True)
class Pulse:
    """Progress of a job, written often and without waiting for the disk."""

    step: int
    epoch: int = 0
    trained_s: float = 0.0


def pulse_file(run: RunDirectory) -> Path:
    """Where a worker notes how far it is."""
    return run.path / "pulse.json"


def write_pulse(run: RunDirectory, pulse: Pulse) -> None:
    """Overwrite the note in place, in one write of always the same length."""
    line = json.dumps(vars(pulse)).ljust(120).encode() + b"\n"
    descriptor = run.folder.open(pulse_file(run).name, os.O_WRONLY | os.O_CREAT)
    try:
        os.pwrite(descriptor, line, 0)
    finally:
        os.close(descriptor)


def read_pulse(run: RunDirectory) -> Pulse | None:
    """The last note; None if there is none, or none that can be read."""
    try:
        found = json.loads(run.folder.read(pulse_file(run).name, most_bytes=_MOST_PULSE))
        pulse = Pulse(**found)
        sound = isinstance(pulse.step, int) and isinstance(pulse.epoch, int)
        return pulse if sound and isinstance(pulse.trained_s, int | float) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


class StopFlag:
    """Set by a signal or by the end of the orchestrator; looked at after each step."""

    def __init__(self) -> None:
        self.reason = ""

    def request(self, reason: str) -> None:
        """Ask the program to stop at its next step; the first reason counts."""
        self.reason = self.reason or reason


def _log(sentence: str) -> None:
    """Write a line to the job's log, if the disk allows it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{sentence}\n")


class WorkerSession:
    """The `Session` that a program gets in a worker process."""

    def __init__(self, order: Order, stop: StopFlag, clock: Callable[[], float] = time.monotonic):
        self._order, self._stop, self._clock = order, stop, clock
        self._run = RunDirectory(order.run)
        self.config: JobConfig = self._run.config()
        self.machine = order.machine
        self._saved = Position(0, -1)  #: of the newest checkpoint
        self._tried = self._saved  #: the newest attempt at one; a full disk lets it fail
        self._tried_at = self._began = clock()
        self._cost_s = 0.0  #: of the newest checkpoint of this attempt; 0 before the first
        self._seconds_before = 0.0  #: training time of earlier attempts, up to their checkpoint
        self._beat_at = -math.inf
        self.used: dict[str, dict[str, str]] = {}  #: role -> artifact -> its digest

    @property
    def seconds(self) -> float:
        """Training time over all attempts, without what a kill lost."""
        return self._seconds_before + self._clock() - self._began

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._order.attempt

    def record(self, event: Event) -> None:
        """Append one event of this attempt; it survives power loss once this returns."""
        self._run.append(event)

    def check_upstream(self) -> None:
        """Find every artifact of upstream jobs to be as it was written, and note their digests.

        Raises ArtifactError for the first that is not.
        """
        for role, path in self._order.upstream.items():
            self.used[role] = checked(RunDirectory(path))

    @property
    def stop_requested(self) -> bool:
        """Whether it was asked to stop, as the next `step_done` does."""
        return bool(self._stop.reason)

    @property
    def output(self) -> Path:
        """Folder of the job's artifacts, for a program that lets another process write them."""
        self._run.artifact_folder.make()
        return self._run.artifacts

    @property
    def own_checkpoints(self) -> Path:
        """Folder for a program that keeps checkpoints by itself; removed once the job is done."""
        return checkpoints.own_folder(self._run.checkpoints)

    def upstream(self, role: str) -> Path:
        """Folder with the artifacts of a finished upstream job."""
        return RunDirectory(self._order.upstream[role]).artifacts

    def resume(self) -> bytes | None:
        """Newest sound checkpoint, or None at a fresh start; what was rejected is recorded."""
        newest, rejected = checkpoints.newest(self._run.checkpoints)
        names = tuple(path.name for path in rejected)
        if newest is None:
            if names:
                self.record(
                    CheckpointsRejected(attempt=self.attempt, time=time.time(), rejected=names)
                )
            return None
        events = self._run.events().events
        saved, last = self._reached(newest.step, events)
        self._seconds_before = saved.trained_s
        ended = any(isinstance(e, EpochEnded) and e.step == newest.step for e in events)
        self._saved = self._tried = Position(saved.epoch, newest.step, ended)
        self.record(
            Resumed(
                attempt=self.attempt,
                time=time.time(),
                step=newest.step,
                epoch=saved.epoch,
                lost_seconds=max(0.0, last.trained_s - saved.trained_s),
                lost_steps=max(0, last.step - newest.step),
                rejected=names,
            )
        )
        self._beat(self._saved)  # what was lost is told once
        return newest.payload

    def _reached(self, step: int, events: Iterable[Event]) -> tuple[Pulse, Pulse]:
        """How far the job was at the checkpoint of `step`, and how far it came after that.

        Both in seconds of training, so that neither a jump of the clock nor the time in which
        nobody ran counts as lost. A kill between checkpoint and event leaves only the pulse.
        """
        pulse = read_pulse(self._run)
        recorded = [
            Pulse(e.step, e.epoch, e.trained_s)
            for e in events
            if isinstance(e, CheckpointSaved | EpochEnded)
            and e.step is not None
            and e.epoch is not None
        ]
        known = [*recorded, *([pulse] if pulse else [])]
        before = max((p for p in known if p.step <= step), default=Pulse(step))
        exact = [p for p in known if p.step == step]
        saved = exact[-1] if exact else before
        return saved, pulse if pulse and pulse.step >= step else saved

    def log_epoch(
        self, epoch: int, step: int, metrics: Mapping[str, float], *, evaluation_s: float = 0.0
    ) -> None:
        """Record the metrics of one finished epoch and the seconds that evaluating took."""
        self.record(
            EpochEnded(
                attempt=self.attempt,
                time=time.time(),
                epoch=epoch,
                step=step,
                metrics=metrics,
                trained_s=self.seconds,
                evaluation_s=evaluation_s,
            )
        )

    def step_done(self, position: Position, snapshot: Callable[[], bytes] | None) -> None:
        """Save `snapshot()` if a checkpoint is due or a stop was asked for; then stop if asked.

        A disk that is full (or gone) costs a checkpoint, not the training: the failure is logged
        and the next one tried when it is due.
        """
        reason = self._stop.reason
        new = position.step != self._saved.step
        if snapshot is not None and new and (reason or self._due(position)):
            self._save(position, snapshot)
        elif self._clock() - self._beat_at >= PULSE_S:
            self._beat(position)
        if reason:
            self.record(
                Stopped(attempt=self.attempt, time=time.time(), step=position.step, reason=reason)
            )
            raise Interrupted(reason)

    def _due(self, position: Position) -> bool:
        amount, unit = self._order.interval
        if unit == "epoch":
            whole = self._tried.epoch - (not self._tried.epoch_ended)  # one begun is not counted
            return position.epoch_ended and position.epoch - max(whole, 0) >= amount
        if unit == "share":
            waited = self._clock() - self._tried_at
            return position.epoch_ended and waited * amount >= self._cost_s
        if unit == "step":
            return position.step - max(self._tried.step, 0) >= amount
        return self._clock() - self._tried_at >= amount * (60 if unit == "minute" else 1)

    def _save(self, position: Position, snapshot: Callable[[], bytes]) -> None:
        began = self._clock()
        self._beat(position)  # first, since it tells what a checkpoint without its event holds
        self._tried, self._tried_at = position, began
        payload = snapshot()
        try:
            checkpoints.save(self._run.checkpoints, position.step, payload)
        except OSError as error:
            _log(f"checkpoint at step {position.step} failed: {error}")
        else:
            self._saved = position
            self._tell_saved(payload, began)
        self._cost_s = self._clock() - began

    def _tell_saved(self, payload: bytes, began: float) -> None:
        """Write a checkpoint's event; all of it can be told without it, so losing it to a power
        cut would do no harm, and waiting for the disk once more is not worth it."""
        saved = CheckpointSaved(
            attempt=self.attempt,
            time=time.time(),
            step=self._saved.step,
            epoch=self._saved.epoch,
            seconds=self._clock() - began,
            bytes=len(payload),
            trained_s=self.seconds,
        )
        try:
            self._run.append(saved, durable=False)
        except OSError as error:
            _log(f"checkpoint at step {self._saved.step} was saved, but not written down: {error}")

    def _beat(self, position: Position) -> None:
        """Write the progress; it decides nothing about whether the worker is alive."""
        self._beat_at = self._clock()
        with contextlib.suppress(OSError):
            write_pulse(self._run, Pulse(position.step, position.epoch, self.seconds))

    def forget_pulse(self) -> None:
        """Remove the note of a job that is done."""
        with contextlib.suppress(FileNotFoundError):
            self._run.folder.remove(pulse_file(self._run).name)

    def save_artifact(self, name: str, content: bytes) -> None:
        """Write a file, atomically, that downstream jobs and users read."""
        self._check_artifact_name(name)
        self._run.artifact_folder.write(name, content)

    def open_artifact(self, name: str) -> int:
        """Descriptor of an artifact that the program writes by itself, since it is large."""
        self._check_artifact_name(name)
        return self._run.artifact_folder.open(name, os.O_RDWR | os.O_CREAT)

    def _check_artifact_name(self, name: str) -> None:
        if not is_artifact_name(name):
            raise StoreError(f"an artifact's name may not be a path: {name!r}")
