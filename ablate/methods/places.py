"""Registries: name → "module:attribute", imported when first used.

Networks, data sets and methods are found here, programs by the place that their method declares.
Installed packages add theirs by entry points. A job's code digest starts from these places, so a
job knows its own network's file and not its neighbours'.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.torchvision_networks import TORCHVISION


@dataclass(frozen=True)
class Places:
    """A registry of one kind of thing: the names, and the place of each."""

    group: str  #: of entry points
    built_in: Mapping[str, str]  #: name -> "module:attribute"
    adapter: str = ""  #: "module:attribute" of ours that fits what a package brings to its use

    def declared(self) -> tuple[EntryPoint, ...]:
        """All that installed packages declare, whether or not its names are clear."""
        return _declared(self.group, tuple(sys.path))

    def installed(self) -> Mapping[str, EntryPoint]:
        """What installed packages add; a built-in name is not theirs to take, see `clashes`."""
        return {one.name: one for one in self.declared() if one.name not in self.built_in}

    def clashes(self, name: str) -> str:
        """Why a name is not clear: which packages bring it beside ours or each other; "" if it is.

        Packages that nobody names a thing of trouble nobody.
        """
        found = {package(one) for one in self.declared() if one.name == name}
        bringing = ", ".join(sorted(found))
        if found and name in self.built_in:
            return f'"{name}" is built in, and the installed package {bringing} brings it too'
        return f'"{name}" is brought by several installed packages: {bringing}' * (len(found) > 1)

    def knows(self, name: str) -> bool:
        """Whether the name is built in or brought by an installed package."""
        return name in self.built_in or name in self.installed()

    def place(self, name: str) -> str:
        """ "module:attribute" of a name; KeyError if there is none."""
        return self.built_in[name] if name in self.built_in else self.installed()[name].value

    def load(self, name: str) -> Any:
        """Import the object of this name; of a mapping, its entry of this name.

        Raises KeyError if there is none, `InputError` if a package's does not import.
        """
        if name in self.built_in:
            found = load_place(self.built_in[name])
            return found[name] if isinstance(found, Mapping) else found
        found = load_entry(self.installed()[name])
        return load_place(self.adapter)(found) if self.adapter else found


@cache
def _declared(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group; every look for them reads a file of each installed package."""
    return tuple(entry_points(group=group))


#: What to do about a name that is not clear.
UNCLEAR = "uninstall one of them, or have its maker rename its entry point"


def package(entry: EntryPoint) -> str:
    """Name of the installed package that declares an entry point."""
    return entry.dist.name if entry.dist else "of an unknown name"


def load_entry(entry: EntryPoint) -> Any:
    """Import what an installed package brings; `InputError` that names the package if it fails."""
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # whatever a package's code may raise
        message = f"{entry.value} does not import: {type(error).__name__}: {error}"
        right = f"reinstall or uninstall {package(entry)}"
        where = f"installed package {package(entry)}"
        raise InputError(Problem(where, entry.name, message, right)) from error


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
    "ablate.training.networks.installed:adapt",
)  # fmt: skip

#: By family: what stands before the first ":" of a data set's name. An installed package's entry
#: says where images lie, and is read by their family, see `installed_data`.
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
