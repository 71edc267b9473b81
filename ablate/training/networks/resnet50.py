"""The CIFAR ResNet50: bottleneck blocks behind a stem that keeps the resolution."""

from __future__ import annotations

from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    conv,
    global_average,
    init_convs,
    relu,
)

_EXPANSION = 4


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolution: (N, inputs, H, W) → (N, 4·width, H/stride, W/stride)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.conv1 = conv(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv(width, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut.extend((conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 4·width, H/stride, W/stride)."""
        out = relu(self.bn1(self.conv1(x)))
        out = relu(self.bn2(self.conv2(out)))
        return relu(self.bn3(self.conv3(out)) + self.shortcut(x))


class ResNet50(Network):
    """ResNet50 with a 3×3 stride-1 stem and no max-pool."""

    classifier_name = "linear"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, 64, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, 3, stride=1)
        self.layer2 = _stage(256, 128, 4, stride=2)
        self.layer3 = _stage(512, 256, 6, stride=2)
        self.layer4 = _stage(1024, 512, 3, stride=2)
        self.linear = nn.Linear(2048, num_classes)
        init_convs(self)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 2048)."""
        out = relu(self.bn1(self.conv1(images)))
        return global_average(self.layer4(self.layer3(self.layer2(self.layer1(out)))))


def _stage(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride)
    rest = (Bottleneck(_EXPANSION * width, width, 1) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


CONSTRUCTORS: dict[str, Constructor] = {"ResNet50": ResNet50}
