"""Registries: name → "module:attribute", imported when first used.

Networks, data sets and methods are found here, programs by the place that their method declares.
Installed packages add theirs by entry points. A job's code digest starts from these places, so a
job knows its own network's file and not its neighbours'.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ablate.methods.torchvision_networks import TORCHVISION


@dataclass(frozen=True)
class Places:
    """A registry of one kind of thing: the names, and the place of each."""

    group: str  #: of entry points
    built_in: Mapping[str, str]  #: name -> "module:attribute"

    def installed(self) -> Mapping[str, EntryPoint]:
        """What installed packages add; a built-in name is not theirs to take."""
        found = entry_points(group=self.group)
        return {one.name: one for one in found if one.name not in self.built_in}

    def place(self, name: str) -> str:
        """ "module:attribute" of a name; KeyError if there is none."""
        return self.built_in[name] if name in self.built_in else self.installed()[name].value

    def load(self, name: str) -> Any:
        """Import the object of this name; of a mapping, its entry of this name."""
        found = load_place(self.place(name))
        return found[name] if isinstance(found, Mapping) else found


def load_place(place: str) -> Any:
    """Import "module:attribute"."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _networks(family: str, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, f"ablate.training.networks.{family}:CONSTRUCTORS")


NETWORK_PLACES = Places(
    "ablate.networks",
    {
        **dict.fromkeys(TORCHVISION, "ablate.training.networks.adapted:CONSTRUCTORS"),
        **_networks("resnet", "resnet8", "resnet14", "resnet20", "resnet32", "resnet44",
                    "resnet56", "resnet110", "resnet8x4", "resnet32x4"),
        **_networks("resnet50", "ResNet50"),
        **_networks("wide_resnet", "wrn_16_1", "wrn_16_2", "wrn_40_1", "wrn_40_2"),
        **_networks("vgg", "vgg8", "vgg11", "vgg13", "vgg16", "vgg19"),
        **_networks("mobilenet_v2", "MobileNetV2"),
        **_networks("shufflenet_v1", "ShuffleV1"),
        **_networks("shufflenet_v2", "ShuffleV2"),
        **_networks("imagenet", "resnet18_imagenet", "resnet34_imagenet", "resnet50_imagenet",
                    "resnet101_imagenet"),
    },
)  # fmt: skip

#: By family: what stands before the first ":" of a data set's name.
DATA_PLACES = Places(
    "ablate.data",
    {
        "digits": "ablate.training.data.digits:load",
        "mnist": "ablate.training.data.mnist:load",
        "fashion-mnist": "ablate.training.data.mnist:load",
        "kmnist": "ablate.training.data.mnist:load",
        "cifar10": "ablate.training.data.cifar:load",
        "cifar100": "ablate.training.data.cifar:load",
        "npz": "ablate.training.data.arrays_reader:load",
        "folder": "ablate.training.data.folder:load",
    },
)

METHOD_PLACES = Places(
    "ablate.methods",
    {
        "cocord": "ablate.methods.cocord:COCORD",
        "cocord+kd": "ablate.methods.cocord:COCORD_KD",
        "teacher": "ablate.methods.teachers:TEACHER",
        "student": "ablate.methods.references:STUDENT",
        "kd": "ablate.methods.references:KD",
        "crd": "ablate.methods.references:CRD",
        "crd+kd": "ablate.methods.references:CRD_KD",
    },
)
