"""Seeds of a study: a list, a range such as "0-9", or a rule that says when there are enough."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

MOST_SEEDS = 10_000  #: of one study; a longer list is a slip of the pen
_LARGEST = 2**63 - 1  #: that the index can store
_SEED_DIGITS = len(str(_LARGEST))
_RULE_KEYS = ("first", "most", "half_width")
_RULE = "{ first = 5, most = 20, half_width = 0.5 }"

_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")


@dataclass(frozen=True)
class SeedRule:
    """Add seeds until the widest interval of the study is narrow enough.

    The run starts with seeds 0 to first - 1. It adds seeds while the half-width of the widest
    interval is above `half_width`, and stops at `most` seeds. It looks at widths alone, never at
    which row is better.
    """

    first: int  #: seeds before the first look, from 3
    most: int  #: seeds at which it stops in any case
    half_width: float  #: in the unit of the study's first metric

    @property
    def seeds(self) -> list[int]:
        """The seeds before the first look."""
        return list(range(self.first))


def parse_seed_text(text: str) -> list[int]:
    """Read "0,2,5-7" as [0, 2, 5, 6, 7].

    Raises:
        ValueError: it holds something that is no seed, a seed twice, or more than MOST_SEEDS.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError(f'"{text}" is no list of seeds; write 0,1,2 or 0-2')
    matches = [(word, _RANGE.fullmatch(word)) for word in words]
    spans = [(word, *(match.groups() if match else (word, word))) for word, match in matches]
    wrong = [problem for span in spans if (problem := _span_problem(*span))]
    if wrong:
        raise ValueError("; ".join(wrong))
    if sum(int(last) - int(first) + 1 for _, first, last in spans) > MOST_SEEDS:
        raise ValueError(f'"{text}" is too many seeds; a study has at most {MOST_SEEDS:,}')
    seeds = [seed for _, first, last in spans for seed in range(int(first), int(last) + 1)]
    if twice := _twice(seeds):
        raise ValueError(f'"{text}" has the seed {twice[0]} twice')
    return seeds


def _span_problem(word: str, first: str, last: str) -> str:
    if not _is_seed(first) or not _is_seed(last):
        return f'"{word}" is no seed, which is a whole number from 0 to 2^63 - 1'
    return f'"{word}" counts down; write {last}-{first}' if int(last) < int(first) else ""


def _is_seed(word: str) -> bool:
    short_enough = word.isdecimal() and len(word) <= _SEED_DIGITS
    return short_enough and int(word) <= _LARGEST


def _twice(seeds: list[int]) -> list[int]:
    return [seed for seed, count in Counter(seeds).items() if count > 1]


def _read_seeds(value: object) -> list[int] | SeedRule:
    if isinstance(value, str):
        return parse_seed_text(value)
    if isinstance(value, dict):
        return _read_rule(value)
    if not isinstance(value, list) or not value or not all(type(seed) is int for seed in value):
        raise ValueError(
            "should be a list of whole numbers such as [0, 1, 2], "
            f'a range such as "0-9", or {_RULE}'
        )
    if len(value) > MOST_SEEDS:
        raise ValueError(f"has {len(value):,} seeds, and a study has at most {MOST_SEEDS:,}")
    wrong = [f"has {_number(seed)} twice" for seed in _twice(value)]
    for seed in dict.fromkeys(value):
        if not 0 <= seed <= _LARGEST:
            wrong.append(f"{_number(seed)} is no seed, which is a number from 0 to 2^63 - 1")
    if wrong:
        raise ValueError("; ".join(wrong))
    return value


def _number(seed: int) -> str:
    return str(seed) if seed.bit_length() <= 64 else f"a number of {seed.bit_length()} bits"


def _read_rule(value: dict[str, Any]) -> SeedRule:
    if set(value) != set(_RULE_KEYS):
        raise ValueError(f"a rule for seeds has the keys first, most and half_width: {_RULE}")
    first, most, half_width = (value[key] for key in _RULE_KEYS)
    if type(first) is not int or first < 3:
        raise ValueError("first should be a whole number from 3; two seeds show no spread")
    if type(most) is not int or not first < most <= MOST_SEEDS:
        raise ValueError(f"most should be a whole number above first and up to {MOST_SEEDS:,}")
    if type(half_width) not in (int, float) or not 0 < half_width < math.inf:
        raise ValueError("half_width should be a number above 0, in the first metric's unit")
    return SeedRule(first, most, float(half_width))


_SEEDS_SCHEMA = {
    "description": 'Seeds: a list, a range such as "0-9", or a rule that adds seeds until decided.',
    "anyOf": [
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": _LARGEST},
            "minItems": 1,
            "maxItems": MOST_SEEDS,
            "uniqueItems": True,
        },
        {"type": "string", "pattern": r"^\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*,?\s*$"},
        {
            "type": "object",
            "properties": {
                "first": {"type": "integer", "minimum": 3},
                "most": {"type": "integer", "minimum": 4, "maximum": MOST_SEEDS},
                "half_width": {"type": "number", "exclusiveMinimum": 0},
            },
            "required": list(_RULE_KEYS),
            "additionalProperties": False,
        },
    ],
}
Seeds = Annotated[list[int] | SeedRule, PlainValidator(_read_seeds), WithJsonSchema(_SEEDS_SCHEMA)]
