"""forget, clean and merge as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ablate.cli.app import app
from ablate.store.index import Index
from ablate.store.rundir import run_directories
from tests import REPOSITORY
from tests.store.results_lab import TEACHER, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A study whose teacher is done."""
    made = Lab(tmp_path / "results")
    made.finish(TEACHER)
    with Index.open(made.results, writable=True) as index:
        index.register(made.plan())
    return made


def ablate(lab: Lab, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--results", str(lab.results)])


def test_what_no_study_needs_is_listed_and_then_removed(lab: Lab) -> None:
    run = lab.run(TEACHER)
    assert "nothing that no study needs" in ablate(lab, "clean").output
    assert ablate(lab, "forget", "tua").exit_code == 2
    assert lab.plan().key in ablate(lab, "forget", "tau").output
    listed = ablate(lab, "clean", "--json")
    (record,) = json.loads(listed.stdout)
    assert record.keys() == {"path", "what", "bytes"}, "as docs/json.md says"
    assert record["path"] == str(run.path)
    assert "--yes" in ablate(lab, "clean").output
    assert run.exists()
    assert ablate(lab, "clean", "--yes").exit_code == 0
    assert not run.path.exists()


def test_decoded_images_go_only_when_named(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = (REPOSITORY / "ablate.toml").read_text()
    (tmp_path / "ablate.toml").write_text(shipped.replace('"~/.cache/ablate"', '"data"'))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "data" / "decoded" / "abc"
    place.mkdir(parents=True)
    (place / "images.u8").write_bytes(bytes(3 * 2**20))
    kept = ablate(lab, "clean", "--yes")
    assert "3.0 MiB" in kept.output
    assert "--maps" in kept.output
    assert place.exists()
    (record,) = json.loads(ablate(lab, "clean", "--maps", "--json").stdout)
    assert (record["path"], record["bytes"]) == (str(place), 3 * 2**20)
    assert "clean --maps --yes" in ablate(lab, "clean", "--maps").output
    assert ablate(lab, "clean", "--maps", "--yes").exit_code == 0
    assert not place.exists()
    (tmp_path / "ablate.toml").write_text("data_dir = 3\n")
    assert ablate(lab, "clean").exit_code == 0, "it needs no data folder"
    assert ablate(lab, "clean", "--maps").exit_code == 2


def test_merging_says_what_it_took_and_what_it_did_not(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path / "other")
    other.finish(other.configs()[1])
    refused = ablate(lab, "merge", other.results)
    assert (refused.exit_code, "1 jobs taken over" in refused.output) == (0, True)
    other.finish(TEACHER, metrics={"top1": 1.0})
    refused = ablate(lab, "merge", other.results)
    assert refused.exit_code == 1
    assert "not taken over" in refused.output
    assert "1 known already" in refused.output
    assert ablate(lab, "merge", lab.results).exit_code == 2


def test_merging_makes_the_folder_but_for_nothing(lab: Lab, tmp_path: Path) -> None:
    lab.finish(TEACHER)
    new = tmp_path / "new"
    missing = CliRunner().invoke(app, ["merge", str(tmp_path / "typo"), "--results", str(new)])
    assert (missing.exit_code, new.exists()) == (2, False)
    merged = CliRunner().invoke(app, ["merge", str(lab.results), "--results", str(new)])
    assert (merged.exit_code, len(list(run_directories(new)))) == (0, 1)


def test_what_upkeep_did_as_json(lab: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path / "other")
    other.finish(other.configs()[1])
    merged = json.loads(ablate(lab, "merge", other.results, "--json").stdout)
    assert merged == {"jobs": 1, "known": 0, "unfinished": 0, "studies": 0, "refused": []}
    rebuilt = json.loads(ablate(lab, "reindex", "--json").stdout)
    assert rebuilt == {
        "index": str(lab.results / "ablate.db"), "studies": 1, "jobs": 2, "left_out": [],
    }  # fmt: skip
    assert json.loads(ablate(lab, "retry", "--json").stdout) == {"requeued": []}
    forgotten = json.loads(ablate(lab, "forget", "tau", "--json").stdout)
    assert forgotten == {"forgotten": [lab.plan().key]}


@pytest.mark.parametrize("steps_up", [1, 2])
def test_a_folder_that_holds_results_further_down_names_them(
    lab: Lab, tmp_path: Path, steps_up: int
) -> None:
    """A project has `studies`, too, of TOML files, and its results lie beside them."""
    place = tmp_path / "there" / "data"
    theirs = Lab(place / "results")
    theirs.finish(TEACHER)
    (place / "studies").mkdir()
    (place / "studies" / "tau.toml").touch()
    (place / "runs" / "tensorboard").mkdir(parents=True)
    meant = place if steps_up == 1 else place.parent
    merged = tmp_path / "merged"
    told = CliRunner().invoke(app, ["merge", str(meant), "--results", str(merged)])
    assert told.exit_code == 2
    assert f"did you mean {theirs.results}?" in told.stderr
    assert not merged.exists(), "nothing is made"
    for command in ("status", "report", "reindex", "clean"):
        told = CliRunner().invoke(app, [command, "--results", str(meant)])
        assert told.exit_code == 2, command
        assert f"did you mean {theirs.results}?" in told.stderr, command


def test_a_merge_with_a_folder_of_another_format_makes_nothing(lab: Lab, tmp_path: Path) -> None:
    (lab.results / "format.json").unlink()
    merged = tmp_path / "merged"
    told = CliRunner().invoke(app, ["merge", str(lab.results), "--results", str(merged)])
    assert told.exit_code == 1
    assert "earlier ablate" in told.stderr
    assert not merged.exists()


def test_forgetting_says_what_clean_does(lab: Lab) -> None:
    told = ablate(lab, "forget", "tau").output
    assert "`ablate clean --results" in told
    assert "lists what no study needs" in told
