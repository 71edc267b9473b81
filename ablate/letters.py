"""Text in the letters that a terminal's encoding has: signs by ASCII ones, Greek ones by name."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

_SIGNS = {
    "±": "+/-", "−": "-", "–": "-", "—": "-", "─": "-", "×": "x", "·": ".", "…": "...",
    "•": "*", "◦": "o", "↑": "^", "↓": "v", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~",
    "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "√": "sqrt ", "∞": "inf", "°": " deg",
    "\N{COMBINING TILDE}": "~", "λ": "lambda", "Λ": "Lambda",
}  # fmt: skip


Found = TypeVar("Found")


def in_letters_of(encoding: str, found: Found) -> Found:
    """A text, or all texts of a record, as an encoding can write them; other letters stay.

    >>> in_letters_of("ascii", "τ = 0.1: 21.4 ± 0.7 •")
    'tau = 0.1: 21.4 +/- 0.7 *'
    """
    if encoding.lower().startswith("utf"):
        return found
    changed: Any = found
    if isinstance(found, str):
        changed = _in_letters(encoding, found)
    elif is_dataclass(found) and not isinstance(found, type):
        own = {one.name: in_letters_of(encoding, getattr(found, one.name)) for one in fields(found)}
        changed = replace(found, **own)
    elif isinstance(found, tuple):
        items = (in_letters_of(encoding, item) for item in found)
        changed = type(found)(*items) if hasattr(found, "_fields") else tuple(items)
    return cast(Found, changed)


def _in_letters(encoding: str, text: str) -> str:
    if text.isascii():
        return text
    return "".join(letter if _has(encoding, letter) else _spelled(letter) for letter in text)


def _has(encoding: str, letter: str) -> bool:
    if letter == "\N{NO-BREAK SPACE}":  # which keeps words together until lines are broken
        return True
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _spelled(letter: str) -> str:
    """A letter in ASCII, if there is a way: by its sign, its Greek name, or without its accent."""
    if letter in _SIGNS:
        return _SIGNS[letter]
    alphabet, _, name = unicodedata.name(letter, "").partition(" LETTER ")
    if alphabet in ("GREEK SMALL", "GREEK CAPITAL") and " " not in name:
        return name.lower() if alphabet == "GREEK SMALL" else name.capitalize()
    apart = unicodedata.normalize("NFKD", letter).replace("\N{FRACTION SLASH}", "/")
    plain = "".join(one for one in apart if not unicodedata.combining(one))
    return plain if plain.isascii() else letter
