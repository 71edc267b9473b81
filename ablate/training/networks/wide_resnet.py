"""Wide ResNets: three stages of pre-activation blocks, `widen` times as wide as a ResNet's."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    conv,
    global_average,
    init_convs,
    relu,
)


class PreActivationBlock(nn.Module):
    """BN, ReLU and 3×3 convolution, twice: (N, inputs, H, W) → (N, width, H/stride, W/stride).

    Where the width changes, the shortcut is a bare 1×1 convolution of the activated input;
    elsewhere it is the input itself, not activated.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3)
        self.convShortcut = conv(inputs, width, 1, stride) if inputs != width else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, width, H/stride, W/stride)."""
        active = relu(self.bn1(x))
        shortcut: Tensor = x if self.convShortcut is None else self.convShortcut(active)
        out: Tensor = self.conv2(relu(self.bn2(self.conv1(active))))
        return out + shortcut


class WideResNet(Network):
    """Wide ResNet of depth 6n+4 with n blocks a stage."""

    classifier_name = "fc"

    def __init__(self, num_classes: int, in_channels: int, *, depth: int, widen: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = conv(in_channels, 16, 3)
        self.block1 = _stage(16, 16 * widen, blocks, stride=1)
        self.block2 = _stage(16 * widen, 32 * widen, blocks, stride=2)
        self.block3 = _stage(32 * widen, 64 * widen, blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(64 * widen)
        self.fc = nn.Linear(64 * widen, num_classes)
        init_convs(self)
        nn.init.zeros_(self.fc.bias)  # as RepDistiller's wide ResNets start

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 64·widen)."""
        out = self.block3(self.block2(self.block1(self.conv1(images))))
        return global_average(relu(self.bn1(out)))


def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = PreActivationBlock(inputs, width, stride)
    layer = nn.Sequential(first, *(PreActivationBlock(width, width, 1) for _ in range(blocks - 1)))
    return nn.Sequential(OrderedDict(layer=layer))  # checkpoints say block1.layer.0, not block1.0


CONSTRUCTORS: dict[str, Constructor] = {
    f"wrn_{depth}_{widen}": partial(WideResNet, depth=depth, widen=widen)
    for depth in (16, 40)
    for widen in (1, 2)
}
