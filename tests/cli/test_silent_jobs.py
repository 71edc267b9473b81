"""Jobs that a command has nothing to do for, or nothing to show of: it says how they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.matrix.identity import job_id, short
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.session import JobConfig
from ablate.store.events import AttemptEnded, Stopped
from ablate.store.index import Index
from tests.store.results_lab import BASE, TEACHER, WARM, Lab

BLOCKED = "is blocked, for a job that it waits for failed"
OTHER = replace(TEACHER, networks={"teacher": "broken"})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A job that is done, one that was interrupted, one that waits, and one that is blocked."""
    made = Lab(tmp_path_factory.mktemp("lab") / "results")
    made.finish(TEACHER)
    talkative = made.finish(made.student(BASE, 0))
    talkative.log.write_text("words\n")
    interrupted = made.run(made.student(BASE, 1))
    made.start(interrupted)
    interrupted.append(Stopped(attempt=1, step=2, time=12.0))
    broken = made.run(OTHER)
    made.start(broken)
    broken.append(AttemptEnded(attempt=1, outcome=AttemptOutcome.ERROR, status=JobStatus.FAILED))
    plan = made.plan()
    jobs = [
        replace(job, upstream=(broken.id,)) if (job.variant, job.seed) == (WARM.label, 1) else job
        for job in plan.jobs
    ]
    upstream = replace(jobs[0], id=broken.id)
    with Index.open(made.results, writable=True) as index:
        index.register(replace(plan, jobs=(upstream, *jobs)))
        index.ingest_many([made.run(TEACHER), talkative, interrupted, broken])
    return made


def said(lab: Lab, command: str, config: JobConfig) -> tuple[str, str]:
    told = CliRunner().invoke(app, [command, job_id(config), "--results", str(lab.results)])
    assert told.exit_code == 0, told.output
    return told.stdout, told.stderr


@pytest.mark.parametrize(
    ("row", "seed", "standing"),
    [
        (BASE, 0, "is done"),
        (BASE, 1, "is interrupted"),
        (WARM, 0, "is waiting"),
        (WARM, 1, BLOCKED),
    ],
)
def test_a_job_that_need_not_be_requeued(lab: Lab, row, seed: int, standing: str) -> None:
    config = lab.student(row, seed)
    words = f"nothing to requeue: job {short(job_id(config))} {standing}\n"
    assert said(lab, "retry", config)[0] == words


def test_logs_with_words_are_printed_alone(lab: Lab) -> None:
    assert said(lab, "logs", lab.student(BASE, 0)) == ("words\n", "")


def test_logs_without_a_word_say_why(lab: Lab) -> None:
    for config, why in (
        (lab.student(BASE, 1), "has printed nothing"),
        (lab.student(WARM, 0), "is waiting; it has not run yet"),
        (
            lab.student(WARM, 1),
            f"{BLOCKED}; it has not run yet",
        ),
    ):
        assert said(lab, "logs", config) == ("", f"job {short(job_id(config))} {why}\n")
