"""Sets of seeds that end: looks on record, and a rule that is followed to its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ablate.store.looks import read_looks
from tests.execute.toy_workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def analysis(workshop: Workshop) -> dict[str, object]:
    told = workshop.ablate("report", "--format", "json")
    assert told.returncode == 0, told.stderr
    [one] = json.loads(told.stdout)["analyses"]
    return one


def with_seeds(workshop: Workshop, study: str, seeds: str, title: str = "Toy") -> None:
    path = workshop.folder / study
    text = path.read_text().replace('title = "Toy"', f'title = "{title}"\nseeds = {seeds}')
    path.write_text(text)


def test_a_run_records_what_can_now_be_tested(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.run(study, "--seeds", "0-2")
    assert analysis(workshop)["looks"] == []
    workshop.run(study, "--seeds", "0-4")
    assert analysis(workshop)["looks"] == [3]
    before = sorted((workshop.results / "looks").iterdir())
    workshop.run(study, "--seeds", "0-4")
    assert sorted((workshop.results / "looks").iterdir()) == before


def test_fewer_seeds_than_are_on_record_stay_fewer(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.run(study, "--seeds", "0-3")
    for run in workshop.runs():
        shutil.rmtree(run.path)
    said = workshop.run(study, "--seeds", "0-1")
    assert "going on" not in said
    assert {run.config().seed for run in workshop.runs()} == {0, 1}


def test_a_new_title_hides_no_look(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.run(study, "--seeds", "0-2")
    path = workshop.folder / study
    other = workshop.folder / "other.toml"
    other.write_text(path.read_text().replace('title = "Toy"', 'title = "New"'))
    workshop.run("other.toml", "--seeds", "0-3")
    told = workshop.ablate("report", "other")
    assert "Tested before with 3 seeds" in told.stdout
    assert "up to 10 %, not 5 %" in " ".join(told.stdout.split())


def test_a_rule_is_followed_to_its_end_and_looks_once(workshop: Workshop) -> None:
    study = workshop.study("work", "[201]")
    with_seeds(workshop, study, "{ first = 3, most = 6, half_width = 0.0001 }")
    said = workshop.run(study)
    assert "going on to 5 of at most 6" in said
    one = analysis(workshop)
    assert [row["n"] for row in one["rows"]] == [6, 6]  # type: ignore[union-attr, attr-defined]
    assert (one["tested"], one["looks"], one["level"]) == (True, [], 0.03)
    assert [look.seeds for look in read_looks(workshop.results)] == [6]
    again = workshop.run(study)
    assert len(list((workshop.results / "looks").iterdir())) == 1, again


def test_a_rule_that_is_satisfied_adds_nothing(workshop: Workshop) -> None:
    study = workshop.study("work", "[201]")
    with_seeds(workshop, study, "{ first = 3, most = 6, half_width = 1000 }")
    workshop.run(study)
    assert [row["n"] for row in analysis(workshop)["rows"]] == [3, 3]  # type: ignore[attr-defined]
