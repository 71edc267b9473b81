"""How errors reach a user: a sentence and an exit code, which --debug does not change."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_debug_shows_a_traceback_and_keeps_the_exit_code(tmp_path: Path, debug: list[str]) -> None:
    told = CliRunner().invoke(app, ["report", "--results", str(tmp_path / "none"), *debug])
    assert told.exit_code == 2
    assert "no such results folder" in told.stderr
    assert ("Traceback" in told.stderr) == bool(debug)


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_what_nobody_expected_ends_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debug: list[str]
) -> None:
    def wrong(*_: object) -> None:
        raise RuntimeError("a slip")

    monkeypatch.setattr("ablate.cli.status.existing_results", wrong)
    told = CliRunner().invoke(app, ["status", "--results", str(tmp_path), *debug])
    assert told.exit_code == 1
    assert "RuntimeError: a slip" in told.stderr
    assert ("internal error" in told.stderr and "add --debug" in told.stderr) != bool(debug)
    assert ("Traceback" in told.stderr) == bool(debug)


def test_where_there_is_no_ablate_toml_results_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["report"])
    assert told.exit_code == 2
    assert "ablate.toml: not found" in told.stderr
    assert "--results DIR" in told.stderr
