"""Study files from plans: safe names, nothing overwritten, the plan's own characters."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_writing import file_name, place, study_text, write
from tests.study.plan_lab import planned

ROOT = Path(__file__).parents[2]


def test_nothing_existing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("mine")
    (tmp_path / "study_2.toml").symlink_to("nowhere")
    one, two = planned("Predictor", "REMOVE"), planned("mc", "REPLACE", "1.0")
    drafts = place([one, two], tmp_path)
    assert [draft.path.name for draft in drafts] == ["study_3.toml", "study_4.toml"]
    write(drafts)
    assert (tmp_path / "study.toml").read_text() == "mine"
    again = place([one, two], tmp_path)
    assert [draft.exists for draft in again] == [True, True]
    assert [draft.path for draft in again] == [draft.path for draft in drafts]


def test_nothing_is_left_where_one_file_cannot_be_written(tmp_path: Path) -> None:
    drafts = place([planned("Predictor", "REMOVE"), planned("mc", "REPLACE", "1.0")], tmp_path)
    drafts[1].path.mkdir()
    with pytest.raises(InputError, match=r"study_2\.toml"):
        write(drafts)
    assert not drafts[0].path.exists()


@given(st.text())
def test_file_names_are_safe(name: str) -> None:
    found = file_name(name)
    assert 0 < len(found) <= 86
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert found not in ("ablate", "pyproject", "con", "nul")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
)
def test_any_words_are_kept_in_toml_that_reads_back(
    name: str, part: str, replacement: list[str]
) -> None:
    study = planned(part, "REPLACE", *replacement, name=name, rationale=f"{part} {name}?")
    plan = tomllib.loads(study_text(study, Path()))["plan"]
    assert plan["name"] == name
    assert plan["ablated_part"] == part
    assert plan["replacement"] == replacement
