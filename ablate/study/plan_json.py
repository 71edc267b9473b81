"""Plan documents in JSON or JSON Lines: an object per ablation, also between <predictions> tags."""

from __future__ import annotations

import json
import re
from typing import Any

from ablate.errors import InputError, Problem
from ablate.study.plan_document import Fields, section_problem, split_metrics

_TAGGED = re.compile(r"<predictions>(.*?)(?:</predictions>|\Z)", re.DOTALL | re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,\[\]]*")  #: what stands between the objects of a list or of lines
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)```\s*", re.DOTALL)
_TEXTS = ("ablated_part", "action")
_KNOWN = ("name", *_TEXTS, "replacement", "metrics", "rationale")


def looks_like_json(text: str) -> bool:
    """Whether a document is JSON, or has JSON between <predictions> tags."""
    return _json_part(text) is not None


def sections(text: str, where: str) -> list[Fields]:
    """The ablations of a JSON document; InputError names the line where it is malformed."""
    part = _json_part(text)
    assert part is not None, "whoever asks has looked"
    start, end = part
    decoder = json.JSONDecoder(
        parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_once
    )  # numbers as they are written
    found: list[Fields] = []
    while (start := _between(text, start, end)) < end:
        line = text.count("\n", 0, start) + 1
        try:
            item, start = decoder.raw_decode(text[:end], start)
        except json.JSONDecodeError as error:
            at = text.count("\n", 0, error.pos) + 1
            raise InputError(
                Problem(where, f"line {at}", f"is no valid JSON: {error.msg}")
            ) from None
        except RecursionError:
            raise InputError(Problem(where, f"line {line}", "is nested too deeply")) from None
        except ValueError as error:
            raise InputError(Problem(where, f"line {line}", str(error))) from None
        found.append(_section(item, line))
    return found


def _json_part(text: str) -> tuple[int, int] | None:
    """Start and end of the JSON in a text; None if there is none."""
    start, end = 0, len(text)
    tagged = list(_TAGGED.finditer(text))
    if tagged:
        start, end = tagged[-1].span(1)
    if fenced := _FENCE.fullmatch(text, start, end):
        start, end = fenced.span(1)
    opening = re.compile(r"\s*[\[\s]*(\{|\])").match(text, start, end)
    return (start, end) if tagged or opening else None


def _between(text: str, start: int, end: int) -> int:
    found = _BETWEEN.match(text, start, end)
    return found.end() if found else start


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f'has "{key}" twice')
        table[key] = value
    return table


def _section(item: Any, line: int) -> Fields:
    if not isinstance(item, dict):
        section = Fields(line, "")
        section.problems.append(section_problem(section, "is no JSON object", '{"name": ...}'))
        return section
    name = item.get("name")
    section = Fields(line, name.strip() if isinstance(name, str) else "")
    for key in ("name", *_TEXTS, "rationale"):
        value = item.get(key)
        if isinstance(value, str):
            section.found[key] = [value.strip()]
        elif value is not None:
            section.problems.append(section_problem(section, f'"{key}" should be a text'))
    section.found["replacement"] = [text.strip() for text in _texts(item.get("replacement"))]
    metrics = item.get("metrics")
    listed = split_metrics(metrics) if isinstance(metrics, str) else _texts(metrics)
    section.found["metrics"] = [text.strip() for text in listed]
    for key in item.keys() - _KNOWN:
        section.notes.append(f'the key "{key}" was left out')
    written = (text for texts in section.found.values() for text in texts)
    if any("\ud800" <= letter <= "\udfff" for text in written for letter in text):
        section.problems.append(section_problem(section, "has half of a surrogate pair"))
    return section


def _texts(value: Any) -> list[str]:
    """A list, a mapping, one value or null as a list of texts."""
    if value is None:
        return []
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, dict):
        items = [(k, one) for k, v in value.items() for one in (v if isinstance(v, list) else [v])]
        return [f"{key}: {_text(item)}" for key, item in items]
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, str):  # or a number as it is written
        return value
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in value.items())
    return json.dumps(value, ensure_ascii=False)
