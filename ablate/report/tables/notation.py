"""A paper's notation in plain text: finds L_pred, L̃_pred, λ_ctr, m_c, so renderers can set it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TILDE = "\u0303"

#: One letter, perhaps under a tilde, with a subscript; wrn_40_2 and 50%_a are no such thing.
_SYMBOL = re.compile(rf"(?<![\w{TILDE}])([^\W\d_])({TILDE})?_([A-Za-z0-9]+)(?![\w{TILDE}])")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A letter with a subscript."""

    letter: str
    tilde: bool
    subscript: str


def split(text: str) -> Iterator[str | Symbol]:
    """The text in order, with its symbols taken out."""
    end = 0
    for match in _SYMBOL.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        yield Symbol(match[1], match[2] is not None, match[3])
        end = match.end()
    if end < len(text):
        yield text[end:]
