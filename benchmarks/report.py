"""How long a user waits for a report: tables and page over an index of many jobs.

    python -m benchmarks.report [--jobs 100000] [--rows 200] [--study-jobs 1000] [--dir DIR]

The index is filled directly, with `--rows` rows per epoch and metric for each job; then commands
run as a user runs them, start of Python included. `--keep` leaves the folder for a look.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ablate.matrix.identity import job_id
from ablate.matrix.plan import PlannedJob, Role, StudyPlan, Variant
from ablate.methods.metrics import CLASSIFICATION, TOP1
from ablate.methods.session import JobConfig
from ablate.store.index import Index
from benchmarks.index import put_rows, timed

METRICS = ("top1", "test_loss", "loss", "loss_ctr", "loss_cls", "loss_pred", "loss_pred_sym",
           "top5", "contrast_acc", "loss_kd")  # fmt: skip
SEEDS, VARIANTS = 5, 10
BASELINE = 0.1


def study(number: int, jobs: int) -> tuple[StudyPlan, dict[str, JobConfig]]:
    """A sweep over τ on as many pairs as make up the number of jobs."""
    values = [BASELINE * 2**i for i in range(VARIANTS)]
    labels = [f"τ = {value:g}" for value in values]
    pairs = tuple(f"teacher{i}/student" for i in range(max(1, jobs // (SEEDS * VARIANTS))))
    configs, planned = {}, []
    for pair in pairs:
        for label, value in zip(labels, values, strict=True):
            for seed in range(SEEDS):
                config = JobConfig(
                    kind="student", method="cocord", program="p:q", data="digits",
                    networks={"teacher": pair.partition("/")[0], "student": "student"}, seed=seed,
                    settings={"temperature": value, "study": number},
                )  # fmt: skip
                job = job_id(config)
                configs[job] = config
                planned.append(PlannedJob(job, "student", label, pair, seed))
    variants = [Variant(labels[0], Role.BASELINE, "cocord")]
    variants += [
        Variant(label, Role.VARIANT, "cocord", {"temperature": value}, "τ")
        for label, value in zip(labels[1:], values[1:], strict=True)
    ]
    plan = StudyPlan(
        f"study{number:03d}", "Sensitivity to τ", "How sharp should the contrast be?", "", "quick",
        "digits", (TOP1, CLASSIFICATION[2]), pairs, tuple(range(SEEDS)),
        {"temperature": BASELINE, "epochs": 20}, {}, tuple(variants), tuple(planned),
        part_labels={"temperature": "τ"},
    )  # fmt: skip
    return plan, configs


def fill(results: Path, jobs: int, per_study: int, rows: int) -> None:
    epochs = max(1, rows // len(METRICS))
    with Index.open(results, writable=True) as index:
        for number in range(jobs // per_study):
            plan, configs = study(number, per_study)
            index.register(plan)
            put_rows(index, configs, 0, 0)
    with sqlite3.connect(results / "ablate.db") as database:
        # Results that vary, and rows per epoch, made by SQLite itself: much faster than inserts.
        database.execute(
            "UPDATE jobs SET last_epoch = ?, metrics = json_object("
            "'top1', 70 + (number * 7919 % 1000) / 300.0,"
            "'test_loss', 1 + (number * 104729 % 1000) / 900.0)",
            (epochs,),
        )
        database.execute(
            "WITH RECURSIVE epochs(epoch) AS"
            " (SELECT 1 UNION ALL SELECT epoch + 1 FROM epochs WHERE epoch < ?)"
            " INSERT INTO metrics SELECT number, epoch, value,"
            " 72 - 60.0 / epoch + (number * 7919 % 1000) / 900.0"
            " FROM jobs, epochs, (SELECT value FROM json_each(?) ORDER BY value)",
            (epochs, "[" + ",".join(f'"{name}"' for name in METRICS) + "]"),
        )


def command(*arguments: str) -> None:
    name = " ".join(["ablate", *arguments[: 1 + (len(arguments) > 1)]])
    shown = " ".join(part for part in arguments[1:] if "/" not in part and part != "--results")
    command = [sys.executable, "-m", "ablate", *arguments]
    for run in ("cold", "warm"):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=True)
        seconds = time.perf_counter() - start
        what = f"ablate {arguments[0]} {shown} ({run})" if shown else f"{name} ({run})"
        print(f"{what:<58}{seconds:9.3f} s {len(done.stdout) / 1024:9.0f} KiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=200, help="per job, over epochs and metrics")
    parser.add_argument("--study-jobs", type=int, default=1000)
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    print(f"{options.jobs} jobs, {options.rows} rows each, {os.cpu_count()} cores")
    if options.dir:
        options.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=options.dir))
    try:
        results = folder / "results"
        with timed("filling the index"):
            fill(results, options.jobs, options.study_jobs, options.rows)
        print(f"{'index file':<46}{(results / 'ablate.db').stat().st_size / 2**20:9.1f} MiB")
        place = ["--results", str(results)]
        command("report", "--table", *place)
        command("report", "study000", "--table", *place)
        command("report", "--all", "--table", "--metric", "top1", *place)
        command("report", "--all", "--table", *place)
        command("report", "study000", "--html", str(folder / "page.html"), *place)
        print(f"{'page':<46}{(folder / 'page.html').stat().st_size / 2**20:9.1f} MiB")
        command("report", "study000", "--figures", str(folder / "figures"), *place)
        command("export", "--format", "csv", *place)
    finally:
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
