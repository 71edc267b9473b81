"""Thin commands: parse, call a room, print. This module stays light, since workers import it."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `ablate` command."""
    from ablate.cli.app import app

    app()
