"""Changes of colour and sharpness, each image of a batch by its own amount.

Images are float32 (b, c, h, w). Sums are written out instead of using convolutions or matrix
products, which autocast and TF32 would round.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

_LUMA = (0.299, 0.587, 0.114)


def draw_jitter(n: int, generator: Generator) -> Tensor:
    """Draw SimCLR's colour distortion at half strength for n images: (n, 6) float32.

    Columns: factors of brightness, contrast and saturation in 0.6..1.4, hue shift in -0.1..0.1
    turns, whether these four apply (1 in 4 of 5 images), whether to turn grey (1 in 1 of 5).
    """
    uniform = torch.rand(n, 6, generator=generator)
    factors = 0.6 + 0.8 * uniform[:, :3]
    hue = 0.2 * uniform[:, 3:4] - 0.1
    flags = uniform[:, 4:] < torch.tensor([0.8, 0.2])
    return torch.cat([factors, hue, flags.float()], dim=1)


def jitter(images: Tensor, parameters: Tensor) -> Tensor:
    """Distort RGB images, 0..1, by `draw_jitter`'s (b, 6), in the order of its columns."""
    columns = parameters[:, :, None, None, None].unbind(1)
    brightness, contrast, saturation, hue, applies, grey = columns
    changed = (images * brightness).clamp_(0, 1)
    changed = _away_from(_luma(changed).mean((2, 3), keepdim=True), changed, contrast)
    changed = _away_from(_luma(changed), changed, saturation)
    changed = torch.where(applies > 0, _turn_hue(changed, hue), images)
    return torch.where(grey > 0, _luma(changed), changed)


def draw_blur(n: int, generator: Generator) -> Tensor:
    """Draw a Gaussian's width in pixels for n images: (n,) in 0.1..2, 0 for the half left sharp."""
    applies, uniform = torch.rand(n, 2, generator=generator).unbind(1)
    return torch.where(applies < 0.5, 0.1 + 1.9 * uniform, 0.0)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image with a Gaussian of its own width (b,), 0 for none; edges are mirrored.

    The kernel spans a tenth of the image's side, as SimCLR's does, and at least 3 pixels.
    """
    radius = max(3, round(images.shape[-1] / 10)) // 2
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    # A width of 0 would divide 0 by 0; one so small leaves exactly the middle pixel.
    kernels = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True))[:, :, None, None, None]
    for dim in (2, 3):
        size = images.shape[dim]
        margins = [radius, radius, 0, 0] if dim == 3 else [0, 0, radius, radius]
        padded = F.pad(images, margins, mode="reflect")
        images = torch.zeros_like(images)
        for k in range(2 * radius + 1):
            images.addcmul_(padded.narrow(dim, k, size), kernels[:, k])
    return images


def _luma(images: Tensor) -> Tensor:
    """Brightness as the eye weighs it: (b, 3, h, w) → (b, 1, h, w)."""
    red, green, blue = images.unbind(1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue).unsqueeze(1)


def _away_from(anchor: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """Multiply the distance from `anchor` by `factor`, within 0..1."""
    return (anchor + factor * (images - anchor)).clamp_(0, 1)


def _turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue (of HSV) by `turns` (b, 1, 1, 1) of the circle; value and saturation stay."""
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    scale = 1 / chroma.clamp_min(1e-8)  # grey has no hue: its differences are 0
    hue = torch.where(
        value == red,
        (green - blue) * scale,
        torch.where(value == green, 2 + (blue - red) * scale, 4 + (red - green) * scale),
    )
    # Each channel falls from `value` as the hue moves away from its own sector of the circle.
    sectors = torch.arange(5, 0, -2, device=images.device)[:, None, None]
    position = (sectors + hue.unsqueeze(1) + 6 * turns) % 6
    fallen = torch.minimum(position, 4 - position).clamp_(0, 1)
    return value.unsqueeze(1) - chroma.unsqueeze(1) * fallen
