"""CIFAR ResNets: three stages of post-activation basic blocks."""

from __future__ import annotations

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


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut: (N, inputs, H, W) → (N, width, H/stride, W/stride)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(conv(inputs, width, 1, stride), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, width, H/stride, W/stride)."""
        out = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNet(Network):
    """ResNet of depth 6n+2 with n blocks a stage; `widths` are those of stem and stages."""

    classifier_name = "fc"

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        depth: int,
        widths: tuple[int, int, int, int] = (16, 16, 32, 64),
    ) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        stem, first, second, third = widths
        self.conv1 = conv(in_channels, stem, 3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = _stage(stem, first, blocks, stride=1)
        self.layer2 = _stage(first, second, blocks, stride=2)
        self.layer3 = _stage(second, third, blocks, stride=2)
        self.fc = nn.Linear(third, num_classes)
        init_convs(self)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 64), or (N, 256) for the ×4 networks."""
        out = relu(self.bn1(self.conv1(images)))
        return global_average(self.layer3(self.layer2(self.layer1(out))))


def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = BasicBlock(inputs, width, stride)
    return nn.Sequential(first, *(BasicBlock(width, width, 1) for _ in range(blocks - 1)))


_TIMES_4 = (32, 64, 128, 256)

CONSTRUCTORS: dict[str, Constructor] = {
    **{f"resnet{depth}": partial(ResNet, depth=depth) for depth in (8, 14, 20, 32, 44, 56, 110)},
    **{f"resnet{depth}x4": partial(ResNet, depth=depth, widths=_TIMES_4) for depth in (8, 32)},
}
