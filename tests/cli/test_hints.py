"""Commands that a message names act, as they stand, on the results that it is about."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.cli.common import ELSEWHERE, aimed
from tests.execute.toy_workshop import Workshop
from tests.report.results_folder import make_results


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose results go to "results"."""
    (tmp_path / "ablate.toml").write_text('[profiles.quick]\ndata = "digits"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments)).stderr


@pytest.mark.parametrize(
    ("folder", "hint"),
    [
        ("rb", "`ablate reindex --results rb`"),
        ("r b", "`ablate reindex --results 'r b'`"),
        ("results", "`ablate reindex`"),
    ],
)
def test_a_missing_index(project: Path, folder: str, hint: str) -> None:
    make_results(project / folder)
    (project / folder / "ablate.db").unlink()
    told = said("status", "--results", folder)
    assert "the index is missing" in told
    assert hint in told
    command = shlex.split(told.split("`")[1])
    assert CliRunner().invoke(app, command[1:]).exit_code == 0
    assert (project / folder / "ablate.db").exists()


def test_an_unknown_job(project: Path) -> None:
    make_results(project / "rb")
    assert "`ablate status --all --results rb`" in said("show", "nope", "--results", "rb")
    make_results(project / "results")
    assert "`ablate status --all`" in said("show", "nope")


def test_other_studies(project: Path) -> None:
    make_results(project / "rb")
    make_results(project / "rb", name="other")
    told = said("report", "--metric", "top1", "--results", "rb")
    assert "`ablate report NAME --results rb` or --all" in told


def test_without_an_ablate_toml_every_folder_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert aimed("`ablate status`", Path("rb")) == "`ablate status --results rb`"
    assert aimed("ablate status", Path("rb")) == "ablate status"


def test_what_a_run_leads_to(workshop: Workshop) -> None:
    study = workshop.study("fault", '["bug"]')
    told = workshop.run(study, "--seeds", "0", "--results", "rb", code=1)
    assert "`ablate show " in told
    show = next(line for line in told.splitlines() if "`ablate show " in line).split("`")[1]
    assert show.endswith(" --results rb")
    assert workshop.ablate(*shlex.split(show)[1:]).returncode == 0
    again = workshop.run(study, "--seeds", "0", "--results", "rb", code=1)
    assert "(`ablate retry --results rb` puts failed jobs back)" in again
    assert "the table: `ablate report study --results rb`" in again


def test_a_command_without_results_gets_none(project: Path) -> None:
    commands = getattr(get_command(app), "commands")  # noqa: B009  # typer's own class of a group
    without = {
        name
        for name, command in commands.items()
        if not any("--results" in option.opts for option in command.params)
    }
    assert without == ELSEWHERE
    told = aimed("`ablate init` writes one; `ablate run study` goes on", Path("rb"))
    assert told == "`ablate init` writes one; `ablate run study --results rb` goes on"
