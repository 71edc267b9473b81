"""Text for terminals, files and programs: nothing in it controls who shows it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ablate.console import json_text, without_controls


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_json_shows_no_control_and_reads_back_equal(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert without_controls(text) == text


def test_json_keeps_letters_and_escapes_what_reorders_them() -> None:
    assert json_text("L̃_pred \u202e\x7f") == '"L̃_pred \\u202e\\u007f"'
