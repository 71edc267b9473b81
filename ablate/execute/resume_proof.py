"""Prove that resuming is exact: run one job uninterrupted and interrupted, and compare."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.execute.recovery import lives
from ablate.matrix.plan import Matrix
from ablate.store.history import Attempt, history
from ablate.store.holders import end_process
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory

RunMatrix = Callable[[Matrix, Path], object]  #: carries out a matrix in a results folder


@dataclass(frozen=True)
class Trial:
    """One of the two runs of a job."""

    digest: str
    metrics: dict[str, float]
    attempts: int
    resumed_from: tuple[int, ...]


@dataclass(frozen=True)
class Proof:
    """Both runs of one job."""

    job: str
    whole: Trial
    broken: Trial

    @property
    def broke(self) -> bool:
        """Whether the second run was interrupted at all, so that comparing them means something."""
        return bool(self.broken.resumed_from)

    @property
    def agrees(self) -> bool:
        """Whether every metric, and the weights where they are reported, are equal to the bit."""
        same = self.whole.digest == self.broken.digest
        return same and self.whole.metrics == self.broken.metrics

    @property
    def has_weights(self) -> bool:
        """Whether the method reports a digest of its weights."""
        return bool(self.whole.digest)


def only(matrix: Matrix, job: str) -> Matrix:
    """The part of a matrix that one job needs: itself and all upstream of it."""
    needed: dict[str, None] = {}
    waiting = [job]
    while waiting:
        name = waiting.pop()
        needed[name] = None
        waiting += matrix.configs[name].upstream.values()
    configs = {name: config for name, config in matrix.configs.items() if name in needed}
    jobs = tuple(planned for planned in matrix.plan.jobs if planned.id in needed)
    return replace(matrix, plan=replace(matrix.plan, jobs=jobs), configs=configs)


def prove(
    matrix: Matrix, job: str, results: Path, scratch: Path, kills: int, seed: int, run: RunMatrix
) -> Proof:
    """Run `job` whole and broken by `kills` SIGKILLs under `scratch`; `run` carries out a matrix.

    Finished upstream jobs are taken over from `results`, so that only the job itself runs twice.
    """
    part = only(matrix, job)
    trials: list[Trial] = []
    pause_s = 0.0  # so that the kills fall anywhere in the time that the job takes
    for name, count in (("whole", 0), ("broken", kills)):
        folder = scratch / name
        for upstream in part.configs:
            done = RunDirectory.of(results, upstream)
            if upstream != job and done.has_result_file():
                copy = RunDirectory.of(folder, upstream).path
                shutil.copytree(done.path, copy, symlinks=True, dirs_exist_ok=True)
        ours = RunDirectory.of(folder, job)
        with saboteur(ours, count, pause_s, random.Random(seed)):  # noqa: S311 - no secret
            run(part, folder)
        trials.append(_trial(ours))
        whole = ours.result() or JobResult()
        pause_s = whole.costs.get("train_seconds", 0.0) / (kills + 1)
    return Proof(job, *trials)


def _trial(run: RunDirectory) -> Trial:
    found = run.result()
    past = history(run.events().events, done=found is not None)
    result = found or JobResult()
    return Trial(
        result.weights_digest,
        dict(result.metrics),
        len(past.attempts),
        past.resumed_from,
    )


def _living(run: RunDirectory) -> Attempt | None:
    """The attempt whose worker lives now, if there is one."""
    attempts = history(run.events().events, done=run.result() is not None).attempts
    return attempts[-1] if attempts and attempts[-1].open and lives(attempts[-1]) else None


@contextmanager
def saboteur(run: RunDirectory, kills: int, pause_s: float, rng: random.Random) -> Iterator[None]:
    """While inside, SIGKILL the job's worker `kills` times, each at most `pause_s` after it had
    something to lose."""
    over = threading.Event()

    def sabotage() -> None:
        hit = 0
        while hit < kills and not over.wait(0.02):
            seen = _living(run)
            if seen is None or seen.number <= hit or seen.last_step == 0:
                continue  # wait for its first checkpoint or epoch, so that there is work to lose
            if over.wait(rng.uniform(0.0, pause_s)):
                return
            now = _living(run)  # it may have ended meanwhile, and its pid be somebody else's
            if now and now.pid and now.number == seen.number:
                hit += end_process(now.pid, run.lock)

    thread = threading.Thread(target=sabotage, daemon=True, name="saboteur")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
