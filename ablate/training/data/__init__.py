"""Data sets, by the names that the catalogue gives them; one file per family.

A copy found in the data folder is used as it is; only what is missing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ablate.methods.catalog import DataInfo, data_info
from ablate.training.data import digits
from ablate.training.data.images import ImageData

__all__ = ["ImageData", "load"]

_FAMILIES: dict[str, Callable[[DataInfo, Path], ImageData]] = {
    "digits": digits.load,
}


def load(name: str, data_dir: Path) -> ImageData:
    """Load a data set by its catalogue name, "folder:PATH[@SIZE]" for images of the user's own.

    Raises `InputError` for an unknown name, and for files that are missing or not as they should.
    """
    info = data_info(name)
    return _FAMILIES[name.partition(":")[0]](info, data_dir)
