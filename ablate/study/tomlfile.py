"""Read TOML files of the user; errors name the file, the line and what would be right."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem, did_you_mean

MOST_BYTES = 4 << 20  #: of a file; people write kilobytes
_DEEPEST = 50  #: tables within tables; nobody writes more, and what reads them recurses

_ERROR_LINE = re.compile(r"\(at line (\d+), column \d+\)")
#: What people write in a line that is no TOML -> what would be right there.
_SYNTAX_HINTS = (
    (re.compile(r"^\s*\w+(?:\s+\w+)+\s*="), "a key has no spaces, such as ablated_part"),
    (re.compile(r"=\s*[+-]?\.\d"), "a number starts with a digit, such as 0.01"),
    (re.compile(r"=\s*[+-]?\d+\.(?:\s|$)"), "a number ends with a digit, such as 1.0"),
    (re.compile(r"=\s*(?:True|False)\b"), "true and false are written small"),
    (re.compile(r"^\s*\w[\w.]*\s*:"), "a key and its value stand apart by =, not by :"),
    (re.compile(r"[=\[,]\s*[^\W\d]"), "a text stands in quotes"),
)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; InputError says where it is missing or malformed."""
    text = _read_text(path)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise InputError(Problem(str(path), "", "is nested too deeply")) from None
    except ValueError as error:  # a TOMLDecodeError, or an integer of thousands of digits
        message = f"is no valid TOML: {error}"
        plan = f"`ablate import {path}` makes studies of a plan" if _is_plan(path) else ""
        hint = plan or _hint(text, error)
        raise InputError(Problem(str(path), "", message, hint)) from None
    if _depth(data) > _DEEPEST:
        raise InputError(Problem(str(path), "", "is nested too deeply"))
    return data


def _read_text(path: Path) -> str:
    """The text of a regular file of reasonable size; InputError for anything else."""
    try:
        content = _read_bytes(path)
    except FileNotFoundError:
        raise InputError(Problem(str(path), "", "no such file", _near(path))) from None
    except IsADirectoryError:
        right = "".join(f'such as "{file}"' for file in _studies(path)[:1])
        raise InputError(Problem(str(path), "", "is a folder; a study is a file", right)) from None
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise InputError(Problem(str(path), "", message)) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:100]:
        message = "is no text in UTF-8, which TOML is, but in UTF-16 or binary"
        raise InputError(Problem(str(path), "", message, "save it as UTF-8"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is no text in UTF-8, which TOML is: {error.reason} at byte {error.start}"
        raise InputError(Problem(str(path), "", message, "save it as UTF-8")) from None


def _read_bytes(path: Path) -> bytes:
    """Content of a regular file; a pipe or a device is refused without waiting for it."""

    def at_once(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)

    with open(path, "rb", opener=at_once) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise InputError(Problem(str(path), "", "is no regular file", "a TOML file"))
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        message = f"has more than {MOST_BYTES >> 20} MiB, too much for a study or settings"
        raise InputError(Problem(str(path), "", message))
    return content


def _is_plan(path: Path) -> bool:
    return path.suffix.lower() in (".md", ".markdown", ".json", ".jsonl", ".html", ".txt")


def _hint(text: str, error: ValueError) -> str:
    """What would be right; a list or table that is not closed says nothing of its last line."""
    unclosed = re.match("Unclosed (array|inline table)", str(error))
    if unclosed:
        return f"it ends with {']' if unclosed[1] == 'array' else '}'}"
    return _syntax_hint(text, error)


def _syntax_hint(text: str, error: ValueError) -> str:
    """What would be right in the line that an error of the parser names."""
    place = _ERROR_LINE.search(str(error))
    lines = text.splitlines()
    if place is None or int(place[1]) > len(lines):
        return ""
    line = lines[int(place[1]) - 1]
    return next((hint for pattern, hint in _SYNTAX_HINTS if pattern.search(line)), "")


def _near(path: Path) -> str:
    """The study file that a path may mean: a name without folder and ending is enough."""
    studies = [*_studies(path.parent), *_studies(path.parent / "studies")]
    by_name = {name: str(file) for file in studies for name in (file.stem, file.name)}
    return did_you_mean(path.name, [str(file) for file in studies], by_name)


def _studies(folder: Path) -> list[Path]:
    """TOML files of a folder that may be studies."""
    others = ("ablate.toml", "pyproject.toml")
    return sorted(file for file in folder.glob("*.toml") if file.name not in others)


def _depth(data: object) -> int:
    """Tables and lists within each other; dotted keys make any number of them."""
    depth, level = 0, [data]
    while level:
        inner = [list(x.values()) if isinstance(x, dict) else x for x in level]
        level = [item for x in inner if isinstance(x, list) for item in x]
        depth += 1
    return depth
