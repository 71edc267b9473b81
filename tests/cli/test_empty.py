"""What a shell's unset variable leaves of an option or an argument is no choice."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from tests.naming import missing_from
from tests.report.results_folder import make_results

STUDY = Path(__file__).parents[2] / "studies" / "lpred_symmetry.toml"


@pytest.mark.parametrize("given", ["", " "])
@pytest.mark.parametrize("command", [["run", str(STUDY)], ["verify", str(STUDY)], ["status"]])
def test_an_empty_results_folder_is_not_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, [*command, "--results", given])
    assert told.exit_code == 2
    assert missing_from(told.stderr, "--results", "empty", "leave it out") == []
    assert told.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "verify"])
def test_an_empty_profile_is_not_the_default(tmp_path: Path, command: str) -> None:
    results = ["--results", str(tmp_path / "results")]
    told = CliRunner().invoke(app, [command, str(STUDY), "--profile", "", *results])
    assert told.exit_code == 2
    assert missing_from(told.stderr, "--profile", "empty", "leave it out") == []
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("status", 'no study ""'),
        ("report", 'no study ""'),
        ("export", 'no study ""'),
        ("retry", 'no job\'s id starts with ""'),
    ],
)
def test_an_empty_name_is_not_all_of_them(tmp_path: Path, command: str, words: str) -> None:
    results = make_results(tmp_path / "results")
    told = CliRunner().invoke(app, [command, "", "--results", str(results)])
    assert told.exit_code == 2
    assert words in told.stderr
