"""Study files from plans: safe names, nothing overwritten, no second file for an ablation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_document import PlanDocument
from ablate.study.plan_files import file_name, place, write
from ablate.study.plan_study import PlannedStudy
from tests.study.plan_lab import planned


def test_nothing_existing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("mine")
    (tmp_path / "study_2.toml").symlink_to("nowhere")
    one, two = planned("Predictor", "REMOVE"), planned("mc", "REPLACE", "1.0")
    drafts = place([one, two], tmp_path)
    assert [draft.path.name for draft in drafts] == ["study_3.toml", "study_4.toml"]
    write(drafts)
    assert (tmp_path / "study.toml").read_text() == "mine"
    again = place([one, two], tmp_path)
    assert [draft.state for draft in again] == ["same", "same"]
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


def edited(study: PlannedStudy, **words: object) -> PlannedStudy:
    """The study of a document that was edited: its digest and line differ at least."""
    document = PlanDocument(study.document.name, "1" * 64, ())
    changed = replace(study.ablation, line=40, **words)  # type: ignore[arg-type]
    return replace(study, document=document, ablation=changed)


def test_an_ablation_whose_words_are_unchanged_gets_no_second_file(tmp_path: Path) -> None:
    study = planned("momentum coefficient", "REPLACE", "0.8")
    write(place([study], tmp_path))
    (draft,) = place([edited(study)], tmp_path)
    assert (draft.path.name, draft.state) == ("study.toml", "edited")
    text = draft.path.read_text()
    decided = "".join(x for x in text.splitlines(keepends=True) if not x.startswith("open ="))
    draft.path.write_text(decided)
    (again,) = place([study], tmp_path)
    assert (again.path, again.state, again.open) == (draft.path, "edited", ())
    write([again])
    assert draft.path.read_text() == decided


def test_an_ablation_in_other_words_is_replaced_only_if_asked(tmp_path: Path) -> None:
    first, other = planned("mc", "REPLACE", "1.0"), planned("Predictor", "REMOVE", name="Other")
    write(place([first, other], tmp_path))
    before = (tmp_path / "study.toml").read_text()
    changed = edited(planned("mc", "REPLACE", "0.5"))
    kept = place([changed, other], tmp_path)
    assert [draft.state for draft in kept] == ["outdated", "same"]
    write(kept)
    assert (tmp_path / "study.toml").read_text() == before
    write(place([changed, other], tmp_path, replaces=True))
    assert "0.5" in (tmp_path / "study.toml").read_text()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["other.toml", "study.toml"]


def test_two_ablations_of_one_name_keep_a_file_each(tmp_path: Path) -> None:
    one, two = planned("mc", "REPLACE", "1.0"), planned("mr", "REPLACE", "0.5")
    write(place([one, two], tmp_path))
    drafts = place([one, edited(two)], tmp_path)
    assert [d.path.name for d in drafts] == ["study.toml", "study_2.toml"]
    assert [d.state for d in drafts] == ["same", "edited"]


def test_nothing_is_replaced_where_one_file_cannot_be_written(tmp_path: Path) -> None:
    first, second = planned("mc", "REPLACE", "1.0"), planned("Predictor", "REMOVE", name="Other")
    write(place([first], tmp_path))
    before = (tmp_path / "study.toml").read_text()
    drafts = place([edited(first), second], tmp_path, replaces=True)
    drafts[1].path.mkdir()
    with pytest.raises(InputError, match=r"other\.toml"):
        write(drafts)
    assert (tmp_path / "study.toml").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.toml", "study.toml"]
