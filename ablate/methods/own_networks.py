"""Networks that a file of the user's builds: `networks = "my_nets.py:build"` in a study.

The file is run in a process of its own, once for each state that it is in: planning a study loads
no torch and runs no code of the user's in this process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.catalog import NETWORKS, DataInfo
from ablate.methods.file_digests import cache_folder

_PROBE = "ablate.training.networks.probe"  #: the program of that process, named and never imported


class OwnNetwork(str):
    """A network's name as its file knows it, with what is known of it before it is built."""

    __slots__ = ("code", "function", "path", "width")

    path: Path  #: of the file
    function: str  #: of the file, which builds it
    code: str  #: digest of the file's code
    width: int  #: of its features

    @classmethod
    def of(cls, name: str, *, path: Path, function: str, code: str, width: int) -> OwnNetwork:
        """A name with its facts."""
        network = cls(name)
        network.path, network.function = path, function
        network.code, network.width = code, width
        return network

    def __reduce__(self) -> Any:
        facts = {name: getattr(self, name) for name in self.__slots__}
        return _made, (str(self), facts)


def _made(name: str, facts: Mapping[str, Any]) -> OwnNetwork:
    return OwnNetwork.of(name, **facts)


def network_input(inputs: Mapping[str, str], role: str) -> str:
    """The input that holds the file of a role's network; "" where the network is not the user's."""
    return next((name for name in inputs if name.startswith(f"{role}:")), "")


def feature_width(name: str) -> int | None:
    """Width of a network's features before its classifier; None where nothing is known of it."""
    return name.width if isinstance(name, OwnNetwork) else NETWORKS.get(name)


def network_inputs(networks: Mapping[str, str]) -> dict[str, str]:
    """Inputs of a job, "role:function" -> digest of the file, for the user's own networks."""
    return {
        f"{role}:{name.function}": name.code
        for role, name in networks.items()
        if isinstance(name, OwnNetwork)
    }


def probe_networks(
    names: Iterable[str], *, path: Path, function: str, code: str, data: DataInfo
) -> dict[str, OwnNetwork]:
    """Build the networks of a user's file once, for the data's images, and see how wide they are.

    Raises `InputError` with what is wrong with each; what was found sound is remembered.
    """
    shape = {"classes": data.classes, "channels": data.channels, "size": data.size}
    order = {"path": str(path), "function": function, "names": sorted(set(names)), **shape}
    key = hashlib.sha256(json.dumps([order, code, sys.version]).encode()).hexdigest()
    memory = cache_folder() / "networks" / f"{key[:32]}.json"
    found = _remembered(memory) or _probe(order)
    problems = [
        Problem(path.name, name, fact["error"], f"{function}(name, num_classes) → nn.Module")
        for name, fact in found.items()
        if "error" in fact
    ]
    if problems:
        raise InputError(problems)
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(found))
    return {
        name: OwnNetwork.of(name, path=path, function=function, code=code, width=fact["width"])
        for name, fact in found.items()
    }


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(memory.read_text())
        return {name: {"width": int(fact["width"])} for name, fact in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _probe(order: Mapping[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", _PROBE]
    text = json.dumps(order)
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        words = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        message = f"its networks can't be built: {words}"
        raise InputError(Problem(str(order["path"]), str(order["function"]), message)) from None
    return found
