"""The script of one Slurm array: what it asks for, and how each task finds its order."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.execute.launch.slurm_address import COMMENT
from ablate.study.slurm_settings import Slurm

_TEMPLATE = """\
#!/bin/bash
{directives}

# Each task carries out one order; the worker writes into the job's own folder and log.
{setup}
{orders}
export PYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}}
# exec: signals of Slurm to this script reach the worker, which answers with a checkpoint.
exec {python} -m ablate.execute.worker.batch "${{orders[$SLURM_ARRAY_TASK_ID]}}"
"""


@dataclass(frozen=True)
class Array:
    """Tasks that are submitted together."""

    token: str  #: drawn once; finds the array in the queue by its comment
    kind: str  #: what its jobs make, for the name that `squeue` shows
    orders: Mapping[int, Path]  #: index of a task -> its order file
    after: tuple[str, ...] = ()  #: tasks that must have succeeded before: "17_0"

    @property
    def comment(self) -> str:
        """Comment that the array carries in Slurm."""
        return COMMENT + self.token


def array_script(array: Array, settings: Slurm, *, folder: Path, code: Path) -> str:
    """Write the script of one array.

    `folder` takes what tasks print before their worker opens the job's log; `code` is the folder
    that holds the package `ablate`, so that nodes run the code that submitted.

    Raises ValueError for paths with line breaks, which a script can't hold.
    """
    paths = [*map(str, array.orders.values()), str(folder), str(code)]
    if any(mark in path for path in paths for mark in "\n\r"):
        raise ValueError(f"{folder}: Slurm's scripts can't hold paths with line breaks")
    orders = (f"orders[{i}]={shlex.quote(str(path))}" for i, path in array.orders.items())
    return _TEMPLATE.format(
        directives="\n".join(f"#SBATCH {line}" for line in directives(array, settings, folder)),
        setup="\n".join(settings.setup) or ":",
        orders="\n".join(orders),
        path=shlex.quote(str(code)),
        python=shlex.quote(settings.python or sys.executable),
    )


def directives(array: Array, settings: Slurm, folder: Path) -> list[str]:
    """Options of sbatch for one array, in the order in which the script has them."""
    limit = f"%{settings.at_once}" if settings.at_once else ""
    own = {
        "job-name": f"ablate-{array.kind}",
        "comment": array.comment,
        "array": _ranges(array.orders) + limit,
        "output": _quoted(f"{_literal(folder)}/{array.token}-%a.txt"),
        "open-mode": "append",
        "nodes": "1",
        "ntasks": "1",
        "cpus-per-task": str(settings.cpus),
        "mem": settings.memory,
        "time": settings.time,
        "partition": settings.partition,
        "account": settings.account,
        "qos": settings.qos,
        "gres": settings.gres,
        "constraint": _quoted(settings.constraint) if settings.constraint else "",
        "signal": f"B:USR1@{settings.signal_before_s}",
        "dependency": f"afterok:{':'.join(array.after)}" if array.after else "",
        "kill-on-invalid-dep": "yes" if array.after else "",
    }
    lines = [f"--{name}={value}" for name, value in own.items() if value]
    return [*lines, "--requeue", *settings.options]


def _ranges(indices: Iterable[int]) -> str:
    """Indices as sbatch reads them: "0-3,5"."""
    ranges: list[list[int]] = []
    for index in sorted(indices):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)


def _literal(folder: Path) -> str:
    """A folder in which Slurm replaces nothing: it reads % as the start of a pattern."""
    return str(folder).replace("%", "%%")


def _quoted(text: str) -> str:
    """A value with spaces or signs as sbatch reads its own lines: in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
