"""Two steps run twice give the same bits: each method, each family of networks, each arithmetic.

On a GPU all of them; here a few, so that the test itself is known to work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch

from ablate.errors import Interrupted
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import Machine
from ablate.training import checkpoint
from tests.training.fake_session import FakeSession, Workshop

#: The smallest of each family, as a student.
FAMILIES = (
    "resnet8", "wrn_16_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2", "ResNet50",
    "resnet18_imagenet",
)  # fmt: skip
METHODS = ("cocord", "cocord+kd", "kd", "crd", "student")
PRECISIONS = ("fp32", "bf16")
TEACHER = "resnet14"
STEPS = 2

Case = tuple[str, str, dict[str, Any]]
EVERYTHING: list[Case] = [
    *(
        (method, network, {"precision": precision})
        for method, network, precision in product(METHODS, FAMILIES, PRECISIONS)
    ),
    ("cocord", "resnet8", {"deterministic": False}),
    ("cocord", "resnet8", {"teacher__table": "on"}),
    ("cocord", "wrn_16_2", {"mismatch": "adapter"}),
    ("cocord", "resnet8", {"views__augmentation": "random-resized-crop"}),
    ("cocord", "resnet8", {"views__augmentation": "crop-flip-blur"}),
    ("cocord", "resnet8", {"head__norm": "layer", "prediction__direction": "pred_sym"}),
]
A_FEW: list[Case] = [
    *((method, "resnet8", {"precision": "fp32"}) for method in METHODS),
    ("cocord", "vgg8", {"precision": "bf16"}),
    ("cocord", "resnet8", {"teacher__table": "on"}),
]


def two_steps(workshop: Workshop, device: str, case: Case) -> tuple[str, list[float]]:
    """Digest of all that is trained, and the sums of all losses."""
    method, network, changes = case
    job = workshop.job(method, TEACHER, network, **{"batch_size": 64, **changes})
    session = workshop.session(job, "two steps")
    session.machine, session.stop_after = Machine(device), STEPS
    with pytest.raises(Interrupted):
        session.run()
    state = checkpoint.unpack(session.checkpoint or b"")
    return checkpoint.digest(state["model"]), state["progress"]["sums"]["sums"].tolist()


def check(workshop: Workshop, device: str, case: Case) -> None:
    one, other = (two_steps(workshop, device, case) for _ in range(2))
    assert torch.tensor(one[1]).isfinite().all()
    if case[2].get("deterministic", True):
        assert one == other


@pytest.mark.parametrize("case", A_FEW, ids=str)
def test_on_the_cpu(workshop: Workshop, case: Case) -> None:
    check(workshop, "cpu", case)


@pytest.mark.gpu
@pytest.mark.usefixtures("_never_waits")
@pytest.mark.parametrize("case", EVERYTHING, ids=str)
def test_on_a_gpu(workshop: Workshop, case: Case) -> None:
    check(workshop, "cuda:0", case)


@pytest.mark.usefixtures("_never_waits")
def test_the_guard_against_waiting_is_around_each_step(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    two_steps(workshop, "cpu", ("student", "resnet8", {}))
    assert modes == ["error", "default"] * STEPS


def a_run(workshop: Workshop) -> FakeSession:
    return workshop.session(workshop.job("cocord", TEACHER, "resnet8"), "stopped run")


def a_table(workshop: Workshop) -> FakeSession:
    job = workshop.job("kd", TEACHER, "resnet8", teacher__table="on")
    session = workshop.session(job, "stopped table")
    upstream = BUILT_IN["kd"].upstream(job, workshop._recipe)["teacher_table"]
    session.config = replace(upstream, upstream={"teacher": "id"})
    return session


@pytest.mark.gpu
@pytest.mark.parametrize(("make", "stops"), [(a_run, (3, 5)), (a_table, (5, 9, 13))])
def test_a_stop_leaves_no_trace_on_a_gpu(
    workshop: Workshop, make: Callable[[Workshop], FakeSession], stops: tuple[int, ...]
) -> None:
    whole, parts = make(workshop), make(workshop)
    whole.machine = parts.machine = Machine("cuda:0")
    assert whole.run().weights_digest == parts.run_with_stops(*stops).weights_digest
