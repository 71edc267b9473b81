"""`[executor]` of ablate.toml: where jobs run, and what is asked of a Slurm cluster for each."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from ablate.study.fields import Strict, Text

#: Options of sbatch that the launcher sets itself; in `options` they would break it.
MANAGED = (
    "array",
    "chdir",
    "comment",
    "dependency",
    "job-name",
    "kill-on-invalid-dep",
    "open-mode",
    "output",
    "parsable",
    "requeue",
    "signal",
    "test-only",
    "wait",
    "wrap",
)

#: Options that have a key of their own here.
_KEYS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "time": "time",
    "mem": "memory",
    "cpus-per-task": "cpus",
    "gres": "gres",
    "constraint": "constraint",
}

_TIME = re.compile(r"\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?")
_MEMORY = re.compile(r"\d+[KMGT]?")
_WORD = re.compile(r"[\w.,:+&|()\[\]*=@/-]*")


class Slurm(Strict):
    """What each task asks of the cluster, and how the cluster is asked.

    Every text is checked before anything is submitted: against its form here, and against the
    cluster by `sbatch --test-only` and `scontrol show`.
    """

    partition: Text = Field("", description="partition; empty: the cluster's default")
    account: Text = Field("", description="account that pays")
    qos: Text = Field("", description="quality of service")
    time: Text = Field("", description='time limit of a task: "2:00:00" or "1-12:00:00"')
    memory: Text = Field("", description='memory of a task: "8G"')
    cpus: int = Field(1, ge=1, description="CPUs of a task; at least `threads` of [execution]")
    gres: Text = Field("", description='generic resources of a task: "gpu:1"')
    constraint: Text = Field("", description="features that a node must have")
    setup: list[str] = Field(
        default_factory=list, description="shell lines before the worker starts: modules, paths"
    )
    options: list[str] = Field(
        default_factory=list, description='further options of sbatch: "--exclude=node7"'
    )
    python: Text = Field("", description="Python on the nodes; empty: the one that submits")
    at_once: int = Field(0, ge=0, description="tasks of one array at once; 0: no limit")
    max_array: int = Field(1000, ge=1, description="tasks of one array, if the cluster allows")
    max_submitted: int = Field(5000, ge=1, description="tasks in the queue; others wait here")
    signal_before_s: int = Field(
        120, ge=10, description="seconds between a warning, answered by a checkpoint, and the limit"
    )
    poll_s: float = Field(30.0, ge=0.1, description="seconds between two looks at the queue")
    late_s: float = Field(
        60.0, ge=0, description="seconds that the files of an ended task may take to appear"
    )

    @field_validator("time")
    @classmethod
    def _time(cls, value: str) -> str:
        if value and not _TIME.fullmatch(value):
            raise ValueError('should be such as "90" (minutes), "2:00:00" or "1-12:00:00"')
        return value

    @field_validator("memory")
    @classmethod
    def _memory(cls, value: str) -> str:
        if value and not _MEMORY.fullmatch(value):
            raise ValueError('should be such as "8G" or "4000M"')
        return value

    @field_validator("partition", "account", "qos", "gres", "constraint")
    @classmethod
    def _word(cls, value: str) -> str:
        if not _WORD.fullmatch(value):
            raise ValueError("may hold letters, digits and _ . , : + & | ( ) [ ] * = @ / - only")
        return value

    @field_validator("setup")
    @classmethod
    def _lines(cls, value: list[str]) -> list[str]:
        if any(len(line.splitlines()) > 1 for line in value):
            raise ValueError("should be a list with one shell line per entry")
        return value

    @field_validator("options")
    @classmethod
    def _options(cls, value: list[str]) -> list[str]:
        for option in value:
            name = option.removeprefix("--").partition("=")[0]
            if not option.startswith("--") or not name or any(c in option for c in "\n\r"):
                raise ValueError(f'"{option}" should be such as "--exclude=node7"')
            if name in MANAGED:
                raise ValueError(f'"--{name}" is set by ablate itself')
            if name in _KEYS:
                raise ValueError(f'"--{name}" has a key of its own: {_KEYS[name]}')
        return value

    @property
    def has_gpu(self) -> bool:
        """Whether a task asks for a GPU."""
        return self.gres.partition(":")[0] == "gpu" or any(
            option.startswith("--gpus") for option in self.options
        )


class Executor(Strict):
    """Where jobs run."""

    kind: Literal["local", "slurm"] = Field("local", description="this machine, or a cluster")
    slurm: Slurm = Slurm.model_validate({})
