"""CIFAR VGGs: five blocks of 3×3 convolutions with BatchNorm, then one linear layer."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    global_average,
    init_classifier,
    init_convs,
    relu,
)

_WIDTHS = (64, 128, 256, 512, 512)
_CONVS_PER_BLOCK = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(Network):
    """VGG of the given depth, counting convolutions and fully connected layers of the original."""

    classifier_name = "classifier"

    def __init__(self, num_classes: int, in_channels: int, *, depth: int) -> None:
        super().__init__()
        widths = pairwise((in_channels, *_WIDTHS))
        for index, ((inputs, width), convs) in enumerate(
            zip(widths, _CONVS_PER_BLOCK[depth], strict=True)
        ):
            self.add_module(f"block{index}", _block(inputs, width, convs))
        self.classifier = nn.Linear(_WIDTHS[-1], num_classes)
        init_convs(self)
        init_classifier(self.classifier)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 512).

        Three max-pools, so that 32×32 images end as 4×4 maps and 8×8 images as single pixels;
        from 64×64 a fourth, as the field does for Tiny ImageNet.
        """
        pools = 4 if min(images.shape[2:]) >= 64 else 3
        out = images
        for index in range(len(_WIDTHS)):
            out = relu(self.get_submodule(f"block{index}")(out))
            if index < pools:
                out = F.max_pool2d(out, 2)
        return global_average(out)


def _block(inputs: int, width: int, convs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for position in range(convs):
        layers.append(nn.Conv2d(width if position else inputs, width, 3, padding=1))
        layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers[:-1])  # the last ReLU is `features`' to apply


CONSTRUCTORS: dict[str, Constructor] = {
    f"vgg{depth}": partial(VGG, depth=depth) for depth in _CONVS_PER_BLOCK
}
