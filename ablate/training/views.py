"""Augmented views of images, rendered in batches where the images live.

A view's random numbers are drawn for all training images of an epoch at once, so a run that
resumes in mid-epoch sees the views that it would have seen. Rendering is then a function of
images and numbers: bytes are cropped and mirrored, become floats, are coloured and blurred, and
are normalised last, so that padding is black and not grey.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo
from ablate.methods.recipe_config import AUGMENTATION, FINITE_VIEWS
from ablate.training import colour
from ablate.training.randomness import generator


@dataclass(frozen=True)
class Draw:
    """The random parameters of one view of n images; None for what the augmentation lacks."""

    augmentation: str
    index: Tensor  #: (n,) int64 in [0, info.crop_views): which crop and flip, see `_split`
    box: Tensor | None = (
        None  #: (n, 4): x, y of a crop's centre in -1..1, its width, height in 0..1
    )
    jitter: Tensor | None = None  #: (n, 6), see `colour.draw_jitter`
    sigma: Tensor | None = None  #: (n,), width of the blur in pixels

    def __getitem__(self, indices: Tensor) -> Draw:
        """Return the parameters of the images at `indices` (b,)."""

        def at(parameters: Tensor | None) -> Tensor | None:
            return None if parameters is None else parameters[indices]

        return Draw(
            self.augmentation,
            self.index[indices],
            at(self.box),
            at(self.jitter),
            at(self.sigma),
        )


def draw(
    augmentation: str,
    info: DataInfo,
    n: int,
    seed: int,
    view: str,
    epoch: int,
    device: torch.device | str,
) -> Draw:
    """Draw one view ("q", "k", "t", …) of all n training images for one epoch.

    Every ingredient has a generator of its own, so that variants which differ in one ingredient
    share the others: the same crops with jitter and without.
    """
    AUGMENTATION.allowed.parse(augmentation)
    if "jitter" in augmentation and info.channels != 3:
        message = f"colour jitter needs three channels, {info.title} has {info.channels}"
        raise InputError(Problem("views", AUGMENTATION.name, message, '"crop-flip"'))
    index = torch.randint(info.crop_views, (n,), generator=generator(seed, f"view {view}", epoch))
    if augmentation == "none":
        index.zero_()
    box = jitter = sigma = None
    if augmentation == "random-resized-crop":
        box = _draw_boxes(n, generator(seed, f"view {view} box", epoch)).to(device)
    if "jitter" in augmentation:
        jitter = colour.draw_jitter(n, generator(seed, f"view {view} jitter", epoch)).to(device)
    if "blur" in augmentation:
        sigma = colour.draw_blur(n, generator(seed, f"view {view} blur", epoch)).to(device)
    return Draw(augmentation, index.to(device), box, jitter, sigma)


def render(images: Tensor, parameters: Draw, info: DataInfo) -> Tensor:
    """Render one view of each image: uint8 (b, c, h, w) → normalised float32 (b, c, h, w)."""
    if parameters.augmentation == "none":
        return plain(images, info)
    if parameters.box is not None:
        images = _resized_crop(images, parameters.box, parameters.index, info)
    else:
        images = _crop_flip(images, parameters.index, info)
    if parameters.jitter is not None:
        images = 255 * colour.jitter(images / 255, parameters.jitter)
    if parameters.sigma is not None:
        images = colour.blur(images.float(), parameters.sigma)
    return _normalise(images, info)


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


def _draw_boxes(n: int, random: Generator) -> Tensor:
    """Draw crops of 0.2 to 1 of the area with sides 3:4 to 4:3: (n, 4) as in `Draw.box`."""
    tries = 10  # of which the first counts that fits into the image
    area = 0.2 + 0.8 * torch.rand(n, tries, generator=random)
    ratio = torch.exp((2 * torch.rand(n, tries, generator=random) - 1) * math.log(4 / 3))
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=2)
    fits = (sides <= 1).all(2)
    first = fits.int().argmax(1)
    # One image in a million fits in none of ten tries; clamped, its crop is cut at the edges.
    size = sides[torch.arange(n), first].clamp(max=1)
    centre = (1 - size) * (2 * torch.rand(n, 2, generator=random) - 1)
    return torch.cat([centre, size], dim=1)


def _resized_crop(images: Tensor, box: Tensor, index: Tensor, info: DataInfo) -> Tensor:
    """Stretch each image's own box to the full size, some mirrored: uint8 → float32 in 0..255."""
    x, y, width, height = box[:, :, None].unbind(1)
    if info.flip:
        width = width * (1 - 2 * (index % 2))[:, None]  # read from right to left
    columns = x + width * _pixel_centres(images.shape[3], images.device)
    rows = y + height * _pixel_centres(images.shape[2], images.device)
    shape = len(images), *images.shape[2:]
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], dim=3)
    # A box never leaves its image; "border" only keeps the outermost half pixel from mixing with
    # the black around it.
    return F.grid_sample(
        images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def _pixel_centres(size: int, device: torch.device) -> Tensor:
    """Where pixels lie along a side that runs from -1 to 1: (size,)."""
    return (2 * torch.arange(size, device=device) + 1) / size - 1


def _normalise(images: Tensor, info: DataInfo) -> Tensor:
    """Values 0..255 (b, c, h, w), any type → (value / 255 − mean) / std per channel, float32."""
    mean, std = _moments(info.mean, info.std, images.device)
    return (images - mean).div_(std)


@lru_cache
def _moments(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of bytes, (c, 1, 1); kept, since a copy to a GPU would wait."""
    with torch.inference_mode(False):
        both = torch.tensor([mean, std], device=device).mul_(255)
    return both[0, :, None, None], both[1, :, None, None]
