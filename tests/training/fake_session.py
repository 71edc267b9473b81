"""A session that lives in a folder, stops when told to, and runs a job's upstream jobs first."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import pytest

from ablate.errors import Interrupted
from ablate.methods.method import Method
from ablate.methods.parts import Value
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig, Machine, Outcome, Position

#: Small enough that an epoch on digits takes a fraction of a second.
TINY: dict[str, Value] = {
    "epochs": 2,
    "batch_size": 128,
    "lr": 0.05,
    "head.width": 32,
    "head.embedding": 16,
    "predictor.width": 16,
    "dictionary.size": 200,
    "crd.negatives": 64,
    "crd.embedding": 16,
}


@dataclass
class FakeSession:
    """What a worker's session promises, in memory but for the artifacts."""

    config: JobConfig
    folder: Path
    machine: Machine = field(default_factory=Machine)
    upstreams: Mapping[str, Path] = field(default_factory=dict)
    stop_after: int = -1  #: step after which to save a checkpoint and raise Interrupted
    checkpoint: bytes | None = None
    epochs: list[tuple[int, int, dict[str, float]]] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)

    @property
    def stop_requested(self) -> bool:
        return False

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def own_checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def upstream(self, role: str) -> Path:
        return self.upstreams[role]

    def resume(self) -> bytes | None:
        return self.checkpoint

    def log_epoch(
        self, epoch: int, step: int, metrics: Mapping[str, float], *, evaluation_s: float = 0.0
    ) -> None:
        self.epochs.append((epoch, step, dict(metrics)))

    def step_done(self, position: Position, snapshot: Callable[[], bytes] | None) -> None:
        self.positions.append(position)
        if position.step == self.stop_after:
            self.checkpoint = snapshot() if snapshot else None
            raise Interrupted("asked to stop")

    def save_artifact(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def open_artifact(self, name: str) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        return os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o666)

    def run(self) -> Outcome:
        module, _, function = self.config.program.partition(":")
        return getattr(import_module(module), function)(self)  # type: ignore[no-any-return]

    def run_with_stops(self, *stops: int) -> Outcome:
        """Run to the end, stopped after each of these steps and started anew."""
        for self.stop_after in stops:
            with pytest.raises(Interrupted):
                self.run()
        self.stop_after = -1
        return self.run()


class Workshop:
    """Makes sessions of jobs, their upstream jobs run once per content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: dict[str, Path] = {}

    def job(self, method: str, teacher: str, student: str, **changes: Value) -> JobConfig:
        """Resolve a job; parts are written with double underscores for dots."""
        declared = BUILT_IN[method]
        named = {"teacher": teacher, "student": student}
        networks = {role: named[role] for role in declared.roles}
        settings = declared.baseline(networks)
        settings |= {name: value for name, value in TINY.items() if name in settings}
        settings |= {name.replace("__", "."): value for name, value in changes.items()}
        return JobConfig(
            kind=declared.kind, method=method, program=declared.program, data="digits",
            networks=networks, seed=0, settings=settings,
        )  # fmt: skip

    def session(self, job: JobConfig, folder: str = "job") -> FakeSession:
        """Session of a job whose upstream jobs have run."""
        roles = BUILT_IN[job.method].upstream(job, self._recipe)
        upstreams = {role: self._run(wanted, roles) for role, wanted in roles.items()}
        job = replace(job, upstream=dict.fromkeys(roles, "id"))
        return FakeSession(job, self.folder / folder, upstreams=upstreams)

    def _recipe(self, method: Method, network: str) -> dict[str, Value]:
        values = method.baseline({method.roles[0]: network})
        return values | {name: value for name, value in TINY.items() if name in values}

    def _run(self, job: JobConfig, roles: Mapping[str, JobConfig]) -> Path:
        key = repr(job)
        if key not in self.done:
            upstreams = {}
            if job.kind == "teacher_table":
                upstreams = {"teacher": self._run(roles["teacher"], roles)}
                job = replace(job, upstream=dict.fromkeys(upstreams, "id"))
            session = FakeSession(job, self.folder / f"up{len(self.done)}", upstreams=upstreams)
            session.run()
            self.done[key] = session.folder
        return self.done[key]
