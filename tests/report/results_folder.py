"""A real results folder: run directories of a small study, and the index over them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ablate.matrix.identity import job_id
from ablate.matrix.plan import PlannedJob
from ablate.methods.device import Device
from ablate.methods.lifecycle import AttemptOutcome
from ablate.methods.session import JobConfig
from ablate.store.events import EpochEnded, Failed, Finished, Resumed, Started, Stopped
from ablate.store.index import Index
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory
from tests.report.results_builder import SYMMETRY, build, metrics

PAIR = "resnet20/resnet8"
TOP1 = ((94.31, 93.92, 94.65), (94.02, 93.99, 94.33), (93.87, None, 94.6))  #: None diverges


def make_results(
    results: Path, variants=SYMMETRY, name="symmetry", profile="quick", code="c0de", **changes
) -> Path:
    """Three variants, three seeds and a teacher; one run was interrupted, one diverged.

    `changes` replace fields of the plan.
    """
    networks = {"teacher": "resnet20"}
    teacher = JobConfig("teacher", "teacher", "p:t", 0, {}, networks, "digits")
    _finish(_run(results, teacher), 96.0)
    jobs = [PlannedJob(job_id(teacher), "teacher", None, "resnet20", 0)]
    for row, scores in zip(variants, TOP1, strict=True):
        for seed, top1 in enumerate(scores):
            config = JobConfig(
                "student", row.method, "p:s", seed, dict(row.changes),
                {**networks, "student": "resnet8"}, "digits", {"teacher": job_id(teacher)},
            )  # fmt: skip
            run = _run(results, config)
            jobs.append(PlannedJob(run.id, "student", row.label, PAIR, seed, (job_id(teacher),)))
            if top1 is None:
                _start(run)
                run.append(
                    Failed(
                        attempt=1,
                        time=12.0,
                        outcome=AttemptOutcome.DIVERGED,
                        message="a loss became NaN in /home/somebody/data/x.npz",
                        traceback='File "/home/somebody/train.py", line 1',
                    )
                )
            else:
                _finish(run, top1, interrupted=seed == 1)
    plan = build({"top1": {}}, variants, name=name, profile=profile, code=code, **changes).plan
    with Index.open(results, writable=True) as index:
        index.register(
            dataclasses.replace(plan, jobs=tuple(jobs), metrics=metrics("top1", "test_loss"))
        )
        index.ingest_many(RunDirectory.of(results, job.id) for job in jobs)
    return results


def _run(results: Path, config: JobConfig) -> RunDirectory:
    return RunDirectory.of(results, job_id(config)).create(config)


def _start(run: RunDirectory, attempt: int = 1) -> None:
    run.append(
        Started(
            attempt=attempt,
            time=10.0 * attempt,
            pid=4,
            process_start=4.5,
            host="h",
            device=Device(),
            threads=1,
            facts={"torch": "2.14"},
        )
    )


def _finish(run: RunDirectory, top1: float, *, interrupted: bool = False) -> None:
    _start(run)
    attempt = 1
    for epoch in range(1, 5):
        _epoch(run, attempt, epoch, top1)
        if interrupted and epoch == 2:
            run.append(Stopped(attempt=1, time=13.0, step=20))
            attempt = 2
            _start(run, attempt)
            run.append(Resumed(attempt=2, time=21.0, step=10, epoch=1, lost_seconds=1.5))
            _epoch(run, attempt, epoch, top1)  # once more: its first go was lost
    run.write_result(
        JobResult(
            metrics={"top1": top1, "test_loss": 0.25},
            best={"top1": top1 + 0.5},
            best_epoch=3,
            weights_digest="d" * 64,
            facts={"torch": "2.14"},
            costs={"train_seconds": 7.5},
        )
    )
    run.append(Finished(attempt=attempt, time=10.0 * attempt + 9))


def _epoch(run: RunDirectory, attempt: int, epoch: int, top1: float) -> None:
    run.append(
        EpochEnded(
            attempt=attempt,
            time=10.0 * attempt + epoch,
            epoch=epoch,
            step=10 * epoch,
            metrics={"top1": top1 - 8 + 2 * epoch, "test_loss": 1 / epoch},
        )
    )
