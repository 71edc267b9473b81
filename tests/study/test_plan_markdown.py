from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_document import parse_plan
from tests.study.plan_lab import MARKS, TEXT, WORDS, markdown, only

ANY = st.one_of(WORDS, MARKS)


@given(TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=4), TEXT, st.sampled_from(["\n", "\r\n"]))
def test_every_field_comes_out_as_written(
    name: str, part: str, replacement: list[str], metrics: str, newline: str
) -> None:
    text = markdown(name, part, "REPLACE", replacement, metrics, newline)
    for document in (text, f"<div>{newline}{text}</div>", f"\ufeff{text}".removeprefix("\ufeff")):
        found = only(document)
        assert found.name == name
        assert found.ablated_part == part
        assert found.action == "REPLACE"
        assert list(found.replacement) == replacement
        assert ", ".join(found.metrics) == metrics


@given(ANY, ANY, st.lists(ANY, max_size=4), ANY)
def test_any_line_comes_out_as_written_or_as_an_error_that_names_its_place(
    name: str, part: str, replacement: list[str], metrics: str
) -> None:
    try:
        found = only(markdown(name, part, "REPLACE", replacement, metrics))
    except InputError as error:
        assert all(problem.where == "plan.md" for problem in error.problems)
        held = "holds no plan" in str(error)
        assert held or all("line" in problem.key for problem in error.problems)
        return
    except ValueError:
        pytest.fail("two sections from one")
    assert "".join(found.ablated_part.split()) == "".join(part.split())
    assert ["".join(x.split()) for x in found.replacement] == [
        "".join(x.split()) for x in replacement if x
    ]


def test_an_item_without_text_is_no_value() -> None:
    with pytest.raises(InputError, match="empty entry in Replacement"):
        only(markdown("Study", "Part", "REPLACE", [""], "Top-1"))
    written = markdown("Study", "Part", "REPLACE", [], "Top-1").replace("ment**: ", "ment**: -")
    assert only(written).replacement == ("-",)


@pytest.mark.parametrize(
    "wrapping",
    [
        "PLAN",
        "<pre>\nPLAN</pre>",
        "<answer>\nPLAN</answer>\n",
        "```markdown\nPLAN```\n",
        "<think>\n- **Action**: ADD\n</think>\nPLAN",
        "<div\n style='x'>\n\nPLAN\n</div>",
        "<!-- - **Action**: ADD -->\nPLAN",
    ],
)
def test_what_wraps_a_plan_is_no_part_of_it(wrapping: str) -> None:
    plan = markdown("Study", "Part", "REMOVE", ["a", "b"], "Top-1")
    found = only(wrapping.replace("PLAN", plan))
    assert found.metrics == ("Top-1",)
    assert found.replacement == ("a", "b")


def test_nested_lists_code_and_tables_stay_as_they_are() -> None:
    text = """### Study
- **Ablated Part**: a `x * y` and
  | a | b |
  |---|---|
- **Action**: REPLACE
- **Replacement**: one of these:
  - first
    - inner <br> one
    - inner two
  - ```python
    x = 1
    ```
- **Metrics**:
  - Top-1 accuracy (%)
  - Time (s, wall clock)
"""
    found = only(text)
    assert found.ablated_part == "a `x * y` and\n| a | b |\n|---|---|"
    assert found.replacement == (
        "first\n- inner <br> one\n- inner two",
        "```python\nx = 1\n```",
    )
    assert found.metrics == ("Top-1 accuracy (%)", "Time (s, wall clock)")


def test_fields_need_neither_bullets_nor_indentation() -> None:
    flat = "# S\n**Ablated Part:** p\n**Action:** REPLACE\n**Replacement:**\n- a\n- b\n"
    assert only(flat).replacement == ("a", "b")
    shallow = "# S\n- **Ablated Part**: p\n- **Action**: REPLACE\n- **Replacement**:\n - a\n - b\n"
    assert only(shallow).replacement == ("a", "b")


def test_headings_may_be_html_and_a_document_may_be_indented() -> None:
    plan = markdown("Study", "p", "ADD", ["a"], "m")
    html = plan.replace("### Study", "<h3 style='x'> Study of <b>x</b></h3>\n")
    assert only(html).name == "Study of <b>x</b>"
    indented = "".join(f"      {line}\n" for line in plan.splitlines())
    assert only(indented) == only(plan)


def test_only_what_follows_the_plans_heading_counts_and_the_rest_is_named() -> None:
    draft = markdown("Draft", "p", "ADD", [], "m")
    plan = markdown("Study", "q", "ADD", [], "m")
    found, notes = parse_plan(f"{draft}\n## Ablation Plan\n{plan}", "plan.md")
    assert [ablation.name for ablation in found] == ["Study"]
    assert "1 section" in notes[0]


def test_reasons_are_found_by_their_bold_heads() -> None:
    text = (Path(__file__).parents[2] / "examples" / "heads.md").read_text()
    first, second = parse_plan(text, "heads.md")[0]
    assert first.rationale.startswith("The embedding is as wide")
    assert second.rationale.endswith("Is it needed at all?")


NOTION = """# Ablations for rebuttal

| Ablation | What we change | Values | Metric |
|---|---|---|---|
| Temperature | temperature of the loss | 0.05, 0.2 | Top-1 |

## 1. Head depth

- what: depth of the projection heads
- try: 1, 2, 3 layers
"""


def test_a_document_without_a_plan_is_told_what_it_has_and_what_a_plan_needs() -> None:
    with pytest.raises(InputError) as raised:
        parse_plan(NOTION, "notion.md")
    (problem,) = raised.value.problems
    for words in ("Ablations for rebuttal", "line 1", "What we change, Values", "line 3",
                  "1. Head depth", "line 7", "what, try", "line 9"):  # fmt: skip
        assert words in problem.message
    for words in ("Ablated Part", "Action", "Replacement", "Metrics"):
        assert words in problem.right
    with pytest.raises(InputError, match="no heading"):
        parse_plan("prose", "prose.md")
