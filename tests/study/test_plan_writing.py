"""The text of study files from plans: the plan's own characters."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ablate.study.plan_writing import study_text
from tests.study.plan_lab import planned


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
