"""Tensors to bytes and back, without ever running code that a file holds."""

from __future__ import annotations

import argparse
import hashlib
import pickle
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from torch import Tensor

from ablate.errors import InputError, Problem
from ablate.training.networks import Network

#: More than this many problems of one file tell a reader nothing new.
_MOST_PROBLEMS = 20

#: Beside tensors and plain types, what the field's checkpoints hold: the options of the script that
#: wrote them, and an accuracy that may be a numpy number, under numpy's old or new name. None of
#: them has code that loading could be made to run.
_SAFE: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]

#: Where checkpoints keep the state dict; a bare one loads too.
_MODEL_ENTRIES = ("model", "state_dict")


def pack(state: Mapping[str, Any]) -> bytes:
    """Tensors and plain types → bytes."""
    stream = BytesIO()
    torch.save(dict(state), stream)
    return stream.getvalue()


def unpack(content: bytes) -> dict[str, Any]:
    """Bytes from `pack` → the same, with all tensors on the CPU."""
    state: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return state


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the bytes of all tensors in the order of their keys, in hexadecimal."""
    sha = hashlib.sha256()
    for key in sorted(tensors):
        # Viewed as bytes, since numpy knows no bfloat16; flat, since a scalar has no last axis.
        tensor = tensors[key].detach().cpu().contiguous().flatten()
        sha.update(tensor.view(torch.uint8).numpy().data)
    return sha.hexdigest()


def load_weights(path: Path, network: Network, name: str) -> None:
    """Load a checkpoint's weights into `network`, which messages call `name`.

    The checkpoint is a state dict, or a dict with one under "model" as RepDistiller and mdistiller
    write it. Keys of a DataParallel wrapper and both spellings of MobileNetV2's classifier are
    understood. Raises `InputError` with every key that does not fit.
    """
    wanted = network.state_dict()
    found = {_respell(key, wanted): tensor for key, tensor in _state_dict(path).items()}
    for key in wanted:
        if key.endswith("num_batches_tracked"):
            found.setdefault(key, wanted[key])  # older than torch 0.4.1
    problems = list(islice(_misfits(path, name, wanted, found), _MOST_PROBLEMS + 1))
    if len(problems) > _MOST_PROBLEMS:
        count = sum(1 for _ in _misfits(path, name, wanted, found))
        more = f"… and {count - _MOST_PROBLEMS} more keys do not fit {name}"
        problems[_MOST_PROBLEMS:] = [Problem(str(path), "", more)]
    if problems:
        raise InputError(problems)
    network.load_state_dict(found)


def _state_dict(path: Path) -> dict[str, Tensor]:
    content = _read(path)
    for entry in _MODEL_ENTRIES:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
            break
    if not isinstance(content, Mapping) or not content:
        raise InputError(Problem(str(path), "", "holds no weights", _EXPECTED))
    odd = [str(k) for k, v in content.items() if not (isinstance(k, str) and isinstance(v, Tensor))]
    if odd:
        raise InputError(Problem(str(path), odd[0], "is no tensor", _EXPECTED))
    return dict(content)


_EXPECTED = 'a state dict, or a dict with one under "model"'


def _read(path: Path) -> object:
    try:
        with torch.serialization.safe_globals(_SAFE):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from error
    except Exception as error:  # whatever a damaged file makes the reader stumble over
        asked = _unsafe_global(error)
        if asked:
            message = "holds more than weights and is not loaded, since that could run code"
            problem = Problem(str(path), "", message, f"it asks for {asked}")
        elif _is_pointer(path):
            message = "is no readable checkpoint, but a Git LFS pointer to one"
            problem = Problem(str(path), "", message, "`git lfs pull` brings the file itself")
        else:
            right = f"what torch.save wrote, whole: {_EXPECTED}"
            problem = Problem(str(path), "", "is no readable checkpoint", right)
        raise InputError(problem) from error
    return content


def _unsafe_global(error: Exception) -> str:
    """The name that a refused file asked for, from torch's message; "" if it is unreadable."""
    words = str(error).split() if isinstance(error, pickle.UnpicklingError) else []
    return words[words.index("GLOBAL") + 1] if "GLOBAL" in words[:-1] else ""


def _is_pointer(path: Path) -> bool:
    start = b"version https://git-lfs"
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _respell(key: str, wanted: Mapping[str, Tensor]) -> str:
    """Key of a checkpoint → the key that the network has for it, if it has one."""
    key = key.removeprefix("module.")
    if key in wanted:
        return key
    for one, other in (("classifier.", "classifier.0."), ("classifier.0.", "classifier.")):
        if key.startswith(one) and other + key.removeprefix(one) in wanted:
            return other + key.removeprefix(one)
    return key


def _misfits(
    path: Path, name: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]
) -> Iterator[Problem]:
    for key, tensor in wanted.items():
        shape = tuple(tensor.shape)
        if key not in found:
            yield Problem(str(path), key, f"is missing, but {name} needs it", f"shape {shape}")
        elif found[key].shape != tensor.shape:
            message = f"has shape {tuple(found[key].shape)}"
            yield Problem(str(path), key, message, f"{name} needs {shape}")
        elif bad := int((~found[key].isfinite()).sum()):
            message = f"has {bad} of {tensor.numel()} values that are NaN or infinite"
            yield Problem(str(path), key, message, "weights of a training that did not diverge")
    for key in found:
        if key not in wanted:
            yield Problem(str(path), key, f"is not in {name}")
