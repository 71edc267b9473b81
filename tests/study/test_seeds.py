"""Seeds as a list, as a range, and as a rule that adds them until an interval is narrow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ablate.study.seeds import MOST_SEEDS, SeedRule, Seeds, parse_seed_text

SEEDS: TypeAdapter[Any] = TypeAdapter(Seeds)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0", [0]),
        ("0,1,2", [0, 1, 2]),
        ("0-4", [0, 1, 2, 3, 4]),
        (" 7 - 9 , 0,", [7, 8, 9, 0]),
        ("3-3", [3]),
        (str(2**63 - 1), [2**63 - 1]),
    ],
)
def test_a_text_names_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seed_text(text) == seeds


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no list of seeds"),
        ("4-0", "0-4"),
        ("0-4,3", "the seed 3 twice"),
        ("0-", '"0-" is no seed'),
        ("1.5", '"1.5" is no seed'),
        ("-1", '"-1" is no seed'),
        (str(2**63), "no seed"),
        ("0-1000000", f"{MOST_SEEDS:,}"),
        (f"0-{2**63 - 1}", f"{MOST_SEEDS:,}"),
        ("²", "no seed"),
    ],
)
def test_what_names_no_seeds_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        parse_seed_text(text)


@given(st.text(max_size=20))
def test_any_text_gives_seeds_or_a_sentence(text: str) -> None:
    try:
        seeds = parse_seed_text(text)
    except ValueError as error:
        assert str(error)
    else:
        assert seeds
        assert len(set(seeds)) == len(seeds) <= MOST_SEEDS
        assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_rule_starts_with_its_first_seeds() -> None:
    rule = SEEDS.validate_python({"first": 5, "most": 20, "half_width": 0.5})
    assert rule == SeedRule(5, 20, 0.5)
    assert rule.seeds == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"first": 5, "most": 20}, "half_width"),
        ({"first": 5, "most": 20, "half_width": 0.5, "step": 1}, "keys"),
        ({"first": 2, "most": 20, "half_width": 0.5}, "first"),
        ({"first": 5, "most": 5, "half_width": 0.5}, "most"),
        ({"first": 5, "most": 10**6, "half_width": 0.5}, f"{MOST_SEEDS:,}"),
        ({"first": 5, "most": 20, "half_width": 0}, "half_width"),
        ({"first": True, "most": 20, "half_width": 0.5}, "first"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SEEDS.validate_python(rule)
    assert named in str(caught.value)


def test_a_million_seeds_are_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="1,000,000"):
        SEEDS.validate_python(list(range(10**6)))
