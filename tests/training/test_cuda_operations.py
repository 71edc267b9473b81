"""No job uses an operation that torch documents to have no deterministic form on a GPU.

`torch.use_deterministic_algorithms` lets such an operation fail, but on a GPU only. Here the
operations of whole jobs are recorded on the CPU, where torch dispatches the same ones, and held
against those that torch names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from tests.training.fake_session import Workshop
from tests.training.test_same_bits import EVERYTHING, Case, two_steps

#: What torch documents to fail on a GPU under `torch.use_deterministic_algorithms` -> the
#: operations that do so.
NONDETERMINISTIC = {
    "AvgPool3d": ("avg_pool3d_backward",),
    "AdaptiveAvgPool2d": ("_adaptive_avg_pool2d_backward",),
    "AdaptiveAvgPool3d": ("_adaptive_avg_pool3d_backward",),
    "AdaptiveMaxPool2d": ("adaptive_max_pool2d_backward",),
    "FractionalMaxPool2d": ("fractional_max_pool2d_backward",),
    "FractionalMaxPool3d": ("fractional_max_pool3d_backward",),
    "MaxUnpool1d": ("max_unpool2d",),
    "MaxUnpool2d": ("max_unpool2d",),
    "MaxUnpool3d": ("max_unpool3d",),
    "interpolate": ("upsample_linear1d_backward", "upsample_bilinear2d_backward",
                    "upsample_bicubic2d_backward", "upsample_trilinear3d_backward"),
    "ReflectionPad1d": ("reflection_pad1d_backward",),
    "ReflectionPad2d": ("reflection_pad2d_backward",),
    "ReflectionPad3d": ("reflection_pad3d_backward",),
    "NLLLoss": ("nll_loss2d_forward", "nll_loss2d_backward"),  # of images; that of rows has one
    "CTCLoss": ("_ctc_loss_backward", "_cudnn_ctc_loss"),
    "EmbeddingBag": ("_embedding_bag", "_embedding_bag_dense_backward"),
    "put_": ("put", "put_"),
    "histc": ("histc",),
    "bincount": ("bincount of weights",),
    "median": ("median", "nanmedian", "kthvalue"),
    "grid_sample": ("grid_sampler_2d_backward", "grid_sampler_3d_backward"),
    "scatter_reduce": ("scatter_reduce", "scatter_reduce_"),
    "resize_": ("quantized_resize_cpu_",),  # of quantized tensors
}  # fmt: skip
FORBIDDEN = frozenset(name for names in NONDETERMINISTIC.values() for name in names)

#: Each method and each network once, and every setting that brings operations of its own.
CASES = [
    case for case in EVERYTHING
    if "resnet8" in case[1] or (case[0] == "cocord" and case[2].get("precision") == "fp32")
    or "precision" not in case[2]
]  # fmt: skip


class Recorder(TorchDispatchMode):
    """Names of all operations that run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        weighted = name == "bincount" and (len(args) > 1 or "weights" in (kwargs or {}))
        self.names.add("bincount of weights" if weighted else name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_job_uses_none_of_them(workshop: Workshop, case: Case) -> None:
    with Recorder() as recorder:
        two_steps(workshop, "cpu", (*case[:2], {**case[2], "batch_size": 8}))
    assert {"convolution_backward", "native_batch_norm_backward"} <= recorder.names
    assert not recorder.names & FORBIDDEN


@pytest.mark.parametrize(
    "use",
    [
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear").sum().backward(),
        lambda x: F.adaptive_avg_pool2d(x, 2).sum().backward(),
        lambda x: F.pad(x, [1, 1, 1, 1], mode="reflect").sum().backward(),
        lambda x: x.flatten().median(0).values.backward(),
        lambda x: x.flatten().long().clamp(min=0).bincount(weights=x.flatten().detach()),
        lambda x: F.grid_sample(x, torch.zeros(1, 2, 2, 2), align_corners=False).sum().backward(),
    ],
)
def test_one_that_is_used_would_be_found(use: Callable[[torch.Tensor], None]) -> None:
    with Recorder() as recorder:
        use(torch.randn(1, 1, 4, 4, requires_grad=True))
    assert recorder.names & FORBIDDEN


def test_the_list_is_torchs() -> None:
    words = torch.use_deterministic_algorithms.__doc__ or ""
    failing = words.partition("nondeterministic operations will throw a")[2].partition(
        "In addition"
    )[0]
    named = {name.rpartition(".")[2] for name in re.findall(r"\* :\w+:`([^`]+)`", failing)}
    assert named
    assert named <= NONDETERMINISTIC.keys(), "torch names others: add what they dispatch"
