"""`ablate schema` and `ablate preview`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.study.json_schema import settings_schema, study_schema
from tests.execute import toy_workshop
from tests.execute.toy_workshop import Workshop


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], study_schema), (["study"], study_schema), (["settings"], settings_schema)],
)
def test_schema_prints_a_schema(arguments, expected) -> None:
    result = CliRunner().invoke(app, ["schema", *arguments])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == expected()


def previewed(workshop: Workshop, *arguments: str) -> dict[str, Any]:
    done = workshop.ablate("preview", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_preview_is_what_then_runs(workshop: Workshop) -> None:
    study = workshop.study(values="[1.0, 2.0]", method="TAUGHT")
    before = previewed(workshop, study)
    assert not workshop.results.exists(), "a preview writes nothing"
    workshop.run(study)
    assert {job["id"] for job in before["jobs"]} == {run.id for run in workshop.runs()}
    assert before["counts"]["new"] == len(before["jobs"])
    after = previewed(workshop, study)
    assert after["counts"]["done"] == len(after["jobs"]) == len(before["jobs"])
    assert [job["id"] for job in after["jobs"]] == [job["id"] for job in before["jobs"]]


def test_a_longer_study_runs_what_is_new_and_says_why(workshop: Workshop) -> None:
    study = workshop.study(values="[1.0]")
    workshop.run(study)
    longer = workshop.study(values="[1.0, 2.0]")
    found = previewed(workshop, longer)
    assert found["counts"]["new"] == 2
    new = [job for job in found["jobs"] if job["state"] == "new"]
    assert all("shift" in job["reason"] for job in new)
    assert found["device_hours"] is not None, "earlier jobs of the kind tell what it costs"
    known = {run.id for run in workshop.runs()}
    workshop.run(longer)
    assert {run.id for run in workshop.runs()} - known == {job["id"] for job in new}


def test_a_run_says_first_what_it_will_do(workshop: Workshop) -> None:
    study = workshop.study()
    first = workshop.run(study).splitlines()[0]
    assert "2 rows" in first
    assert "4 new" in first
    assert "new" not in workshop.run(study), "a finished study is told by its counts alone"


def test_a_preview_in_words_has_a_line_for_every_job(workshop: Workshop) -> None:
    done = workshop.ablate("preview", workshop.study())
    assert done.returncode == 0
    assert sum("seed" in line for line in done.stdout.splitlines()[2:]) == 4


def test_a_preview_needs_no_index(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.run(study)
    (workshop.results / "ablate.db").unlink()
    assert previewed(workshop, study)["counts"]["done"] == 4
    assert not (workshop.results / "ablate.db").exists()


def test_a_preview_of_a_wrong_study_says_what_is_wrong(workshop: Workshop) -> None:
    done = workshop.ablate("preview", workshop.study(part="shifft"))
    assert done.returncode == 2
    assert "shift" in done.stderr


def test_a_row_of_a_grid_and_of_a_list_counts_once_in_its_family(workshop: Workshop) -> None:
    study = workshop.study(values="[1.0, 2.0]")
    path = workshop.folder / study
    grid = "[[grid]]\nparts.shift = [0, 1.0]\nparts.work = [200, 300]\n"
    path.write_text(path.read_text().replace("[[", "seeds = '0-2'\n[[", 1) + grid)
    workshop.run(study)
    assert len(workshop.runs()) == 5 * 3
    report = workshop.ablate("report", "study", "--format", "json")
    analysis = next(one for one in json.loads(report.stdout)["analyses"] if one["tested"])
    rows = {row["variant"]: row for row in analysis["rows"]}
    assert len(rows) == 6
    assert analysis["rows_in_family"] == 4
    shared = rows["s = 1"], rows["s = 1, work = 200"]
    assert shared[0]["values"] == shared[1]["values"]
    assert shared[0]["low"] == shared[1]["low"]


def test_a_dry_run_is_a_preview(workshop: Workshop) -> None:
    study = workshop.study()
    done = workshop.ablate("run", study, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == workshop.ablate("preview", study).stdout
    assert not workshop.results.exists()


def test_an_edited_method_is_named_as_the_reason(workshop: Workshop) -> None:
    study = workshop.folder / workshop.study()
    own = workshop.folder / "edited_method.py"
    source = (Path(toy_workshop.__file__).parent / "toy_method.py").read_text()
    own.write_text(source)
    text = study.read_text()
    old = text.split('method = "')[1].partition('"')[0]
    study.write_text(text.replace(old, "edited_method.py:TOY"))
    workshop.run(study.name)
    own.write_text(source.replace("STEPS_PER_EPOCH = 10", "STEPS_PER_EPOCH = 11"))
    found = previewed(workshop, study.name)
    assert {job["state"] for job in found["jobs"]} == {"new"}
    assert {job["reason"] for job in found["jobs"]} == {"code changed: edited_method"}
