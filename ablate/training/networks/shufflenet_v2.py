"""ShuffleNet V2 of size 1, as the field uses it on CIFAR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    conv,
    global_average,
    relu,
    shuffle_channels,
)


class Unit(nn.Module):
    """Half the channels pass, half are filtered, then both mix: (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv(half, half, 1)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = conv(half, half, 3, groups=half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv(half, half, 1)
        self.bn3 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        passed, out = x.chunk(2, dim=1)
        out = relu(self.bn1(self.conv1(out)))
        out = self.bn2(self.conv2(out))
        out = relu(self.bn3(self.conv3(out)))
        return shuffle_channels(torch.cat((passed, out), dim=1), 2)


class DownUnit(nn.Module):
    """Two branches with stride 2 make half the output each: (N, inputs, H, W) → (N, C, H/2, W/2).

    Convolutions 1 and 2 are the short branch, 3 to 5 the long one.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv(inputs, inputs, 3, stride=2, groups=inputs)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv2 = conv(inputs, half, 1)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv(inputs, half, 1)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv4 = conv(half, half, 3, stride=2, groups=half)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = conv(half, half, 1)
        self.bn5 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, C, H/2, W/2)."""
        short = self.bn1(self.conv1(x))
        short = relu(self.bn2(self.conv2(short)))
        long = relu(self.bn3(self.conv3(x)))
        long = self.bn4(self.conv4(long))
        long = relu(self.bn5(self.conv5(long)))
        return shuffle_channels(torch.cat((short, long), dim=1), 2)


class ShuffleNetV2(Network):
    """ShuffleNet V2 behind a 1×1 stem that keeps the resolution."""

    classifier_name = "linear"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, 24, 1)
        self.bn1 = nn.BatchNorm2d(24)
        self.layer1 = _stage(24, 116, 3)
        self.layer2 = _stage(116, 232, 7)
        self.layer3 = _stage(232, 464, 3)
        self.conv2 = conv(464, 1024, 1)
        self.bn2 = nn.BatchNorm2d(1024)
        self.linear = nn.Linear(1024, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 1024)."""
        out = relu(self.bn1(self.conv1(images)))
        out = self.layer3(self.layer2(self.layer1(out)))
        return global_average(relu(self.bn2(self.conv2(out))))


def _stage(inputs: int, channels: int, units: int) -> nn.Sequential:
    return nn.Sequential(DownUnit(inputs, channels), *(Unit(channels) for _ in range(units)))


CONSTRUCTORS: dict[str, Constructor] = {"ShuffleV2": ShuffleNetV2}
