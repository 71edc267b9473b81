"""Events and results are read and written by their dataclasses: their keys stand in one module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ablate.store import events

PACKAGE = Path(__file__).parents[2] / "ablate"
HOME = {"events.py", "job_result.py"}

#: Keys that mean nothing but a field of an event or a result.
KEYS = {"event", "process_start", "lost_seconds", "lost_steps", "trained_s", "checksum"}

#: Where such a key is the name of something else.
ELSEWHERE = {
    ("history.py", "process_start"),  # fields of an attempt
    ("history.py", "lost_seconds"),
    ("schema.py", "process_start"),  # columns of the index
    ("schema.py", "lost_seconds"),
    ("lease.py", "process_start"),  # a field of a lease
    ("ingest.py", "process_start"),
}


def keys_of(tree: ast.AST) -> set[str]:
    """Strings that stand where a key of a mapping stands, or are compared with one."""
    found: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript):
            found.append(node.slice)
        elif isinstance(node, ast.Dict):
            found += node.keys
        elif isinstance(node, ast.Call):
            found += node.args[:1]
    return {
        one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_other_module_knows_their_keys(path: Path) -> None:
    if path.name in HOME:
        return
    keys = keys_of(ast.parse(path.read_text(encoding="utf-8"))) & KEYS
    assert {key for key in keys if (path.name, key) not in ELSEWHERE} == set()


@pytest.mark.parametrize("name", sorted(events._READERS))
def test_no_other_module_compares_an_events_name(name: str) -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for quoted in (f'"event": "{name}"', f'event == "{name}"', f'["event"] == "{name}"'):
            assert quoted not in text, path


@pytest.mark.parametrize(
    "code", ['x["event"]', 'x.get("trained_s")', '{"event": 1}'], ids=["index", "get", "dict"]
)
def test_what_this_looks_for_would_be_found(code: str) -> None:
    assert keys_of(ast.parse(code)) & KEYS
