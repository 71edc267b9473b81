"""Networks of installed packages, by entry points in the group "ablate.networks"."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from ablate.training.networks.adapted import Adapted
from ablate.training.networks.network import Constructor, Network


def adapt(build: Callable[..., object]) -> Constructor:
    """Fit a package's function or class, `build(num_classes=…)`, to how networks are built here.

    It is given `in_channels`, too, if it has a parameter of that name; otherwise grey images are
    shown to it as three equal channels. The constructor raises ValueError with what is wrong.
    """

    def construct(num_classes: int, in_channels: int) -> Network:
        if not callable(build):
            raise ValueError(f"is {type(build).__name__}, no function or class that builds")
        takes_channels = "in_channels" in inspect.signature(build).parameters
        channels = {"in_channels": in_channels} if takes_channels else {}
        module = build(num_classes=num_classes, **channels)
        if isinstance(module, Network):
            return module
        if not isinstance(module, nn.Module):
            raise ValueError(f"gives {type(module).__name__}, no nn.Module")
        return Adapted(module, expand=in_channels == 1 and not takes_channels)

    return construct
