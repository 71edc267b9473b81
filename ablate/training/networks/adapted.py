"""Any classification network as one with features and a classifier.

The features are what the last linear layer sees, so a network needs to know nothing of
distillation. It keeps its own keys: checkpoints of torchvision's networks fit.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from ablate.errors import InputError, Problem
from ablate.methods.torchvision_networks import TORCHVISION
from ablate.training.networks.network import Constructor, Network

_IMAGES = 2  #: of the pass that checks a network


class Adapted(Network):
    """Another module's layers under their own names: images (N, C, H, W) → features → logits.

    Grey images are shown to a network of three channels as three equal ones.
    """

    def __init__(self, inner: nn.Module, expand: bool = False) -> None:
        super().__init__()
        linear = [name for name, layer in inner.named_modules() if isinstance(layer, nn.Linear)]
        if not linear:
            raise ValueError("has no linear layer, so no features in front of a classifier")
        self.classifier_name = getattr(inner, "classifier_name", linear[-1])  # type: ignore[misc]
        # The same dictionaries, not copies: what moves, freezes or copies one does so to both. The
        # module itself is no child, or its keys would start with a prefix.
        self._modules, self._parameters = inner._modules, inner._parameters
        self._buffers, self.__dict__["inner"] = inner._buffers, inner
        self._non_persistent_buffers_set = inner._non_persistent_buffers_set
        self._expand = expand

    def train(self, mode: bool = True) -> Self:
        """Switch the module too, which may ask for its own mode."""
        self.__dict__["inner"].training = mode
        return super().train(mode)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → logits (N, num_classes)."""
        logits: Tensor = self.__dict__["inner"](
            images.expand(-1, 3, -1, -1) if self._expand else images
        )
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) → (N, feature_dim): what the classifier is shown."""
        shown: list[Tensor] = []
        hook = self._classifier.register_forward_pre_hook(lambda _, seen: shown.append(seen[0]))
        try:
            self(images)
        finally:
            hook.remove()
        return shown[-1]


def _torchvision(num_classes: int, in_channels: int, *, name: str) -> Network:
    """One of torchvision's classification networks, with random weights."""
    # Slow to import, and only these networks need it.
    from torchvision.models import get_model

    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):  # whose second classifier would be a second output
        options = {"aux_logits": False, "init_weights": True}
    return Adapted(get_model(name, num_classes=num_classes, **options), expand=in_channels == 1)


CONSTRUCTORS: dict[str, Constructor] = {
    name: partial(_torchvision, name=name) for name in TORCHVISION
}


def own_network(
    path: Path, function: str, name: str, num_classes: int, in_channels: int
) -> Network:
    """Build a network by a function of the user's file: `function(name, num_classes)`.

    It may take the number of channels as a third argument. Raises ValueError with what is wrong.
    """
    from ablate.methods.registry import import_file  # which imports every method

    build: Callable[..., object] | None = getattr(import_file(path), function, None)
    if not callable(build):
        raise ValueError(f"{path.name} has no function {function}")
    takes_channels = len(inspect.signature(build).parameters) > 2
    module = build(name, num_classes, *([in_channels] if takes_channels else []))
    if isinstance(module, Network):
        return module
    if not isinstance(module, nn.Module):
        raise ValueError(f"{function} gives {type(module).__name__}, no nn.Module")
    return Adapted(module, expand=in_channels == 1 and not takes_channels)


@torch.no_grad()
def check(network: Network, name: str, channels: int, size: int) -> None:
    """See that a network takes such images, and that its logits follow from its features.

    Raises `InputError` with what is wrong. Leaves the network as it was.
    """
    training = network.training
    network.eval()
    images = torch.linspace(-1, 1, _IMAGES * channels * size**2)
    images = images.view(_IMAGES, channels, size, size)
    try:
        with warnings.catch_warnings(action="ignore"):
            problem = _mismatch(network, network.features(images), network(images))
    except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
        problem = f"can't take {size}×{size} images: {' '.join(str(error).split())[:300]}"
    network.train(training)
    if problem:
        right = "a network whose last layer is linear, and images of a size that it takes"
        raise InputError(Problem("networks", name, problem, right))


def _mismatch(network: Network, features: object, logits: object) -> str:
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        return f"gives {shape} in place of logits (images, classes)"
    if not isinstance(features, Tensor) or features.ndim != 2:
        return "has a last linear layer that sees more than one vector for each image"
    if not torch.equal(network.classify(features), logits):
        return "does something after its last linear layer, so its logits are not the classifier's"
    return ""
