from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_document import PlannedAblation, parse_plan, read_plan, split_metrics

#: Any text of one line, and texts that begin as no block of Markdown does.
WORDS = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1, max_size=40
).map(str.strip)
SAFE_START = st.sampled_from(["Size ", "x", "L̃_", "λ", "τ = ", "`code` ", "<b>", "| a | ", "[x]: "])
TEXT = st.builds(lambda start, rest: (start + rest).strip(), SAFE_START, WORDS)


def markdown(
    name: str, part: str, action: str, replacement: list[str], metrics: str, newline: str = "\n"
) -> str:
    lines = [f"### {name}", f"- **Ablated Part**: {part}", f"- **Action**: {action}"]
    lines += ["- **Replacement**: ", *(f"  - {text}" for text in replacement)]
    return newline.join([*lines, f"- **Metrics**: {metrics}", ""])


def only(text: str) -> PlannedAblation:
    (found,), _ = parse_plan(text, "plan.md")
    return found


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


@given(WORDS, WORDS, st.lists(WORDS, max_size=4), WORDS)
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


@given(TEXT, TEXT, st.lists(WORDS, max_size=3), st.lists(WORDS, max_size=3), st.booleans())
def test_json_comes_out_as_written(
    name: str, part: str, replacement: list[str], metrics: list[str], tagged: bool
) -> None:
    record = {
        "name": name, "ablated_part": part, "action": "REMOVE",
        "replacement": replacement, "metrics": metrics,
    }  # fmt: skip
    text = json.dumps(record, ensure_ascii=False)
    found = only(f"thoughts {{}}\n<predictions>\n{text}\n</predictions>" if tagged else text)
    assert (found.name, found.ablated_part) == (name, part)
    assert list(found.replacement) == replacement
    assert list(found.metrics) == metrics


@pytest.mark.parametrize(
    ("replacement", "texts"),
    [
        ("null", []),
        ('"a"', ["a"]),
        ("1e-3", ["1e-3"]),
        ("[1.0, 0.999, true, null]", ["1.0", "0.999", "true", "null"]),
        ('{"mc": [1.0, 0.9], "x": "y"}', ["mc: 1.0", "mc: 0.9", "x: y"]),
        ('[{"mc": 1.0, "tau": 0.2}]', ["mc: 1.0, tau: 0.2"]),
    ],
)
def test_json_replacements_keep_their_digits(replacement: str, texts: list[str]) -> None:
    text = f'{{"name":"n","ablated_part":"p","action":"REPLACE","replacement":{replacement}}}'
    assert list(only(text).replacement) == texts


def test_json_lines_and_lists_are_read_alike() -> None:
    record = '{"name": "n", "ablated_part": "p", "action": "REMOVE"}'
    for text in (
        f"{record}\n{record}\n",
        f"[{record},\n {record}]",
        f"```json\n[{record},\n{record}]\n```",
    ):
        found, _ = parse_plan(text, "plan.jsonl")
        assert [ablation.name for ablation in found] == ["n", "n"]
        assert found[1].line > found[0].line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"name": "n",\n "ablated_part": }', "line 2"),
        ('{"name": "n", "name": "m"}', "line 1"),
        ('{"name": "n", "ablated_part": "p"}', "line 1"),
        ('[{"name": "n", "ablated_part": "p", "action": "ADD"},\n{"name": ["n"]}]', "line 2"),
        ('[{"name": "n", "ablated_part": "p", "action": "ADD"},\n7]', "line 2"),
        ('{"name": "\\ud800", "ablated_part": "p", "action": "ADD"}', "line 1"),
    ],
)
def test_malformed_json_names_its_line(text: str, line: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_plan(text, "plan.json")
    assert all(line in problem.key for problem in raised.value.problems)
    assert all(problem.where == "plan.json" for problem in raised.value.problems)


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
