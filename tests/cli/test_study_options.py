"""Options as users type them: what cannot be meant is refused, all of it at once."""

from __future__ import annotations

import pytest

from ablate.cli.study_options import parse_overrides, parse_seeds
from ablate.errors import InputError


def told(call, argument) -> str:
    with pytest.raises(InputError) as caught:
        call(argument)
    return str(caught.value)


def test_seeds() -> None:
    assert parse_seeds(None) is None
    assert parse_seeds("0, 1,2,") == [0, 1, 2]
    assert parse_seeds(f"{2**63 - 1},") == [2**63 - 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,00", "has the seed 0 twice"),
        (str(2**63), "2^63 - 1"),
        ("9" * 5000, "2^63 - 1"),
        ("-1", '"-1" is no seed'),
        ("1.5", '"1.5" is no seed'),
        (" , ", "is no list of seeds"),
    ],
)
def test_what_is_no_list_of_seeds(text: str, words: str) -> None:
    assert words in told(parse_seeds, text)


@pytest.mark.parametrize(("text", "count"), [("3", "0-2"), (" 1 ", "0 for one seed")])
def test_one_number_is_no_list_of_seeds(text: str, count: str) -> None:
    said = told(parse_seeds, text)
    assert "--seeds" in said
    assert count in said
    assert f"{text.strip()}," in said
    assert parse_seeds(f"{text.strip()},") == [int(text)]
    assert parse_seeds("0") == [0]


def test_every_wrong_seed_is_named() -> None:
    said = told(parse_seeds, "1,x,2,-3")
    assert all(word in said for word in ('"x"', '"-3"'))


def test_overrides() -> None:
    assert parse_overrides(None) == {}
    assert parse_overrides(["lr=0.1", "views.augmentation = none", "a=true", "b=x=y"]) == {
        "lr": 0.1, "views.augmentation": "none", "a": True, "b": "x=y",
    }  # fmt: skip
    assert parse_overrides(["epochs=" + "9" * 5000]) == {"epochs": "9" * 5000}


def test_what_is_no_override() -> None:
    lines = told(parse_overrides, ["lr=1\nepochs=2", "lr", "=3", "a=1", "a = 2"]).splitlines()
    assert len(lines) == 4
    for line, words in zip(
        lines, ("lr: has a line break", "is no setting", "is no setting", "a: is set twice"),
        strict=True,
    ):  # fmt: skip
        assert words in line


@pytest.mark.parametrize(
    ("text", "value"), [(".01", 0.01), ("-.5", -0.5), ("1.", 1.0), (".1e-2", 0.001), ("01", "01")]
)
def test_numbers_are_read_as_python_writes_them(text: str, value: object) -> None:
    assert parse_overrides([f"lr={text}"]) == {"lr": value}


def test_seeds_may_be_a_range() -> None:
    assert parse_seeds("0-2,7") == [0, 1, 2, 7]
