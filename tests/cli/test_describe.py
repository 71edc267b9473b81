"""`ablate show`: from a number in a table to all that it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.cli.describe import job_lines
from ablate.methods.lifecycle import JobStatus
from ablate.store.history import Attempt, JobHistory
from ablate.store.index import Index
from ablate.store.job_result import JobResult
from ablate.store.query import JobDetails, export
from tests.report.results_folder import make_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("results"))


def test_every_number_of_a_table_is_there(results: Path) -> None:
    with Index.open(results) as index:
        record = next(one for one in export(index) if one["seed"] == 2 and one["best"])
    told = CliRunner().invoke(app, ["show", record["id"], "--results", str(results)])
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert f"metric   top1 = {record['metrics']['top1']:.6g}" in lines
    assert f"best     top1 = {record['best']['top1']:.6g}, epoch 3" in lines
    assert "cost     train_seconds = 7.5" in lines
    assert "config   networks = resnet20/resnet8, seed = 2" in lines


def test_a_resumption_without_an_epoch_names_its_step() -> None:
    attempt = Attempt(2, resumed_step=40, lost_seconds=1.5)
    history = JobHistory(JobStatus.RUNNING, (attempt,))
    job = JobDetails("a" * 64, Path("runs/a"), JobStatus.RUNNING, (), None, history, None, 0)
    assert "           resumed from step 40, lost 1.5 s" in list(job_lines(job))


def test_what_an_attempt_found_stands_beside_where_it_ran() -> None:
    attempt = Attempt(1, threads=2, facts={"torch": "2.9"})
    history = JobHistory(JobStatus.DONE, (attempt,))
    result = JobResult(facts={"steps": "plain steps: the fast path differs by 1e-07"})
    job = JobDetails("a" * 64, Path("runs/a"), JobStatus.DONE, (), None, history, result, 0)
    lines = list(job_lines(job))
    assert "fact     steps = plain steps: the fast path differs by 1e-07" in lines
    assert {"fact     torch = 2.9", "fact     threads = 2"} <= {*lines}
