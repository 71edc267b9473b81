"""Studies of one name, run under other overrides: each can be told from the others, and named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.store.index import Index
from ablate.store.query import studies
from tests.report.results_folder import make_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study under the profile's own settings, under two others, and one of another name."""
    folder = make_results(tmp_path_factory.mktemp("results"))
    make_results(folder, name="other")
    with Index.open(folder, writable=True) as index:
        (plan,) = (s.plan for s in studies(index) if s.plan.name == "symmetry")
        for overrides in ({"epochs": 2}, {"epochs": 3, "deterministic": False}):
            index.register(dataclasses.replace(plan, overrides=overrides))
    return folder


@pytest.fixture(scope="module")
def keys(results: Path) -> dict[str, str]:
    """What --set changed, in words -> the key of "symmetry" under it."""
    with Index.open(results) as index:
        return {one.overrides: one.key for one in index.find_studies("symmetry")}


def ablate(results: Path, *arguments: str, code: int = 0) -> tuple[str, str]:
    told = CliRunner().invoke(app, [*arguments, "--results", str(results)])
    assert told.exit_code == code, told.output
    return told.stdout, told.stderr


def test_the_listed_keys_say_what_each_was_run_with(results: Path, keys: dict[str, str]) -> None:
    assert keys.keys() == {"", "epochs = 2", "epochs = 3, deterministic = false"}
    _, said = ablate(results, "export", "symmetry", code=2)
    for overrides, key in keys.items():
        assert f"{key} ({overrides or 'no overrides'})" in said


def test_each_key_leads_to_its_study(results: Path, keys: dict[str, str]) -> None:
    for key in keys.values():
        assert key in ablate(results, "export", key)[0]


def test_status_shows_keys_where_a_name_is_not_enough(results: Path, keys: dict[str, str]) -> None:
    lines = ablate(results, "status")[0].splitlines()
    assert f"{keys['epochs = 2']} (quick, epochs = 2): " in "\n".join(lines)
    assert sum(line.startswith("symmetry-quick-") for line in lines) == 3
    assert sum(line.startswith("other (quick): ") for line in lines) == 1


def test_status_lists_each_name_once(results: Path) -> None:
    _, said = ablate(results, "status", "nosuch", code=2)
    assert "(one of: other, symmetry)" in said


def test_the_study_that_was_run_last_is_told_from_its_namesakes(
    results: Path, keys: dict[str, str]
) -> None:
    _, said = ablate(results, "report", "--metric", "top1")
    last = "epochs = 3, deterministic = false"
    assert said.startswith(f"{keys[last]} ({last}), the study that was run last; 3 other studies: ")
    assert "KEY" in said
    assert "`ablate status" in said


@pytest.mark.parametrize("command", ["export", "bundle", "forget"])
def test_every_command_refuses_an_unclear_name_with_commands_to_paste(
    results: Path, keys: dict[str, str], command: str
) -> None:
    _, said = ablate(results, command, "symmetry", code=2)
    assert "several profiles or overrides" in said
    for key in keys.values():
        assert f"`ablate {command} {key} --results {results}`" in said
