"""The interface between a job's program and its worker: config, session and outcome.

A program is a function `program(session) -> Outcome`, named by an import path in its method's
declaration. It runs in a worker process. It may use torch or not; it must

* take up `session.resume()` if there is one,
* call `session.step_done(...)` after each step, where checkpoints and stops happen,
* draw every random number as a function of (seed, purpose, epoch), so that a resumed run equals
  an uninterrupted one to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from ablate.methods.parts import Value

#: Roles of the networks in a distillation; a method of one's own may have others, or none.
TEACHER_ROLE, STUDENT_ROLE = "teacher", "student"


@dataclass(frozen=True)
class JobConfig:
    """Everything that decides a job's result; its canonical JSON is hashed into the job's id."""

    kind: str  #: what the job makes: "student", "teacher", "teacher_table"
    method: str  #: name of the method in the registry
    program: str  #: import path of the program, "ablate.training.programs:distill"
    seed: int
    settings: Mapping[str, Value]  #: every part of the method, resolved
    #: Role -> network, as declared. A user's own is an `OwnNetwork`: a str that carries facts,
    #: which a copy made as plain text loses.
    networks: Mapping[str, str] = field(default_factory=dict)
    data: str = ""  #: name of the data set, "" where the method reads none of ours
    upstream: Mapping[str, str] = field(default_factory=dict)  #: role -> job id
    inputs: Mapping[str, str] = field(default_factory=dict)  #: file given by the user -> SHA-256
    code: str = ""  #: digest of the training code

    @property
    def pair(self) -> str:
        """The job's networks as tables print them: "resnet110/resnet32"; "" where there are none.

        A teacher stands first, whatever the order of the mapping: files sort its keys.
        """
        order = sorted(self.networks, key=lambda role: (role != TEACHER_ROLE, role))
        return "/".join(filter(None, (self.networks[role] for role in order)))

    def with_settings(self, changes: Mapping[str, Value]) -> JobConfig:
        """The same job with other values of some parts."""
        return replace(self, settings={**self.settings, **changes}) if changes else self


@dataclass(frozen=True)
class Machine:
    """Where and how a job runs.

    Nothing here decides more of a result than its last bits: those depend on the kind of device
    and on the number of threads, which is why both are recorded.
    """

    device: str = "cpu"  #: torch device string as seen by the worker: "cpu", "cuda:0"
    threads: int = 1  #: fixed by ablate.toml, so that a resumed run keeps its bits
    data_dir: Path = Path("data")  #: where data sets are looked for, and downloaded to
    files: Mapping[str, Path] = field(default_factory=dict)  #: input name -> path of the file


@dataclass(frozen=True)
class Position:
    """How far a job has come."""

    epoch: int  #: 1-based epoch that the last step belongs to
    step: int  #: global steps done
    epoch_ended: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a program returns when it is done."""

    metrics: Mapping[str, float]  #: after the last epoch; finite, deterministic
    best: Mapping[str, float] = field(
        default_factory=dict
    )  #: at the epoch that was best by the validation split, else by test top-1
    best_epoch: int = 0
    weights_digest: str = ""  #: SHA-256 over the trained tensors in key order
    facts: Mapping[str, str] = field(
        default_factory=dict
    )  #: versions, devices: shown, not compared
    peak_memory: int = 0  #: bytes held on the job's device, used or not


class Session(Protocol):
    """The interface through which a program reads and writes its run directory."""

    @property
    def config(self) -> JobConfig:
        """The job."""

    @property
    def machine(self) -> Machine:
        """Where it runs."""

    @property
    def stop_requested(self) -> bool:
        """Whether it was asked to stop, as the next `step_done` does."""

    @property
    def output(self) -> Path:
        """Folder of the job's artifacts, for a program that lets another process write them."""

    @property
    def own_checkpoints(self) -> Path:
        """Folder for a program that keeps checkpoints by itself; removed once the job is done."""

    def upstream(self, role: str) -> Path:
        """Folder with the artifacts of a finished upstream job."""

    def resume(self) -> bytes | None:
        """Newest sound checkpoint, or None at a fresh start."""

    def log_epoch(
        self, epoch: int, step: int, metrics: Mapping[str, float], *, evaluation_s: float = 0.0
    ) -> None:
        """Record the metrics of one finished epoch and the seconds that evaluating took.

        `ablate preview --measure` scales training with the number of images, evaluation not.
        """

    def step_done(self, position: Position, snapshot: Callable[[], bytes] | None) -> None:
        """Save `snapshot()` if one is due; if asked to stop, save and raise Interrupted.

        None: there is nothing to go on from, so the next attempt begins anew.
        """

    def save_artifact(self, name: str, content: bytes) -> None:
        """Write a file, atomically, that downstream jobs and users read."""

    def open_artifact(self, name: str) -> int:
        """Descriptor, to read and write, of an artifact that is too large for `save_artifact`.

        The program closes it. Nobody reads the file before the job is done, and a resumed attempt
        finds what is there.
        """
