"""BatchNorm statistics that do not depend on which passes a variant runs.

A variant that skips a pass of the student leaves it with running statistics of half as many
batches, which alone moves its accuracy by about as much as some ablations do. So every evaluation
is also made with statistics that are estimated anew, alike for every variant.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ablate.training.networks import Network
from ablate.training.precision import Precision


@torch.no_grad()
def reestimated(network: Network, batches: Iterable[Tensor], precision: Precision) -> Network:
    """Copy a network, its running statistics the mean over batches of images (n, C, H, W).

    The network itself is not touched. Means and variances of the batches are averaged alike,
    whatever momentum the layers have.
    """
    network = copy.deepcopy(network).train()
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
    for number, images in enumerate(batches, start=1):
        for layer in layers:
            layer.momentum = 1 / number
        with precision.autocast():
            network(images)
    return network
