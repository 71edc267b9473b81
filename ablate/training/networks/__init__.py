"""The networks that students and teachers can be, by the names that the field gives them.

Twenty-two for CIFAR-sized images, whose state dicts match the checkpoints that people already
have, and torchvision's ResNets for ImageNet-style folders; these take images from 8×8 up. Then all
of torchvision's classification networks, and those that a file of the user's builds.
"""

from __future__ import annotations

from ablate.errors import InputError, Problem, did_you_mean
from ablate.methods.catalog import PACKAGE_NETWORKS
from ablate.methods.places import NETWORK_PLACES
from ablate.training.networks.network import Constructor, Network

__all__ = ["Network", "build", "names"]


def names() -> tuple[str, ...]:
    """Return the names of the package's own networks, family by family."""
    return tuple(PACKAGE_NETWORKS)


def build(name: str, num_classes: int, in_channels: int = 3) -> Network:
    """Build the named network with weights drawn from torch's default generator.

    The caller seeds that generator. An unknown name raises `InputError`.
    """
    try:
        constructor: Constructor = NETWORK_PLACES.load(name)
    except KeyError:
        right = did_you_mean(name, names(), {other: other for other in NETWORK_PLACES.built_in})
        raise InputError(Problem("networks", name, "no such network", right)) from None
    return constructor(num_classes, in_channels)
