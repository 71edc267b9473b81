"""Values as Hydra's override grammar takes them, so that each stays the value that it is.

Unquoted, `a,b` would be a sweep over two values, `[x]` a list and `${x}` an interpolation. A
quoted string may hold anything; only a quote, and backslashes before one, must be escaped
(hydra.cc, "Basic Override syntax", section "Quoted values").
"""

from __future__ import annotations

import re

from ablate.methods.parts import Value, format_value

_BACKSLASHES_BEFORE_QUOTE = re.compile(r"(\\*)('|$)")
_BACKSLASHES_BEFORE_INTERPOLATION = re.compile(r"(\\*)\$\{")


def override(key: str, value: Value) -> str:
    """One command-line override.

    >>> override("model.name", "a,b")
    "model.name='a,b'"
    """
    return f"{key}={_literal(value)}"


def _literal(value: Value) -> str:
    if not isinstance(value, str):
        return format_value(value)
    # OmegaConf, too, reads what Hydra hands it: there a backslash keeps `${` from being resolved.
    inert = _BACKSLASHES_BEFORE_INTERPOLATION.sub(r"\1\1\\${", value)
    return "'" + _BACKSLASHES_BEFORE_QUOTE.sub(_escaped, inert) + "'"


def _escaped(found: re.Match[str]) -> str:
    """Backslashes before a quote are doubled, and an inner quote gets one of its own."""
    inner = "\\'" if found[2] else ""
    return found[1] * 2 + inner
