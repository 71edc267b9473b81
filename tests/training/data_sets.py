"""Data sets that tests share: loaded once, and not before a test asks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ablate.training.data import ImageData, load


@cache
def digits() -> ImageData:
    """scikit-learn's digits; they need no data folder."""
    return load("digits", Path())
