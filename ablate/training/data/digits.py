"""scikit-learn's handwritten digits, which come with the package: the quick profile's data."""

from __future__ import annotations

from pathlib import Path

import torch

from ablate.methods.catalog import DataInfo
from ablate.training.data.images import ImageData


def load(info: DataInfo, _data_dir: Path) -> ImageData:
    """Load the digits; every third image trains, the others test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Grey values are whole numbers 0..16; 16 becomes 255.
    images = torch.from_numpy(bunch.images).mul(255 / 16).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    trains = torch.arange(len(images)) % 3 == 0
    return ImageData(info, images[trains], labels[trains], images[~trains], labels[~trains])
