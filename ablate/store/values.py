"""Check values from untrusted JSON: each function returns the value, or None.

JSON can carry what a database, a terminal or a float cannot: whole numbers of any size, half
characters, NaN. What comes out of here is safe to store and to compare.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

#: What reading a document raises whose values are of other types than it should have.
MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)

MOST_ENTRIES = 10_000  #: of a mapping or list in an event or a result


def parsed(content: bytes) -> Any:
    """JSON; ValueError for what is none, and for half a character, which no file can hold."""
    value = json.loads(content)
    if b"\\u" in content:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def whole(value: object) -> int | None:
    """A whole number of at most 64 bits; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        return None
    return value


def count(value: object) -> int | None:
    """A whole number that is not negative."""
    number = whole(value)
    return number if number is not None and number >= 0 else None


def real(value: object) -> float | None:
    """A number as a float, infinities and NaN included."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def text(value: object) -> str | None:
    """Text, with lone surrogates replaced, which a database cannot hold."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode(errors="replace").decode()


def numbers(value: object) -> dict[str, float] | None:
    """Those entries of a mapping that are numbers, as floats."""
    if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
        return None
    floats = all(type(number) is float for number in value.values())
    if floats and isinstance(value, dict) and all(map(str.isascii, value)):
        return value  # by far the most: an epoch's metrics
    found = {text(name) or "": real(number) for name, number in value.items()}
    return {name: number for name, number in found.items() if number is not None}


def texts(value: object) -> dict[str, str] | None:
    """The entries of a mapping as text."""
    if not isinstance(value, Mapping) or len(value) > MOST_ENTRIES:
        return None
    return {text(str(name)) or "": text(str(entry)) or "" for name, entry in value.items()}


def names(value: object) -> tuple[str, ...] | None:
    """The entries of a list as text."""
    if not isinstance(value, list | tuple) or len(value) > MOST_ENTRIES:
        return None
    return tuple(text(str(entry)) or "" for entry in value)
