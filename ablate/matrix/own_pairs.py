"""Pairs whose networks the user or a package brings: built once in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from ablate.errors import InputError
from ablate.matrix.code_digest import file_code, place_code
from ablate.matrix.pairs import Pair
from ablate.methods.catalog import NETWORKS, PACKAGE_NETWORKS, DataInfo
from ablate.methods.installed_networks import InstalledNetwork, measure_installed
from ablate.methods.own_networks import OwnNetwork, feature_width, probe_networks
from ablate.methods.places import NETWORK_PLACES
from ablate.methods.registry import is_file
from ablate.study.parse import Study
from ablate.study.settings import user_path


def with_own_networks(study: Study, pairs: Sequence[Pair], data: DataInfo | None) -> list[Pair]:
    """The pairs with what is known of networks of installed packages and of the study's own file.

    What is wrong with a package, the file or a network goes to the study's problems. A name that a
    package brings is not asked of the file.
    """
    names = {name for pair in pairs for name in _names(pair) if name not in NETWORKS}
    if not names or data is None or study.problems:
        return list(pairs)
    installed = NETWORK_PLACES.installed()
    codes = {name: place_code(installed[name]) for name in sorted(names & installed.keys())}
    known, problems = measure_installed(codes, data)
    for problem in problems:
        study.problem(problem.key, problem.message, problem.right)
    built = _of_file(study, names - codes.keys(), data)
    return [_described(pair, {**built, **known}) for pair in pairs]


def _described(pair: Pair, known: Mapping[str, str]) -> Pair:
    teacher, student = (known.get(name, name) for name in (pair.teacher, pair.student))
    return replace(pair, teacher=teacher, student=student)


def _of_file(study: Study, names: Set[str], data: DataInfo) -> dict[str, OwnNetwork]:
    """The networks that the study's own file builds."""
    if not study.file.networks or not names:
        return {}
    file, colon, function = study.file.networks.rpartition(":")
    path = (study.path.parent / user_path(file)).resolve()
    if not colon or not function.isidentifier() or not is_file(path):
        message = f"no file {path}" if colon else f'"{study.file.networks}" names no function'
        study.problem("networks", message, '"my_nets.py:build", relative to the study file')
        return {}
    try:
        code = file_code(path)
        return probe_networks(names, path=path, function=function, code=code, data=data)
    except SyntaxError as error:
        study.problem("networks", f"{path} is no Python: {error}")
    except InputError as error:
        for problem in error.problems:
            study.problem("networks", f"{problem.key}: {problem.message}", problem.right)
    return {}


def network_files(pairs: Sequence[Pair]) -> dict[str, Path]:
    """Digest of a file that builds networks -> the file."""
    networks = [name for pair in pairs for name in _names(pair)]
    own = [name for name in networks if isinstance(name, OwnNetwork)]
    return {one.code: one.path for one in own if not isinstance(one, InstalledNetwork)}


def network_notes(pairs: Sequence[Pair]) -> Iterator[str]:
    """Where networks come from that are not the package's own, and how wide their features are."""
    for name in dict.fromkeys(name for pair in pairs for name in _names(pair)):
        width = feature_width(name)
        if name not in PACKAGE_NETWORKS and width is not None:
            yield f"{name} is built by {_maker(name)}; its features are {width} wide"


def _maker(name: str) -> str:
    if isinstance(name, InstalledNetwork):
        return f"the installed package {name.path}"
    return f"{name.path.name}:{name.function}" if isinstance(name, OwnNetwork) else "torchvision"


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
