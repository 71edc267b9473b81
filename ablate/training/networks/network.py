"""What every network here has in common, and the few pieces that they are built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn


class Network(nn.Module, ABC):
    """Images (N, C, H, W) → features (N, feature_dim) → logits (N, num_classes).

    Distillation needs features and logits of one pass, hence the two halves of `forward`.
    Layers carry the names that the field's checkpoints use, in the same order.
    """

    #: The final linear layer's name, on which the checkpoints of different families disagree.
    classifier_name: ClassVar[str]

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return what the classifier sees: images (N, C, H, W) → (N, feature_dim)."""

    def classify(self, features: Tensor) -> Tensor:
        """Features (N, feature_dim) → logits (N, num_classes)."""
        logits: Tensor = self._classifier(features)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → logits (N, num_classes)."""
        return self.classify(self.features(images))

    @property
    def feature_dim(self) -> int:
        """Width of the features."""
        return self._classifier.in_features

    @property
    def _classifier(self) -> nn.Linear:
        layer = self.get_submodule(self.classifier_name)
        assert isinstance(layer, nn.Linear)
        return layer


#: Builds a network from the number of classes and of input channels.
Constructor = Callable[[int, int], Network]


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Padded convolution: (N, inputs, H, W) → (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉).

    No bias, since the BatchNorm that follows would subtract it again.
    """
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def global_average(maps: Tensor) -> Tensor:
    """Pool maps of any size: (N, C, H, W) → (N, C).

    A plain mean, whose gradient on CUDA is deterministic, as adaptive pooling's need not be.
    """
    return maps.mean((2, 3))


def relu(maps: Tensor) -> Tensor:
    """ReLU in place: nothing needs the maps before it, and a copy would slow a step by a tenth."""
    return torch.relu_(maps)


def shuffle_channels(maps: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` equal groups: (N, C, H, W) → (N, C, H, W)."""
    n, channels, *size = maps.shape
    return maps.reshape(n, groups, channels // groups, *size).transpose(1, 2).flatten(1, 2)


def init_convs(network: nn.Module) -> None:
    """Draw all convolution weights from the normal distribution of He et al. over fan-out.

    Biases start at 0, where there are any; BatchNorm already starts at weight 1 and bias 0.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def init_classifier(layer: nn.Linear) -> None:
    """Draw a classifier's weights from N(0, 0.01) and set its bias to 0.

    RepDistiller starts its VGGs and its MobileNetV2 so; its ResNets and ShuffleNets keep what
    torch draws, and its wide ResNets all but the bias.
    """
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
