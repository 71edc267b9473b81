"""The networks that students and teachers can be, by the names that the field gives them.

Twenty-two for CIFAR-sized images, whose state dicts match the checkpoints that people already
have, and torchvision's ResNets for ImageNet-style folders. All take images from 8×8 up.
"""

from __future__ import annotations

from ablate.errors import InputError, Problem, did_you_mean
from ablate.methods.places import NETWORK_PLACES
from ablate.training.networks.network import Constructor, Network

__all__ = ["Network", "build", "names"]


def names() -> tuple[str, ...]:
    """Return the names of all networks, family by family."""
    return tuple(NETWORK_PLACES.built_in)


def build(name: str, num_classes: int, in_channels: int = 3) -> Network:
    """Build the named network with weights drawn from torch's default generator.

    The caller seeds that generator. An unknown name raises `InputError`.
    """
    try:
        constructor: Constructor = NETWORK_PLACES.load(name)
    except KeyError:
        right = did_you_mean(name, names())
        raise InputError(Problem("networks", name, "no such network", right)) from None
    return constructor(num_classes, in_channels)
