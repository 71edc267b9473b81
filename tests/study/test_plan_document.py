from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_document import parse_plan, read_plan, split_metrics
from tests.study.plan_lab import markdown


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("### S\n- **Action**: ADD\n", "Ablated Part"),
        ("### S\n- **Ablated Part**: p\n", "Action"),
        ("###\n- **Ablated Part**: p\n- **Action**: ADD\n", "name"),
        ("### S\n- **Ablated Part**: p\n- **Ablated Part**: q\n- **Action**: ADD\n", "twice"),
        (
            "### S\n- **Ablated Part**: p\n- **Action**: ADD\n- **Replacement**:\n  - a\n  -\n",
            "empty",
        ),
    ],
)
def test_a_missing_field_names_document_line_and_section(text: str, what: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_plan(f"\n\n{text}", "plan.md")
    (problem,) = raised.value.problems
    assert problem.where == "plan.md"
    assert "line" in problem.key
    assert what in problem.message


def test_sections_of_one_name_are_two_ablations() -> None:
    plan = markdown("Study", "p", "ADD", [], "m")
    assert len(parse_plan(plan + "\n" + plan, "plan.md")[0]) == 2


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [
        ("utf-8", False),
        ("utf-8-sig", False),
        ("utf-16", False),
        ("utf-32", False),
        ("cp1252", True),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, noted: bool) -> None:
    path = tmp_path / "plan.md"
    path.write_bytes(markdown("Study é", "p", "ADD", [], "m").encode(encoding))
    document = read_plan(path)
    assert document.ablations[0].name == "Study é"
    assert bool(document.notes) == noted
    assert document.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_no_document_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text("")
    (tmp_path / "prose.md").write_text("# Title\n\nNothing is planned.\n")
    os.mkfifo(tmp_path / "pipe.md")
    for name in ("missing.md", "empty.md", "prose.md", "pipe.md", "."):
        with pytest.raises(InputError) as raised:
            read_plan(tmp_path / name)
        assert str(tmp_path) in raised.value.problems[0].where


@given(st.lists(st.text(max_size=10), min_size=1, max_size=5))
def test_metrics_joined_are_the_line_again(parts: list[str]) -> None:
    line = ", ".join(part for part in parts if part.strip())
    assert ", ".join(split_metrics(line)).split() == line.split()


def test_metrics_are_split_outside_of_brackets() -> None:
    assert split_metrics("Accuracy (top-1, top-5), Time") == ["Accuracy (top-1, top-5)", "Time"]
