"""Messages are asserted by what they must name, not by their English."""

from __future__ import annotations


def missing_from(message: object, *names: object) -> list[str]:
    """What a message should name, such as a file, a key, a number or a remedy, and does not."""
    return [str(name) for name in names if str(name) not in str(message)]
