"""Requests to stop a run, by whoever started it."""

from __future__ import annotations


class StopRequests:
    """Counts the user's Ctrl-C; a signal handler calls `request`, the loop looks."""

    def __init__(self) -> None:
        self.count = 0

    def request(self) -> None:
        """Ask once for a gentle stop, twice for one at once."""
        self.count += 1
