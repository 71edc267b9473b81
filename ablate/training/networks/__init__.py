"""The networks that students and teachers can be, by the names that the field gives them.

Twenty-two for CIFAR-sized images, whose state dicts match the checkpoints that people already
have, and torchvision's ResNets for ImageNet-style folders. All take images from 8×8 up.
"""

from __future__ import annotations

from ablate.errors import InputError, Problem, did_you_mean
from ablate.training.networks import (
    imagenet,
    mobilenet_v2,
    resnet,
    resnet50,
    shufflenet_v1,
    shufflenet_v2,
    vgg,
    wide_resnet,
)
from ablate.training.networks.network import Constructor, Network

__all__ = ["Network", "build", "names"]

_CONSTRUCTORS: dict[str, Constructor] = {
    **resnet.CONSTRUCTORS,
    **resnet50.CONSTRUCTORS,
    **wide_resnet.CONSTRUCTORS,
    **vgg.CONSTRUCTORS,
    **mobilenet_v2.CONSTRUCTORS,
    **shufflenet_v1.CONSTRUCTORS,
    **shufflenet_v2.CONSTRUCTORS,
    **imagenet.CONSTRUCTORS,
}


def names() -> tuple[str, ...]:
    """Return the names of all networks, family by family."""
    return tuple(_CONSTRUCTORS)


def build(name: str, num_classes: int, in_channels: int = 3) -> Network:
    """Build the named network with weights drawn from torch's default generator.

    The caller seeds that generator. An unknown name raises `InputError`.
    """
    if name not in _CONSTRUCTORS:
        right = did_you_mean(name, names())
        raise InputError(Problem("networks", name, "no such network", right))
    return _CONSTRUCTORS[name](num_classes, in_channels)
