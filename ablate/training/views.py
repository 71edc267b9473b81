"""Augmented views of images, rendered in batches where the images live.

A view's random numbers are drawn for all training images of an epoch at once, so a run that
resumes in mid-epoch sees the views that it would have seen. Rendering is then a function of
images and numbers: bytes are cropped and mirrored, become floats, are coloured and blurred, and
are normalised last, so that padding is black and not grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.methods.catalog import DataInfo
from ablate.methods.recipe import FINITE_VIEWS
from ablate.training.randomness import generator


@dataclass(frozen=True)
class Draw:
    """The random parameters of one view of n images."""

    augmentation: str
    index: Tensor  #: (n,) int64; which crop and flip, see `_split`

    def __getitem__(self, indices: Tensor) -> Draw:
        """Return the parameters of the images at `indices` (b,)."""
        return Draw(self.augmentation, self.index[indices])


def draw(  # noqa: PLR0917 - always called with all seven, by name where it reads better
    augmentation: str,
    info: DataInfo,
    n: int,
    seed: int,
    view: str,
    epoch: int,
    device: torch.device | str,
) -> Draw:
    """Draw one view ("q", "k", "t", …) of all n training images for one epoch."""
    crops = generator(seed, f"view {view}", epoch)
    index = torch.randint(info.crop_views, (n,), generator=crops)
    if augmentation == "none":
        index.zero_()
    return Draw(augmentation, index.to(device))


def render(images: Tensor, parameters: Draw, info: DataInfo) -> Tensor:
    """Render one view of each image: uint8 (b, c, h, w) → normalised float32 (b, c, h, w)."""
    if parameters.augmentation == "none":
        return plain(images, info)
    return _normalise(_crop_flip(images, parameters.index, info), info)


def plain(images: Tensor, info: DataInfo) -> Tensor:
    """Normalise without augmentation: uint8 (b, c, h, w) → float32 (b, c, h, w)."""
    return _normalise(images, info)


def view_index(parameters: Draw) -> Tensor:
    """Which of its finitely many views each image shows: (n,) int64 in [0, info.crop_views)."""
    if parameters.augmentation not in FINITE_VIEWS:
        raise ValueError(f"{parameters.augmentation} has views without number")
    return parameters.index


def all_views(images: Tensor, info: DataInfo, augmentation: str) -> Iterator[tuple[int, Tensor]]:
    """Yield every view of a batch with its index, equal to the bit to what `render` gives."""
    if augmentation not in FINITE_VIEWS:
        raise ValueError(f"{augmentation} has views without number")
    if augmentation == "none":
        yield 0, plain(images, info)
        return
    height, width = images.shape[-2:]
    padded = F.pad(images, [info.padding] * 4)
    for index in range(info.crop_views):
        top, left, mirrored = _split(index, info)
        view = padded[..., top : top + height, left : left + width]
        yield index, _normalise(view.flip(-1) if mirrored else view.contiguous(), info)


def _split(index: int, info: DataInfo) -> tuple[int, int, int]:
    """Index of a view → top and left of the crop in the padded image, and whether mirrored."""
    crop, mirrored = divmod(index, 2) if info.flip else (index, 0)
    top, left = divmod(crop, 2 * info.padding + 1)
    return top, left, mirrored


def _crop_flip(images: Tensor, index: Tensor, info: DataInfo) -> Tensor:
    """Cut each image's own crop out of its padded self, and mirror some: same shape and type."""
    height, width = images.shape[-2:]
    positions = 2 * info.padding + 1
    crop = index // 2 if info.flip else index
    top, left = crop // positions, crop % positions
    # (b, c, top, left, h, w): every crop of every image, as a view without a copy of its own.
    crops = F.pad(images, [info.padding] * 4).unfold(2, height, 1).unfold(3, width, 1)
    batch = torch.arange(len(images), device=images.device)
    chosen = crops[batch, :, top, left]
    if not info.flip:
        return chosen
    return torch.where((index % 2 == 1)[:, None, None, None], chosen.flip(-1), chosen)


def _normalise(images: Tensor, info: DataInfo) -> Tensor:
    """Bytes (b, c, h, w) → (value / 255 − mean) / std per channel, float32."""
    mean, std = _moments(info.mean, info.std, images.device)
    return images.float().sub_(mean).div_(std)


@lru_cache
def _moments(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of bytes, (c, 1, 1); kept, since a copy to a GPU would wait."""
    with torch.inference_mode(False):
        both = torch.tensor([mean, std], device=device).mul_(255)
    return both[0, :, None, None], both[1, :, None, None]
