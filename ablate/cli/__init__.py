"""Thin commands: parse, call a room, print. This module stays light, since workers import it."""

from __future__ import annotations

import gc
import io
import sys

_BRIEF = frozenset({"report", "status", "export", "show"})


def main() -> None:
    """Entry point of the `ablate` command."""
    brief = len(sys.argv) > 1 and sys.argv[1] in _BRIEF
    if brief:  # disable the garbage collector: the process exits soon
        gc.disable()
    for stream in (sys.stdout, sys.stderr):  # in a Latin-1 locale, "τ" is written as "\\u03c4"
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from ablate.cli.app import app
    from ablate.cli.common import usage_error

    try:
        sys.exit(app(prog_name="ablate", standalone_mode=False))
    except Exception as error:
        sys.exit(usage_error(error))
    finally:
        if brief:
            gc.freeze()  # Python's own last look for garbage takes as long as a figure
