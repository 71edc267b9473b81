"""The worker's side of a job's run directory: resume, epochs, checkpoints, stops."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.errors import Interrupted, StoreError
from ablate.methods.session import JobConfig, Machine, Position
from ablate.store import checkpoints
from ablate.store.files import atomic_write
from ablate.store.rundir import RunDirectory


@dataclass(frozen=True)
class Order:
    """What the orchestrator tells a worker; everything else stands in the run directory."""

    run: Path  #: the job's run directory
    attempt: int
    machine: Machine
    upstream: Mapping[str, Path]  #: role -> run directory of the finished upstream job
    interval: tuple[float, str] = (1, "epoch")  #: between checkpoints
    method_file: str = ""  #: the user's file that holds the program, "" for the package's own
    visible_gpu: str = ""  #: CUDA_VISIBLE_DEVICES of the worker
    grace_s: float = 30.0
    facts: Mapping[str, str] = field(default_factory=dict)  #: provenance: versions, git state


class StopFlag:
    """Set by a signal or by the end of the orchestrator; looked at after each step."""

    def __init__(self) -> None:
        self.reason = ""

    def request(self, reason: str) -> None:
        """Ask the program to stop at its next step; the first reason counts."""
        self.reason = self.reason or reason


class WorkerSession:
    """The `Session` that a program gets in a worker process."""

    def __init__(self, order: Order, stop: StopFlag, clock: Callable[[], float] = time.monotonic):
        self._order, self._stop, self._clock = order, stop, clock
        self._run = RunDirectory(order.run)
        self.config: JobConfig = self._run.config()
        self.machine = order.machine
        self._saved = Position(0, -1)  #: of the newest checkpoint
        self._saved_at = self._began = clock()
        self._seconds_before = 0.0  #: training time of earlier attempts, up to their checkpoint

    @property
    def seconds(self) -> float:
        """Training time over all attempts, without what a kill lost."""
        return self._seconds_before + self._clock() - self._began

    def event(self, name: str, /, **content: object) -> None:
        """Append one event of this attempt."""
        self._run.append(
            {"event": name, "time": time.time(), "attempt": self._order.attempt, **content}
        )

    def upstream(self, role: str) -> Path:
        """Folder with the artifacts of a finished upstream job."""
        return RunDirectory(self._order.upstream[role]).artifacts

    def resume(self) -> bytes | None:
        """Newest sound checkpoint, or None at a fresh start; what was rejected is recorded."""
        newest, rejected = checkpoints.newest(self._run.checkpoints)
        names = [path.name for path in rejected]
        if newest is None:
            if names:
                self.event("rejected", rejected=names)
            return None
        events = self._run.events().events
        saves = [e for e in events if e["event"] == "checkpoint" and e["step"] == newest.step]
        save = saves[-1] if saves else {}
        self._seconds_before = float(save.get("trained_s", 0.0))
        self._saved = Position(int(save.get("epoch", 0)), newest.step)
        saved_at = newest.path.stat().st_mtime
        last_sign = max(e["time"] for e in events if e.get("attempt") != self._order.attempt)
        self.event(
            "resumed",
            step=newest.step,
            epoch=self._saved.epoch,
            checkpoint_time=saved_at,
            lost_seconds=max(0.0, last_sign - saved_at),
            rejected=names,
        )
        return newest.payload

    def log_epoch(self, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of one finished epoch."""
        self.event("epoch", epoch=epoch, step=step, metrics=dict(metrics))

    def step_done(self, position: Position, snapshot: Callable[[], bytes]) -> None:
        """Save `snapshot()` if a checkpoint is due or a stop was asked for; then stop if asked.

        A disk that is full (or gone) costs a checkpoint, not the training: the failure is logged
        and the next one tried when it is due.
        """
        reason = self._stop.reason
        if (reason or self._due(position)) and position.step != self._saved.step:
            self._save(position, snapshot)
        if reason:
            self.event("interrupted", step=position.step, reason=reason)
            raise Interrupted(reason)

    def _due(self, position: Position) -> bool:
        amount, unit = self._order.interval
        if unit == "epoch":
            return position.epoch_ended and position.epoch - self._saved.epoch >= amount
        if unit == "step":
            return position.step - max(self._saved.step, 0) >= amount
        return self._clock() - self._saved_at >= amount * (60 if unit == "minute" else 1)

    def _save(self, position: Position, snapshot: Callable[[], bytes]) -> None:
        began = self._clock()
        payload = snapshot()
        try:
            checkpoints.save(self._run.checkpoints, position.step, payload)
        except OSError as error:
            print(f"checkpoint at step {position.step} failed: {error}", file=sys.stderr)  # noqa: T201
            return
        self._saved, self._saved_at = position, self._clock()
        self.event(
            "checkpoint",
            step=position.step,
            epoch=position.epoch,
            seconds=self._saved_at - began,
            bytes=len(payload),
            trained_s=self.seconds,
        )

    def save_artifact(self, name: str, content: bytes) -> None:
        """Write a file, atomically, that downstream jobs and users read."""
        if Path(name).name != name or name.startswith("."):
            raise StoreError(f"an artifact's name may not be a path: {name!r}")
        atomic_write(self._run.artifacts / name, content)
