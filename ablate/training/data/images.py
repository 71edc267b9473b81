"""A data set as training holds it: all images as bytes, in memory or mapped from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ablate.methods.catalog import DataInfo

_MOST_OF_DEVICE = 0.5  #: share of a GPU's free memory that images may take


@dataclass(frozen=True)
class ImageData:
    """A data set; images stay uint8, a quarter of float32, until a view is rendered."""

    info: DataInfo
    train_images: Tensor  #: (n, channels, size, size), uint8, 0..255
    train_labels: Tensor  #: (n,), int64, 0..classes-1
    test_images: Tensor
    test_labels: Tensor

    def to(self, device: torch.device | str) -> ImageData:
        """Return the same data on `device`; images that would fill half of it stay where they are.

        Which of the two happens changes no result: `rows` brings the same bytes.
        """
        kept = self._fills(torch.device(device))
        return replace(
            self,
            train_images=self.train_images if kept else self.train_images.to(device),
            train_labels=self.train_labels.to(device),
            test_images=self.test_images if kept else self.test_images.to(device),
            test_labels=self.test_labels.to(device),
        )

    def _fills(self, device: torch.device) -> bool:
        if device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(device)
        return self.train_images.nbytes + self.test_images.nbytes > _MOST_OF_DEVICE * free


def rows(images: Tensor, index: Tensor) -> Tensor:
    """Images (b, C, H, W) at `index` (b,), on the device of the index."""
    if images.device == index.device:
        return images[index]
    return images[index.to(images.device)].to(index.device)
