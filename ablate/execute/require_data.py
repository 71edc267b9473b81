"""The data of jobs that are to run, looked for before the first of them starts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ablate.errors import InputError, Interrupted, Problem
from ablate.methods.catalog import DATASETS, split_subset
from ablate.methods.data_files import seem_sound
from ablate.methods.session import JobConfig

_PREPARE = "ablate.training.data.prepare"  #: the program that downloads, named and never imported


def require_data(configs: Iterable[JobConfig], data_dir: Path, say: Callable[[str], None]) -> None:
    """Raise InputError if a data set of these jobs is not there and cannot be downloaded.

    A user's own folders and arrays were read when the study was; this is for the catalogue's sets.
    """
    names = sorted({split_subset(config.data)[0] for config in configs} & DATASETS.keys())
    problems: list[Problem] = []
    for name in names:
        info = DATASETS[name]
        if not seem_sound(info, data_dir):
            say(f"{info.title} is not complete in {data_dir}: trying to download it")
            problems += _prepare(name, data_dir)
    if problems:
        raise InputError(problems)


def _prepare(name: str, data_dir: Path) -> list[Problem]:
    """Load a data set in a process of its own; what is wrong with it."""
    command = [sys.executable, "-P", "-m", _PREPARE, name, str(data_dir)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == -signal.SIGINT:  # Ctrl-C goes to all processes of a terminal
        raise Interrupted(f"stopped while {name} was loaded; nothing was started")
    try:
        return [Problem(**problem) for problem in json.loads(ran.stdout.splitlines()[-1])]
    except (IndexError, ValueError, TypeError):
        last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        return [Problem("data", name, f"cannot be loaded: {last}", f"a sound copy in {data_dir}")]
