"""Thin commands: parse, call a room, print. This module stays light, since workers import it."""

from __future__ import annotations

import gc
import sys

_BRIEF = frozenset({"report", "status", "export", "show"})


def main() -> None:
    """Entry point of the `ablate` command."""
    brief = len(sys.argv) > 1 and sys.argv[1] in _BRIEF
    if brief:  # it loads and makes much, keeps nearly all of it, and ends: there is little garbage
        gc.disable()
    from ablate.cli.app import app

    try:
        app()
    finally:
        if brief:
            gc.freeze()  # Python's own last look for garbage takes as long as a figure
