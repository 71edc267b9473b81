"""A user's own images out of an .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import torch

from ablate.errors import InputError, Problem
from ablate.methods.arrays import read_array_file
from ablate.methods.catalog import DataInfo, data_path
from ablate.training.data.images import ImageData


def load(info: DataInfo, _data_dir: Path) -> ImageData:
    """Load all images into memory; `InputError` where they do not fit."""
    path = data_path(info.name)
    assert path, "a data set of arrays has a file"
    found = read_array_file(path)
    need = 2 * (info.train + info.test) * info.channels * info.size**2
    free = psutil.virtual_memory().available
    if need > free:
        message = f"needs {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
        raise InputError(Problem("data", info.name, message, "an image folder, which needs none"))
    with np.load(path, allow_pickle=False) as arrays:
        images = arrays["images"]
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    trains, labels = found.trains, torch.from_numpy(found.labels)
    parts = []
    for chosen in (trains, ~trains):
        parts += [torch.from_numpy(np.ascontiguousarray(images[chosen])), labels[chosen]]
    return ImageData(info, *parts)
