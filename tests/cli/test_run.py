"""What `ablate run` says at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.execute import run_study
from ablate.execute.summary import Summary
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import JobStatus
from tests.execute.toy_workshop import Workshop


@pytest.mark.parametrize(
    ("at", "options", "where"),
    [
        ("project", [], ""),
        ("project/below", [], ""),
        ("project", ["--results", "a b"], " --results 'a b'"),
        ("elsewhere", [], " --results {project}/results"),
        ("elsewhere", ["--results", "there"], " --results there"),
    ],
)
def test_the_hint_leads_to_the_results_from_where_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, options: list[str], where: str
) -> None:
    project = tmp_path / "project"
    for folder in (project / "below", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    study = project / Workshop(project).study()

    def carried_out(matrices: list[Matrix], *_: object, **__: object) -> Summary:
        return Summary(dict.fromkeys(matrices[0].configs, JobStatus.DONE), 0, 0)

    monkeypatch.setattr(run_study, "run_studies", carried_out)
    monkeypatch.chdir(tmp_path / at)
    told = CliRunner().invoke(app, ["run", str(study), *options])
    assert told.exit_code == 0, told.output
    said = told.stderr.splitlines()[-1]
    assert said.endswith(f"`ablate report study{where.format(project=project)}`")
    record = json.loads(CliRunner().invoke(app, ["run", str(study), *options, "--json"]).stdout)
    assert record["exit_code"] == 0
    assert {job["status"] for job in record["jobs"]} == {"done"}
    assert [one["study"] for one in record["studies"]] == ["study"]


def test_no_table_is_named_where_no_row_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / Workshop(tmp_path).study()
    monkeypatch.setattr(run_study, "run_studies", lambda *_, **__: Summary({}, 0, 0))
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["run", str(study)])
    assert "the table" not in told.output
