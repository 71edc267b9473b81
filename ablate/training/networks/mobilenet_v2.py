"""MobileNetV2 at half width, as the field uses it on CIFAR: ReLU where the original has ReLU6."""

from __future__ import annotations

from torch import Tensor, nn

from ablate.training.networks.network import (
    Constructor,
    Network,
    conv,
    global_average,
    init_classifier,
    init_convs,
)

_STEM = 16
_HEAD = 1280
_STAGES = (  # width, blocks, stride, expansion
    (8, 1, 1, 1),
    (12, 2, 1, 6),
    (16, 3, 2, 6),
    (32, 4, 2, 6),
    (48, 3, 1, 6),
    (80, 3, 2, 6),
    (160, 1, 1, 6),
)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow: (N, inputs, H, W) → (N, width, H/stride, W/stride).

    A block with expansion 1 keeps its first convolution, which the original leaves out.
    """

    def __init__(self, inputs: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * inputs
        self.conv = nn.Sequential(
            *_conv_bn_relu(inputs, hidden, 1),
            *_conv_bn_relu(hidden, hidden, 3, stride, groups=hidden),
            conv(hidden, width, 1),
            nn.BatchNorm2d(width),
        )
        self.residual = stride == 1 and inputs == width

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, width, H/stride, W/stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


class MobileNetV2(Network):
    """MobileNetV2, stem with stride 2; 32×32 images end as 2×2 maps."""

    classifier_name = "classifier.0"

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*_conv_bn_relu(in_channels, _STEM, 3, stride=2))
        self.blocks = nn.Sequential()
        inputs = _STEM
        for width, blocks, stride, expansion in _STAGES:
            first = InvertedResidual(inputs, width, stride, expansion)
            rest = (InvertedResidual(width, width, 1, expansion) for _ in range(blocks - 1))
            self.blocks.append(nn.Sequential(first, *rest))
            inputs = width
        self.conv2 = nn.Sequential(*_conv_bn_relu(inputs, _HEAD, 1))
        self.classifier = nn.Sequential(nn.Linear(_HEAD, num_classes))
        init_convs(self)
        init_classifier(self._classifier)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, 1280)."""
        return global_average(self.conv2(self.blocks(self.conv1(images))))


def _conv_bn_relu(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, ...]:
    return (
        conv(inputs, outputs, kernel, stride, groups),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


CONSTRUCTORS: dict[str, Constructor] = {"MobileNetV2": MobileNetV2}
