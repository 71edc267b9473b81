"""Who is killed by `ablate verify`: the worker that lives at that moment, and nobody else."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from ablate.execute.resume_proof import saboteur
from ablate.store.events import EpochEnded, Started, Stopped
from ablate.store.processes import process_start
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import make_matrix
from tests.execute.toy_workshop import PATIENCE_S


def attempt(run: RunDirectory, number: int, process: subprocess.Popen[bytes]) -> None:
    """An attempt with something to lose."""
    stamp: dict[str, Any] = {"time": time.time(), "attempt": number}
    worker: dict[str, Any] = {"host": socket.gethostname(), "pid": process.pid}
    run.append(Started(**worker, process_start=process_start(process.pid), **stamp))
    run.append(EpochEnded(epoch=number, step=number, metrics={}, **stamp))


def test_a_worker_that_ended_before_its_moment_is_not_killed(tmp_path: Path) -> None:
    ((job, config),) = make_matrix(1).configs.items()
    run = RunDirectory.of(tmp_path, job).create(config)
    bystander, victim = (
        subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=run.lock.open("w"))
        for _ in range(2)
    )

    class Moments(random.Random):
        """The first attempt ends while its moment is waited for, and its pid is another's."""

        def uniform(self, a: float, b: float) -> float:
            if not any(isinstance(event, Stopped) for event in run.events().events):
                run.append(Stopped(time=time.time(), attempt=1))
                attempt(run, 2, victim)
            return 0.0

    attempt(run, 1, bystander)
    try:
        with saboteur(run, 1, 0.0, Moments()):
            assert victim.wait(timeout=PATIENCE_S) == -9
        assert bystander.poll() is None
    finally:
        for process in (bystander, victim):
            process.kill()
            process.wait()
