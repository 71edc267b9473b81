"""Steps on a GPU that is not there: torch's fake tensors know shapes, types and devices only.

A tensor on the wrong device, a value that the host would have to wait for, or a pass in the wrong
arithmetic shows without a GPU; a backward pass can't run so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.methods.reference_configs import CRDConfig, KDConfig
from ablate.methods.registry import BUILT_IN
from ablate.training import networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.crd import CRD
from ablate.training.networks import Network
from ablate.training.reference_methods import KD, Supervised
from ablate.training.step import Batch, StepLosses, Trainable

CUDA = torch.device("cuda", 0)
N, K, IMAGES = 8, 5, 50
PAIRS = [
    ("resnet110", "resnet32"), ("resnet56", "resnet20"), ("resnet32x4", "resnet8x4"),
    ("wrn_40_2", "wrn_16_2"), ("vgg13", "vgg8"), ("vgg13", "MobileNetV2"),
    ("ResNet50", "MobileNetV2"), ("ResNet50", "vgg8"), ("resnet32x4", "ShuffleV1"),
    ("resnet32x4", "ShuffleV2"), ("wrn_40_2", "ShuffleV1"),
]  # fmt: skip
TINY = {"dictionary.size": 64, "head.width": 16, "head.embedding": 8, "predictor.width": 8,
        "crd.negatives": K, "crd.embedding": 8}  # fmt: skip


@contextmanager
def fake_gpu(bf16: bool) -> Iterator[None]:
    """Make every tensor fake; switch autocast on by hand, which without a GPU stays off."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    with FakeTensorMode():
        torch.set_autocast_enabled("cuda", bf16)
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        try:
            yield
        finally:
            torch.set_autocast_enabled("cuda", before[0])
            torch.set_autocast_dtype("cuda", before[1])


def build(method: str, teacher: Network, student: Network) -> Trainable:
    settings = BUILT_IN[method].baseline({"teacher": "resnet56", "student": "resnet20"})
    settings |= {name: value for name, value in TINY.items() if name in settings}
    width = teacher.feature_dim
    if method.startswith("cocord"):
        return CoCoRD(CoCoRDConfig.from_settings(settings), student, teacher, width, seed=0)
    if method.startswith("crd"):
        config = CRDConfig.from_settings(settings)
        return CRD(config, student, teacher, width, images=IMAGES, seed=0)
    if method == "kd":
        return KD(KDConfig.from_settings(settings), student, teacher)
    return Supervised(student)


def fake(method: Trainable) -> None:
    """Put a fake tensor on the GPU in the place of each weight and buffer."""
    placed: dict[int, Tensor] = {}
    for module in method.modules():
        for name, weight in [*module._parameters.items()]:
            if weight is not None and id(weight) not in placed:
                empty = torch.empty(weight.shape, device=CUDA)
                placed[id(weight)] = torch.nn.Parameter(empty, weight.requires_grad)
            if weight is not None:
                module._parameters[name] = placed[id(weight)]  # type: ignore[assignment]
        for name, buffer in [*module._buffers.items()]:
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=CUDA)
    if isinstance(method, CoCoRD):
        for average in (method._slow_average, method._teacher_average):
            average._slow = [placed[id(weight)] for weight in average._slow]
            average._fast = [placed[id(weight)] for weight in average._fast]


def batch(method: Trainable, table: bool, width: int) -> Batch:
    needs = method.needs
    views = {*needs.views} if table else {*needs.views, *needs.teacher}
    index = torch.zeros(N, dtype=torch.long, device=CUDA)
    return Batch(
        views={view: torch.randn(N, 3, 32, 32, device=CUDA) for view in views},
        labels=torch.zeros(N, dtype=torch.long, device=CUDA),
        index=index,
        step=3,
        teacher={v: torch.randn(N, width, device=CUDA) for v in needs.teacher} if table else {},
        negatives=torch.zeros(N, K, dtype=torch.long, device=CUDA) if needs.negatives else None,
    )


def forward(method: str, pair: tuple[str, str], *, table: bool, bf16: bool) -> set[torch.dtype]:
    """Run a forward pass with the method's own bookkeeping; return the types of all Linear's."""
    teacher, student = (networks.build(name, 100) for name in pair)
    trainable = build(method, teacher, student)
    with fake_gpu(bf16):
        fake(trainable)
        kinds: set[torch.dtype] = set()

        def note(_module: torch.nn.Module, _inputs: object, output: Tensor) -> None:
            kinds.add(output.dtype)

        for module in trainable.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(note)
        result: StepLosses = trainable(batch(trainable, table, teacher.feature_dim))
        trainable.finish_step()
        for name, value in result.named().items():
            assert value.device == CUDA, name
            assert value.dtype == torch.float32, name
    return kinds


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids="/".join)
def test_every_published_pair_stays_on_its_gpu(pair: tuple[str, str], table: bool) -> None:
    assert forward("cocord", pair, table=table, bf16=False) == {torch.float32}


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("method", ["cocord", "cocord+kd", "kd", "crd", "crd+kd", "student"])
def test_every_method_stays_on_its_gpu_in_its_arithmetic(method: str, bf16: bool) -> None:
    right = {torch.bfloat16 if bf16 else torch.float32}
    assert forward(method, ("resnet56", "resnet20"), table=False, bf16=bf16) == right


def test_a_tensor_that_stays_on_the_host_is_found() -> None:
    method = build("cocord", *(networks.build("resnet8", 100) for _ in range(2)))
    with fake_gpu(bf16=False):
        fake(method)
        method.queue = torch.empty(64, 8, device="cpu")
        with pytest.raises(RuntimeError, match=r"device|cpu"):
            method(batch(method, table=True, width=64))


def test_a_value_that_the_host_waits_for_is_found() -> None:
    with fake_gpu(bf16=False), pytest.raises(DataDependentOutputException):
        float(torch.randn((), device=CUDA))
