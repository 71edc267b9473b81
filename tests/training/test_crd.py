"""CRD: its negatives, its memories, and what a step costs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch

from ablate.methods.reference_configs import CRDConfig
from ablate.training import losses, networks
from ablate.training.crd import CRD
from ablate.training.negatives import Negatives
from ablate.training.step import Batch

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 0, 3])
CONFIG = CRDConfig(
    weight_cls=1.0, weight_kd=0.0, weight_crd=0.8, kd_temperature=4.0, temperature=0.07,
    negatives=5, momentum=0.5, embedding=8,
)  # fmt: skip


def crd(**changes: Any) -> CRD:
    torch.manual_seed(0)
    student, teacher = networks.build("resnet8", 4, 1), networks.build("wrn_16_2", 4, 1)
    config = replace(CONFIG, **changes)
    return CRD(config, student, teacher, teacher.feature_dim, len(LABELS), seed=1)


def batch(step: int = 0, negatives: int = CONFIG.negatives) -> Batch:
    index = torch.tensor([1, 3, 5, 11])
    drawn = Negatives(LABELS, negatives, seed=1).epoch(step)(index)
    views = {"q": torch.randn(4, 1, 8, 8)}
    return Batch(views, LABELS[index], index, step, negatives=drawn)


@pytest.mark.parametrize("negatives", [5, 40])
def test_loss_is_the_papers_over_its_own_rows(negatives: int) -> None:
    module, one = crd(negatives=negatives), batch(negatives=negatives)
    assert one.negatives is not None
    rows = torch.cat([one.index[:, None], one.negatives], dim=1)
    v_s = losses.unit(module.embed_student(module.student.features(one.views["q"])))
    v_t = losses.unit(module.embed_teacher(module.teacher.features(one.views["q"])))
    expected, c = torch.tensor(0.0), negatives / len(LABELS)
    for v, memory in ((v_s, module.memory_teacher), (v_t, module.memory_student)):
        e = torch.exp((memory[rows] * v[:, None]).sum(dim=-1) / 0.07)
        e = e / (e.mean() * len(LABELS))  # the normaliser, from the first batch
        h = e / (e + c)
        expected = expected - (h[:, 0].log() + (1 - h[:, 1:]).log().sum(dim=1)).mean()
    again = crd(negatives=negatives)
    torch.testing.assert_close(again(one).terms["crd"], expected, rtol=1e-4, atol=1e-4)


def test_normaliser_is_that_of_the_first_batch() -> None:
    module = crd()
    module(batch(0))
    first = module.log_z.clone()
    module(batch(1))
    assert torch.equal(module.log_z, first)
    assert first.isfinite().all()
    assert (first - math.log(len(LABELS))).abs().max() < 1 / 0.07


def test_only_the_batchs_rows_move_and_stay_on_the_sphere() -> None:
    module, one = crd(), batch()
    before = module.memory_student.clone()
    module(one)
    assert torch.equal(module.memory_student, before)
    module.finish_step()
    moved = (module.memory_student != before).any(dim=1).nonzero().flatten()
    assert moved.tolist() == one.index.tolist()
    for memory in (module.memory_student, module.memory_teacher):
        torch.testing.assert_close(memory.norm(dim=1), torch.ones(len(LABELS)))


def test_memory_with_momentum_1_is_frozen() -> None:
    module = crd(momentum=1.0)
    before = module.memory_teacher.clone()
    module(batch())
    module.finish_step()
    torch.testing.assert_close(module.memory_teacher, before)


@pytest.mark.parametrize(
    ("changes", "teacher_passes"),
    [({}, 1), ({"weight_kd": 1.0}, 1), ({"weight_crd": 0.0}, 0),
     ({"weight_crd": 0.0, "weight_kd": 1.0}, 1)],
)  # fmt: skip
def test_cost_follows_the_variant(changes: dict[str, float], teacher_passes: int) -> None:
    module, ran = crd(**changes), Counter[str]()
    module.teacher.conv1.register_forward_hook(lambda *_: ran.update(["teacher"]))
    module.student.conv1.register_forward_hook(lambda *_: ran.update(["student"]))
    module(batch()).total.backward()
    assert (ran["teacher"], ran["student"]) == (teacher_passes, 1)
    assert all(p.grad is None for p in module.teacher.parameters())
    learns = module.embed_student.weight.grad is not None
    assert learns == (module.config.weight_crd > 0)
