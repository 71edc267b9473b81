"""Lines of plain text broken to the width of a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

_NARROWEST = 20  #: of a terminal; what claims less, such as COLUMNS=0, does not know its width
_HANGING = 4  #: blanks before what goes on
_NBSP = "\u00a0"
_IN_BACKQUOTES = re.compile("`[^`]*`")


def wrapped(text: str) -> str:
    """Lines broken at blanks for a terminal, or for COLUMNS; as they are where nobody says a width.

    What goes on is indented, and commands in backquotes stay whole, to be pasted.
    """
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    width = shutil.get_terminal_size().columns if known else 0
    if width < _NARROWEST:
        return text
    whole = _IN_BACKQUOTES.sub(lambda found: found[0].replace(" ", _NBSP), text)
    lines = []
    for line in whole.split("\n"):
        indent = " " * (len(line) - len(line.lstrip(" ")) + _HANGING)
        lines += textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return "\n".join(lines)
