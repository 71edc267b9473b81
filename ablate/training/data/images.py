"""A data set as training holds it: all images at once, as bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ablate.methods.catalog import DataInfo


@dataclass(frozen=True)
class ImageData:
    """A data set in memory; images stay uint8, a quarter of float32, until a view is rendered."""

    info: DataInfo
    train_images: Tensor  #: (n, channels, size, size), uint8, 0..255
    train_labels: Tensor  #: (n,), int64, 0..classes-1
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device | str) -> ImageData:
        """Return the same data with all four tensors on `device`."""
        return replace(
            self,
            train_images=self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            test_images=self.test_images.to(device),
            test_labels=self.test_labels.to(device),
        )
