"""Pairs whose networks the user brings: built once in a process of its own, and described."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ablate.errors import InputError
from ablate.matrix.code_digest import file_code
from ablate.matrix.pairs import Pair
from ablate.methods.catalog import NETWORKS, PACKAGE_NETWORKS, DataInfo
from ablate.methods.own_networks import OwnNetwork, feature_width, probe_networks
from ablate.methods.registry import is_file
from ablate.study.parse import Study
from ablate.study.settings import user_path


def with_own_networks(study: Study, pairs: Sequence[Pair], data: DataInfo | None) -> list[Pair]:
    """The pairs with what is known of the networks that the study's own file builds.

    What is wrong with the file or with a network goes to the study's problems.
    """
    names = {name for pair in pairs for name in _names(pair) if name not in NETWORKS}
    if not study.file.networks or not names or data is None or study.problems:
        return list(pairs)
    file, colon, function = study.file.networks.rpartition(":")
    path = (study.path.parent / user_path(file)).resolve()
    if not colon or not function.isidentifier() or not is_file(path):
        message = f"no file {path}" if colon else f'"{study.file.networks}" names no function'
        study.problem("networks", message, '"my_nets.py:build", relative to the study file')
        return list(pairs)
    try:
        code = file_code(path)
        own = probe_networks(names, path=path, function=function, code=code, data=data)
    except SyntaxError as error:
        study.problem("networks", f"{path} is no Python: {error}")
        return list(pairs)
    except InputError as error:
        for problem in error.problems:
            study.problem("networks", f"{problem.key}: {problem.message}", problem.right)
        return list(pairs)
    return [
        replace(
            pair,
            teacher=own.get(pair.teacher, pair.teacher),
            student=own.get(pair.student, pair.student),
        )
        for pair in pairs
    ]


def network_files(pairs: Sequence[Pair]) -> dict[str, Path]:
    """Digest of a file that builds networks -> the file."""
    networks = [name for pair in pairs for name in _names(pair)]
    return {name.code: name.path for name in networks if isinstance(name, OwnNetwork)}


def network_notes(pairs: Sequence[Pair]) -> Iterator[str]:
    """Where networks come from that are not the package's own, and how wide their features are."""
    for name in dict.fromkeys(name for pair in pairs for name in _names(pair)):
        width = feature_width(name)
        if name not in PACKAGE_NETWORKS and width is not None:
            own = f"{name.path.name}:{name.function}" if isinstance(name, OwnNetwork) else ""
            yield f"{name} is built by {own or 'torchvision'}; its features are {width} wide"


def weight_notes(pairs: Sequence[Pair]) -> Iterator[str]:
    """Which teachers are given, and which are trained although there is a folder of weights."""
    for pair in pairs:
        if pair.checkpoint:
            file = pair.checkpoint[1].name
            yield f"teacher {pair.teacher} is given as {file}: tested here, not trained"
        elif pair.without_weights:
            yield pair.without_weights


def _names(pair: Pair) -> list[str]:
    return [name for name in (pair.teacher, pair.student) if name]
