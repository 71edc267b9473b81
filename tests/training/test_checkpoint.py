"""Bytes of the tool's own checkpoints, and digests of tensors."""

from __future__ import annotations

from typing import Any

import torch

from ablate.training import checkpoint


def test_packing_keeps_every_bit() -> None:
    state: dict[str, Any] = {
        "a": torch.randn(3),
        "b": torch.randn(2).bfloat16(),
        "n": 3,
        "names": ["x"],
        "s": "",
    }
    again = checkpoint.unpack(checkpoint.pack(state))
    assert torch.equal(again["a"], state["a"])
    assert torch.equal(again["b"], state["b"])
    assert {k: again[k] for k in ("n", "names", "s")} == {"n": 3, "names": ["x"], "s": ""}


def test_digest_looks_at_bytes_in_key_order_and_not_at_layout() -> None:
    a, b = torch.randn(2, 3, 4, 4), torch.tensor(3)
    digest = checkpoint.digest({"a": a, "b": b})
    assert digest == checkpoint.digest({"b": b, "a": a.to(memory_format=torch.channels_last)})
    assert digest != checkpoint.digest({"a": a + 1e-6, "b": b})
    assert len(digest) == 64
