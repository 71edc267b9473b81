"""Tensors to bytes and back, without ever running code that a file holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import torch
from torch import Tensor


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
