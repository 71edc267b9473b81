"""A small results folder with a teacher, two variants and as many seeds as asked for."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.matrix.identity import job_id
from ablate.matrix.plan import PlannedJob, Role, StudyPlan, Variant
from ablate.methods.device import Device
from ablate.methods.metrics import COSTS, TOP1
from ablate.methods.session import JobConfig
from ablate.store.events import EpochEnded, Finished, Started
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory

TEACHER = JobConfig(
    kind="teacher", method="teacher", program="p:t", data="digits",
    networks={"teacher": "t"}, seed=0, settings={},
)  # fmt: skip
TEACHER_ID = job_id(TEACHER)
BASE = Variant("base", Role.BASELINE, "m")
WARM = Variant("τ = 0.2", Role.VARIANT, "m", {"tau": 0.2}, "τ")
FINISHED = JobResult(
    metrics={"top1": 90.5, "loss": 0.1, "train_seconds": 7.0},
    best={"top1": 91.5},
    best_epoch=2,
    weights_digest="d" * 64,
    facts={"torch": "2.9"},
    costs={"train_seconds": 12.5, "peak_memory_mib": 100.0},
)


class Lab:
    def __init__(self, results: Path) -> None:
        self.results = results

    def student(self, variant: Variant, seed: int) -> JobConfig:
        return JobConfig(
            kind="student", method=variant.method, program="p:s", data="digits",
            networks={"teacher": "t", "student": "s"}, seed=seed,
            settings={"tau": 0.1, **variant.changes},
            upstream={"teacher": TEACHER_ID},
        )  # fmt: skip

    def configs(self) -> list[JobConfig]:
        """The teacher and four students: the jobs of `plan()`."""
        return [TEACHER, *(self.student(v, seed) for v in (BASE, WARM) for seed in (0, 1))]

    def id(self, variant: Variant, seed: int) -> str:
        return job_id(self.student(variant, seed))

    def plan(
        self,
        seeds: Sequence[int] = (0, 1),
        variants: Sequence[Variant] = (BASE, WARM),
        name: str = "tau",
        **changes: Any,
    ) -> StudyPlan:
        students = [
            PlannedJob(self.id(v, seed), "student", v.label, "t/s", seed, (TEACHER_ID,))
            for v in variants
            for seed in seeds
        ]
        fields: dict[str, Any] = {
            "name": name, "title": "T", "question": "?", "answers": "plan", "profile": "quick",
            "data": "Digits", "metrics": (TOP1, COSTS[0]), "pairs": ("t/s",),
            "seeds": tuple(seeds), "baseline": {"tau": 0.1}, "overrides": {},
            "variants": tuple(variants),
            "jobs": (PlannedJob(TEACHER_ID, "teacher", None, "t", 0), *students), "code": "c0de",
            "rows": {v.label: {"t/s": self.id(v, 0)} for v in variants},
        }  # fmt: skip
        return StudyPlan(**{**fields, **changes})

    def run(self, config: JobConfig) -> RunDirectory:
        return RunDirectory.of(self.results, job_id(config)).create(config)

    def start(self, run: RunDirectory, attempt: int = 1, **more: Any) -> None:
        fields: dict[str, Any] = {
            "time": 10.0 * attempt, "pid": 4, "process_start": 4.5, "host": "h",
            "device": Device(), "threads": 2, "facts": {"git": "abc"}, **more,
        }  # fmt: skip
        run.append(Started(attempt=attempt, **fields))

    def epoch(self, run: RunDirectory, epoch: int, attempt: int = 1) -> None:
        run.append(
            EpochEnded(
                attempt=attempt,
                time=10.0 * attempt + epoch,
                epoch=epoch,
                step=10 * epoch,
                metrics={"loss": 1 / epoch, "top1": 50.0 + epoch},
            )
        )

    def finish(self, config: JobConfig, attempt: int = 1, **result: Any) -> RunDirectory:
        run = self.run(config)
        self.start(run, attempt)
        self.epoch(run, 1, attempt)
        last = {name: FINISHED.metrics[name] for name in ("loss", "top1")}
        run.append(
            EpochEnded(attempt=attempt, time=10.0 * attempt + 2, epoch=2, step=20, metrics=last)
        )
        run.write_result(dataclasses.replace(FINISHED, **result))
        run.append(Finished(attempt=attempt, time=10.0 * attempt + 5))
        return run


def files_of(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of everything in a folder."""
    return {
        path.relative_to(folder): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def dump(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything an index says, with jobs under their ids."""
    connection = sqlite3.connect(database)
    number = "(SELECT id FROM jobs WHERE number = job)"
    try:
        return {
            "studies": connection.execute("SELECT * FROM studies ORDER BY key").fetchall(),
            "study_jobs": connection.execute(
                "SELECT * FROM study_jobs ORDER BY study, position"
            ).fetchall(),
            "jobs": [row[1:] for row in connection.execute("SELECT * FROM jobs ORDER BY id")],
            "attempts": connection.execute(
                f"SELECT {number}, number, started, ended, outcome, resumed_step, last_step, error"
                " FROM attempts ORDER BY 1, 2"
            ).fetchall(),
            "metrics": connection.execute(
                f"SELECT {number}, epoch, metric, value FROM metrics ORDER BY 1, 2, 3"
            ).fetchall(),
        }
    finally:
        connection.close()
