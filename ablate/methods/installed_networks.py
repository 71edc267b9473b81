"""Networks that installed packages bring, by entry points in the group "ablate.networks".

Like those of a user's file they are built once in a process of their own when a study is planned.
A job finds them by name, and their code is part of its own: they are no inputs of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo
from ablate.methods.own_networks import OwnNetwork, network_inputs, probe_networks
from ablate.methods.places import NETWORK_PLACES, package


class InstalledNetwork(OwnNetwork):
    """A network's name as a package brings it; `path` is the package's name, `function` a place."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return _made, (str(self), {name: getattr(self, name) for name in OwnNetwork.__slots__})


def _made(name: str, facts: Mapping[str, Any]) -> OwnNetwork:
    return InstalledNetwork.of(name, **facts)


def file_inputs(networks: Mapping[str, str]) -> dict[str, str]:
    """Inputs of a job for the networks that a user's file builds, see `network_inputs`."""
    files = {role: one for role, one in networks.items() if not isinstance(one, InstalledNetwork)}
    return network_inputs(files)


def measure_installed(
    codes: Mapping[str, str], data: DataInfo
) -> tuple[dict[str, OwnNetwork], list[Problem]]:
    """Build packages' networks for the data's images: name -> what is known of it, and problems.

    `codes`: name -> digest of the code that builds it.
    """
    found, problems = {}, []
    for name, code in codes.items():
        entry = NETWORK_PLACES.installed()[name]
        maker = Path(package(entry))
        try:
            known = probe_networks([name], path=maker, function=entry.value, code=code, data=data)[
                name
            ]
        except InputError as error:
            message = f'"{name}" of the installed package {maker}: {error.problems[0].message}'
            right = f"reinstall {maker}; {entry.value} takes num_classes and gives an nn.Module"
            problems.append(Problem("", "pairs", message, right))
            continue
        found[name] = InstalledNetwork.of(
            name, path=maker, function=entry.value, code=code, width=known.width
        )
    return found, problems
