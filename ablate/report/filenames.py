"""File names out of any text: ASCII letters, digits and a few signs, never a path or an option."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 60
_TILDE = "\u0303"


def safe_name(text: str, longest: int = _LONGEST) -> str:
    """A name that says about what `text` says: "τ = 0.2" becomes "tau_0.2".

    It starts with a letter or digit, and different texts may give the same name.
    """
    spelled = "".join(map(_spelled, unicodedata.normalize("NFD", text)))
    kept = re.sub(r"[^A-Za-z0-9.~-]+", "_", spelled)
    return re.sub(r"\.{2,}", ".", kept).strip("._-~")[:longest].rstrip("._-~") or "unnamed"


def _spelled(character: str) -> str:
    """Greek letters by their names, a tilde after its letter, other accents dropped."""
    if character == _TILDE:
        return "~"
    if character.isascii():
        return character
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        name = {"LAMDA": "lambda"}.get(words[-1], words[-1].lower())
        return name if "SMALL" in words else name.capitalize()
    if unicodedata.combining(character):
        return ""
    return unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode() or "_"
