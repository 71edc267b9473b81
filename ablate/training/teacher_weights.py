"""Weights out of the checkpoints that people have, without ever running code that a file holds."""

from __future__ import annotations

import pickle
import shlex
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from ablate.errors import InputError, Problem
from ablate.training.networks import Network

#: More than this many problems of one file tell a reader nothing new.
_MOST_PROBLEMS = 20

#: What wrappers and training scripts put before the names of a network's layers; any of them may
#: follow any other, as in "module._orig_mod.".
_PREFIXES = ("module", "_orig_mod", "model", "student", "teacher", "backbone", "net", "network")

_EXPECTED = "a state dict, or a dict with one among its entries, as torch.save wrote it"

#: One line that takes the weights out of a file that needs the code of its maker.
_WAY_OUT = """python -c 'import sys, torch
c = torch.load(sys.argv[1], weights_only=False)
c = c.get("model", c.get("state_dict", c)) if isinstance(c, dict) else c
torch.save(c.state_dict() if hasattr(c, "state_dict") else c, sys.argv[2])'""".replace("\n", "; ")


class _StandIn:
    """Takes the place of an object beside the weights: it holds nothing and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


#: Objects that field's checkpoints hold beside tensors and plain types, such as the options of the
#: script that wrote them and an accuracy that is a NumPy number. None of them is ever made: in each
#: place stands a `_StandIn`.
_HARMLESS = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")),
    *(f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")),
    *(f"pathlib.{kind}" for kind in ("PosixPath", "WindowsPath", "PurePosixPath")),
    *(f"pathlib._local.{kind}" for kind in ("PosixPath", "WindowsPath", "PurePosixPath")),
    "torch.torch_version.TorchVersion",
)


@dataclass(frozen=True)
class _Candidate:
    """Tensors of a checkpoint that may be a network's weights."""

    entry: str  #: of the checkpoint, "" for the checkpoint itself
    prefix: str  #: that was taken away from the keys
    tensors: Mapping[str, Tensor]  #: key as the network may have it -> tensor
    others: tuple[str, ...]  #: keys beside it, without the prefix

    def notes(self) -> Iterator[str]:
        """What was decided to get at these tensors."""
        if self.entry:
            yield f'weights from the entry "{self.entry}"'
        if self.prefix:
            yield f'without the prefix "{self.prefix}"'
        if self.others:
            shown = ", ".join(self.others[:3]) + (", …" if len(self.others) > 3 else "")
            yield f"{len(self.others)} other tensors left out: {shown}"

    def __str__(self) -> str:
        place = f'the entry "{self.entry}"' if self.entry else "the file itself"
        return f'{place} under "{self.prefix}"' if self.prefix else place


def load_weights(path: Path, network: Network, name: str) -> str:
    """Load a checkpoint's weights into `network`, which messages call `name`.

    The weights may be the file itself or any entry of it, under any chain of the common prefixes;
    both spellings of MobileNetV2's classifier are understood. Returns what was decided to find
    them, "" if nothing was. Raises `InputError` where nothing fits, with every key that does not,
    where more than one thing fits, and where the file holds more than weights.
    """
    expected = network.state_dict()
    candidates = [
        candidate
        for entry, tensors in _state_dicts(path)
        for candidate in _without_prefixes(entry, tensors, expected)
    ]
    fitting = [c for c in candidates if not any(_misfits(path, name, expected, c.tensors))]
    if len(fitting) > 1:
        places = " and ".join(map(str, fitting))
        raise InputError(Problem(str(path), "", f"{places} both fit {name}", _one_entry(fitting)))
    chosen = fitting[0] if fitting else max(candidates, key=lambda c: _matches(expected, c.tensors))
    problems = list(islice(_misfits(path, name, expected, chosen.tensors), _MOST_PROBLEMS + 1))
    if len(problems) > _MOST_PROBLEMS:
        count = sum(1 for _ in _misfits(path, name, expected, chosen.tensors))
        more = f"… and {count - _MOST_PROBLEMS} more keys do not fit {name}"
        problems[_MOST_PROBLEMS:] = [Problem(str(path), "", more)]
    problems += _not_finite(path, expected, chosen.tensors)
    if problems:
        raise InputError(problems)
    network.load_state_dict(dict(chosen.tensors))
    return "; ".join(chosen.notes())


def _one_entry(fitting: list[_Candidate]) -> str:
    entry = f'["{fitting[0].entry}"]' if fitting[0].entry else ""
    return f"save the one that you mean alone: torch.save(torch.load(FILE){entry}, NEW_FILE)"


def _state_dicts(path: Path) -> list[tuple[str, Mapping[str, Tensor]]]:
    """(entry, tensors) of whatever in a checkpoint may be a state dict."""
    content = _read(path)
    entries: dict[object, object] = {"": content}
    if isinstance(content, Mapping):
        entries |= content
    found = [(str(entry), value) for entry, value in entries.items() if _is_state_dict(value)]
    if not found:
        held = ", ".join(str(key) for key in islice(entries, 1, 9)) or type(content).__name__
        raise InputError(Problem(str(path), "", f"holds no weights, but {held}", _EXPECTED))
    return found


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def _without_prefixes(
    entry: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> Iterator[_Candidate]:
    """The tensors as they are, and those under each chain of prefixes that occurs."""
    chains = {chain: None for key in tensors for chain in _chains(key)}
    for chain in chains:
        kept = {
            _respell(key.removeprefix(chain), expected): tensor
            for key, tensor in tensors.items()
            if key.startswith(chain)
        }
        for key in expected:
            if key.endswith("num_batches_tracked"):
                kept.setdefault(key, expected[key])  # older than torch 0.4.1
        others = tuple(key for key in tensors if not key.startswith(chain))
        yield _Candidate(entry, chain, kept, others)


def _chains(key: str) -> Iterator[str]:
    """Prefixes of a key: "module.net.fc.bias" gives "", "module." and "module.net."."""
    chain = ""
    yield chain
    for word in key.split(".")[:-1]:
        if word not in _PREFIXES:
            return
        chain += f"{word}."
        yield chain


def _respell(key: str, expected: Mapping[str, Tensor]) -> str:
    """Key of a checkpoint → the key that the network has for it, if it has one."""
    for one, other in (("classifier.", "classifier.0."), ("classifier.0.", "classifier.")):
        if key not in expected and key.startswith(one):
            respelled = other + key.removeprefix(one)
            if respelled in expected:
                return respelled
    return key


def _matches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> int:
    return sum(1 for key in expected if key in found and found[key].shape == expected[key].shape)


def _misfits(
    path: Path, name: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> Iterator[Problem]:
    for key, tensor in expected.items():
        shape = tuple(tensor.shape)
        if key not in found:
            yield Problem(str(path), key, f"is missing, but {name} needs it", f"shape {shape}")
        elif found[key].shape != tensor.shape:
            message = f"has shape {tuple(found[key].shape)}"
            yield Problem(str(path), key, message, f"{name} needs {shape}")
    for key in found:
        if key not in expected:
            yield Problem(str(path), key, f"is not in {name}")


def _not_finite(
    path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> Iterator[Problem]:
    for key, tensor in expected.items():
        fits = key in found and found[key].shape == tensor.shape
        bad = int((~found[key].isfinite()).sum()) if fits else 0
        if bad:
            message = f"has {bad} of {tensor.numel()} values that are NaN or infinite"
            yield Problem(str(path), key, message, "weights of a training that did not diverge")


def _read(path: Path) -> object:
    stand_ins: list[Any] = [(_StandIn, name) for name in _HARMLESS]
    try:
        _check_size(path)
        with torch.serialization.safe_globals(stand_ins):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from error
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        raise InputError(_unreadable(path, error)) from error
    return content


def _check_size(path: Path) -> None:
    """Refuse an archive that would unpack to more than it is: torch.save compresses nothing."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        message = "is a compressed archive, which torch.save never writes"
    elif sum(entry.file_size for entry in entries) > path.stat().st_size:
        message = "is an archive whose entries are larger than the file"
    else:
        return
    raise InputError(Problem(str(path), "", message, "the file that torch.save wrote"))


def _unreadable(path: Path, error: Exception) -> Problem:
    unknown = _unknown_global(error)
    if unknown:
        message = f"holds more than weights ({unknown}), and reading that could run code"
        line = f"{_WAY_OUT} {shlex.quote(str(path))} weights.pth"
        right = f"if you trust its maker, take out the weights, which runs its code: {line}"
        return Problem(str(path), "", message, right)
    if _is_pointer(path):
        message = "is no readable checkpoint, but a Git LFS pointer to one"
        return Problem(str(path), "", message, "`git lfs pull` brings the file itself")
    return Problem(str(path), "", "is no readable checkpoint", f"the whole file: {_EXPECTED}")


def _unknown_global(error: Exception) -> str:
    """The name that a refused file needs, from torch's message; "" if it is unreadable."""
    words = str(error).split() if isinstance(error, pickle.UnpicklingError) else []
    return words[words.index("GLOBAL") + 1] if "GLOBAL" in words[:-1] else ""


def _is_pointer(path: Path) -> bool:
    start = b"version https://git-lfs"
    with path.open("rb") as file:
        return file.read(len(start)) == start
