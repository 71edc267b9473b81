"""How fast the index is: ingest, reindex, export and study results, for N jobs.

    python -m benchmarks.index [--jobs 10000] [--epochs 20] [--metrics 10] [--synthetic] [--dir DIR]

With run directories (the default) everything a real study writes is written and read, which is
mostly the file system's work. `--synthetic` puts the rows straight into the index, for numbers of
jobs whose directories would take long to make; then only reading is timed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ablate.matrix.identity import canonical, job_id
from ablate.matrix.plan import PlannedJob, Role, StudyPlan, Variant
from ablate.methods.device import Device
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.metrics import CLASSIFICATION, COSTS, TOP1
from ablate.methods.session import JobConfig
from ablate.store import ingest
from ablate.store.events import CheckpointSaved, EpochEnded, Event, Finished, Started, to_line
from ablate.store.history import Attempt, JobHistory
from ablate.store.index import Index
from ablate.store.job_result import JobResult, to_text
from ablate.store.query import curves, export, job_states, studies, study_results
from ablate.store.rebuild import reindex
from ablate.store.rundir import EventLog, RunDirectory

SEEDS = 10
RESULT = JobResult(
    metrics={"top1": 71.23456789, "top5": 92.3456789, "test_loss": 1.23456, "loss": 0.987654},
    best={"top1": 71.5, "top5": 92.5, "test_loss": 1.2, "loss": 0.9},
    best_epoch=17,
    weights_digest="d" * 64,
    facts={"python": "3.12", "torch": "2.9", "device": "a CPU", "threads": "1", "git": "abc"},
    costs={"train_seconds": 123.4, "peak_memory_mib": 456.0},
)


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<46}{time.perf_counter() - start:9.3f} s", flush=True)


def configs(count: int) -> dict[str, JobConfig]:
    settings = {f"part.{i}": i / 10 for i in range(30)}
    made = (
        JobConfig(
            kind="student", method="cocord", program="p:q", data="digits",
            networks={"student": "resnet8"}, seed=n % SEEDS,
            settings={**settings, "part.0": n // SEEDS},
        )
        for n in range(count)
    )  # fmt: skip
    return {job_id(config): config for config in made}


def plan_of(jobs: dict[str, JobConfig]) -> StudyPlan:
    values = dict.fromkeys(int(config.settings["part.0"]) for config in jobs.values())
    variants = [Variant(f"x = {v}", Role.VARIANT, "cocord", {"part.0": v}) for v in values]
    planned = [
        PlannedJob(job, "student", f"x = {config.settings['part.0']}", "resnet8", config.seed)
        for job, config in jobs.items()
    ]
    return StudyPlan(
        "bench", "Benchmark", "?", "", "quick", "digits", (TOP1, CLASSIFICATION[2], COSTS[0]),
        ("resnet8",), tuple(range(SEEDS)), {"part.0": 0}, {}, tuple(variants), tuple(planned),
    )  # fmt: skip


def epoch_metrics(epoch: int, count: int) -> dict[str, float]:
    return {f"metric_{i}": 1 / (epoch + i) for i in range(count)}


def events(epochs: int, metrics: int) -> bytes:
    lines: list[Event] = [
        Started(attempt=1, time=1.0, pid=1, process_start=1.0, host="h", device=Device(), threads=1)
    ]
    for epoch in range(1, epochs + 1):
        values = epoch_metrics(epoch, metrics)
        lines.append(
            EpochEnded(attempt=1, time=1.0 + epoch, epoch=epoch, step=10 * epoch, metrics=values)
        )
    lines.append(Finished(attempt=1, time=2.0 + epochs))
    return b"".join(to_line(line) + b"\n" for line in lines)


def make_directories(
    results: Path, jobs: dict[str, JobConfig], epochs: int, metrics: int
) -> list[RunDirectory]:
    """What workers would have written, without syncing each file."""
    log, result = events(epochs, metrics), to_text(RESULT)
    runs = [RunDirectory.of(results, job) for job in jobs]
    for run, config in zip(runs, jobs.values(), strict=True):
        run.path.mkdir(parents=True)
        (run.path / "config.json").write_text(canonical(vars(config)))
        run.events_file.write_bytes(log)
        run.result_file.write_text(result)
    return runs


def put_rows(index: Index, jobs: dict[str, JobConfig], epochs: int, metrics: int) -> None:
    """The rows that ingesting such directories would give."""
    values = {epoch: epoch_metrics(epoch, metrics) for epoch in range(1, epochs + 1)}
    attempt = Attempt(1, 1.0, 2.0, AttemptOutcome.FINISHED, device=Device(), host="h", threads=1)
    told = JobHistory(JobStatus.DONE, (attempt,), finished=2.0, epochs=values)
    epoch_rows: list[tuple[int, str, float | None]] = [
        (epoch, name, value) for epoch, row in values.items() for name, value in row.items()
    ]
    items = list(jobs.items())
    for start in range(0, len(items), ingest.BATCH):
        records = [
            ingest.JobRows(
                ingest.job_row(
                    RunDirectory.of(index.results, job), config, EventLog(size=1), told, RESULT
                )
                | {"events_stamp": "", "result_stamp": ""},
                [ingest.attempt_row(attempt)],
                epoch_rows,
                False,
            )
            for job, config in items[start : start + ingest.BATCH]
        ]
        index.write(partial(ingest.write, records=records))


def time_writing(results: Path, index: Index, runs: list[RunDirectory], plan: StudyPlan) -> None:
    with timed("ingest, everything new"):
        index.ingest_many(runs)
    with timed("ingest again, nothing new"):
        index.ingest_many(runs)
    with Index.open(results, writable=True) as fresh, timed("the same by a new process"):
        fresh.ingest_many(runs)
    some = runs[:: max(len(runs) // 200, 1)]
    with timed(f"one more event in {len(some)} jobs, one by one"):
        for run in some:
            run.append(CheckpointSaved(attempt=1, step=1, epoch=1))
            index.ingest(run)


def time_reading(results: Path, key: str, job: str) -> None:
    questions: dict[str, Callable[[Index], object]] = {
        "export": export,
        "study_results": lambda index: study_results(index, key),
        "studies (counts per status)": studies,
        "job_states": lambda index: job_states(index, key),
        "find_job": lambda index: index.find_job(job[:10]),
    }
    import pandas  # noqa: F401 - its import is not what is timed

    for name, question in questions.items():
        with Index.open(results) as index, timed(name):
            question(index)
    with Index.open(results) as index, timed("curves of one metric"):
        frame = curves(index, key, ["metric_0"])
    print(f"{'rows of curves':<46}{len(frame):9d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--synthetic", action="store_true", help="no run directories")
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    rows = options.jobs * options.epochs * options.metrics
    print(f"{options.jobs} jobs, {rows} rows per epoch and metric, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        results = Path(folder) / "results"
        with timed("expanding (ids of all jobs)"):
            jobs = configs(options.jobs)
        plan = plan_of(jobs)
        with Index.open(results, writable=True) as index:
            with timed("register"):
                index.register(plan)
            with timed("register again (merging)"):
                index.register(plan)
            if options.synthetic:
                with timed("writing rows straight into the index"):
                    put_rows(index, jobs, options.epochs, options.metrics)
            else:
                with timed("making run directories"):
                    runs = make_directories(results, jobs, options.epochs, options.metrics)
                time_writing(results, index, runs, plan)
        print(f"{'index file':<46}{(results / 'ablate.db').stat().st_size / 2**20:9.1f} MiB")
        time_reading(results, plan.key, plan.jobs[-1].id)
        if not options.synthetic:
            with timed("reindex"):
                reindex(results)


if __name__ == "__main__":
    main()
