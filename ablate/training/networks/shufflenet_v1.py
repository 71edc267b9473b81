"""ShuffleNet V1 with three groups, as the field uses it on CIFAR."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    conv,
    global_average,
    relu,
    shuffle_channels,
)

_GROUPS = 3
_STEM = 24


class Unit(nn.Module):
    """Grouped bottleneck with a shuffle inside: (N, inputs, H, W) → (N, outputs, H', W').

    Where the width grows, the size halves and the pooled input becomes part of the output, so
    the branch makes only the channels that are missing; elsewhere the two are added.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = inputs != outputs
        # The stem has too few channels to be worth splitting into groups.
        self.groups = 1 if inputs == _STEM else _GROUPS
        branch = outputs - inputs if self.down else outputs
        hidden = branch // 4
        self.conv1 = conv(inputs, hidden, 1, groups=self.groups)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv2 = conv(hidden, hidden, 3, stride=2 if self.down else 1, groups=hidden)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.conv3 = conv(hidden, branch, 1, groups=_GROUPS)
        self.bn3 = nn.BatchNorm2d(branch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H, W), or half that size where the width grows."""
        out = shuffle_channels(relu(self.bn1(self.conv1(x))), self.groups)
        out = relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.down:
            return relu(torch.cat((out, F.avg_pool2d(x, 3, stride=2, padding=1)), dim=1))
        return relu(out + x)


class ShuffleNetV1(Network):
    """ShuffleNet V1 behind a 1×1 stem that keeps the resolution."""

    classifier_name = "linear"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, _STEM, 1)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.layer1 = _stage(_STEM, 240, 4)
        self.layer2 = _stage(240, 480, 8)
        self.layer3 = _stage(480, 960, 4)
        self.linear = nn.Linear(960, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 960)."""
        out = relu(self.bn1(self.conv1(images)))
        return global_average(self.layer3(self.layer2(self.layer1(out))))


def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
    return nn.Sequential(Unit(inputs, outputs), *(Unit(outputs, outputs) for _ in range(units - 1)))


CONSTRUCTORS: dict[str, Constructor] = {"ShuffleV1": ShuffleNetV1}
