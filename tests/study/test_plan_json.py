from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.study.plan_document import parse_plan
from tests.study.plan_lab import TEXT, WORDS, only


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
