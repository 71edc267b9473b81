"""Phrases of a paper as sets of content words, so that two spellings of one name compare equal.

"momentum update for the teacher projection head ($m_c$)" and "Momentum update of the teacher
projection head (mc)" have the same words. Nothing is dropped that could change the meaning: "no",
"without", "<", "+" and "%" are words, and a number is one word in one spelling.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

#: Words that only join others, or say that a number is one.
_JOINING = frozenset(
    re.findall(
        r"\w+",
        "the a an of for in on to with by and at as is are its this that when where used using use "
        "from value parameter hyperparameter hyper setting coefficient factor",
    )
)
_GREEK = re.compile(r"GREEK (?:SMALL|CAPITAL) LETTER (\w+)$")
_LATEX_STYLES = re.compile(
    r"\\(?:mathcal|mathrm|mathbf|mathit|mathbb|text|textbf|textit|operatorname)"
)
_NUMBER = r"(?<![\w.])(?:(?<![^\s(\[=,:])[-+])?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?(?![\w]|\.\d)"
_TOKEN = re.compile(rf"({_NUMBER})|(\^\d+)|[^\W_]+(?:~[^\W_]+)*~?|[^\w\s]")
_DROPPED = frozenset("()[]{},:;.'\"`$*\\=-?&‘’“”–—‐‑")
_COUNTS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_BROKEN = re.compile(r"[^\x00-\x7f]+")
_WRONG_ENCODINGS = ("cp1252", "latin-1", "gb18030")


@lru_cache(maxsize=65_536)
def content_words(phrase: str) -> frozenset[str]:
    """The words of a phrase that carry its meaning, each in one spelling."""
    return frozenset(
        word for token in _TOKEN.finditer(_folded(phrase)) for word in [_word(token)] if word
    )


def number_of(word: str) -> float | int | None:
    """The number that a word is: "0.999", "2", "two"; None if it is none."""
    if word in _COUNTS:
        return _COUNTS[word]
    try:
        number = float(word)
    except ValueError:
        return None
    whole = number.is_integer() and abs(number) < 2**63
    return int(number) if whole else number


def repaired(phrase: str) -> str:
    """A phrase whose UTF-8 was read in another encoding, as it was meant: "Î»" becomes "λ"."""
    return _BROKEN.sub(lambda found: _repaired_run(found[0]), phrase)


def _repaired_run(run: str) -> str:
    for encoding in _WRONG_ENCODINGS:
        try:
            return run.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return run


def _folded(phrase: str) -> str:
    text = _LATEX_STYLES.sub("", phrase).replace("{", "").replace("}", "")
    text = re.sub(r"\\(?:wide)?tilde\s*(\w)", "\\1\u0303", text)
    letters = []
    for letter in text:
        decomposed = unicodedata.decomposition(letter)
        if decomposed.startswith("<super>"):
            letters.append("^")  # 2¹⁰ is not 210
        letters.append(unicodedata.normalize("NFKD", letter))
    text = "".join(letters).replace("\u2044", "/").replace("\u2212", "-")
    text = re.sub(r"(?<=\w)\s?[\u0303\u0334\u02dc]", "~", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = "".join(_spelled_out(letter) for letter in text).casefold()
    text = re.sub(r"\bw/o\b", "without", text)
    return re.sub(r"(?<=[^\W_])_+(?=[^\W_])|(?<=~)_+", "", text)


def _spelled_out(letter: str) -> str:
    found = _GREEK.match(unicodedata.name(letter, ""))
    return found[1].lower().replace("lamda", "lambda") if found else letter


def _word(token: re.Match[str]) -> str:
    text = token[0]
    if token[1] or text in _COUNTS:  # "two-layer" is "2-layer"
        number = number_of(text)
        return text if number is None else repr(number)
    if text in _DROPPED or text in _JOINING:
        return ""
    text = re.sub(r"isation$", "ization", text)
    if len(text) > 3 and text.endswith("s") and not text.endswith(("ss", "us", "is")):
        text = text[:-1]
    return "" if text in _JOINING else text
