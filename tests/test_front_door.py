"""The Python front door: every name of `import ablate`, used as its docstring shows."""

from __future__ import annotations

from pathlib import Path

import pytest

import ablate
from ablate import front_door
from tests.report.results_folder import make_results

ROOT = Path(__file__).parents[1]


def test_every_name_is_there_and_tells_how_it_is_used() -> None:
    assert set(ablate.__all__) - {"__version__"} == set(front_door.__all__)
    for name in ("read_study", "expand", "run", "open_results"):
        assert f"ablate.{name}(" in (getattr(ablate, name).__doc__ or ""), name
    assert set(ablate.__all__) <= set(dir(ablate))
    with pytest.raises(AttributeError, match="nothing"):
        _ = ablate.nothing


def test_a_study_is_read_and_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study = ablate.read_study("studies/lpred_symmetry.toml")
    assert study.problems == []
    matrix = ablate.expand(study, "quick", overrides={"epochs": 2}, seeds=range(2))
    assert matrix.plan.seeds == (0, 1)
    assert matrix.plan.overrides == {"epochs": 2}
    assert ablate.expand("studies/lpred_symmetry.toml").plan.profile == "quick"


def test_results_are_read_as_frame_table_and_numbers(tmp_path: Path) -> None:
    make_results(tmp_path / "results")
    with ablate.open_results(tmp_path / "results") as results:
        (key, *_) = results.studies()
        records = results.records()
        frame = results.frame()
        assert {record["id"] for record in records} >= set(frame["job"])
        assert "|" in results.table(key)
        assert results.numbers(key)["schema"].startswith("ablate.report/")
    with pytest.raises(ablate.front_door.InputError):  # type: ignore[attr-defined]
        ablate.open_results(tmp_path / "nothing")
