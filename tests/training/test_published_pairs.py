"""Every teacher/student pair of the published tables trains at CIFAR's size."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest
import torch

from ablate.methods.catalog import NETWORKS
from ablate.methods.cocord_config import CoCoRDConfig
from ablate.training import networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.step import Batch

ROWS = csv.DictReader((files("ablate.report.tables") / "published.csv").read_text().splitlines())
PAIRS = sorted({(row["teacher"], row["student"]) for row in ROWS})
CASES = [
    (teacher, student, rule)
    for teacher, student in PAIRS
    for rule in ("matching-layers", "adapter")
    if rule == "matching-layers" or NETWORKS[teacher] != NETWORKS[student]
]
N, CLASSES, STEPS = 4, 100, 2


def test_all_thirteen_are_there() -> None:
    assert len(PAIRS) == 13
    assert len(CASES) > 13, "some widths differ, and both rules are tried on those"


@pytest.mark.parametrize(("teacher", "student", "rule"), CASES)
def test_a_published_pair_takes_optimizer_steps(teacher: str, student: str, rule: str) -> None:
    torch.manual_seed(0)
    nets = networks.build(student, CLASSES), networks.build(teacher, CLASSES)
    config = CoCoRDConfig(mismatch=rule, dictionary=8, width=32, embedding=16, predictor_width=16)
    cocord = CoCoRD(config, *nets, nets[1].feature_dim, seed=0)
    before = {name: p.detach().clone() for name, p in cocord.named_parameters()}
    learned = [p for p in cocord.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, 0.01, 0.9, weight_decay=5e-4)
    for step in range(STEPS):
        views = {view: torch.randn(N, 3, 32, 32) for view in "qkt"}
        result = cocord(Batch(views, torch.arange(N), torch.arange(N), step))
        assert result.terms.keys() == {"ctr", "cls", "pred", "pred_sym"}
        assert result.total.isfinite()
        optimizer.zero_grad()
        result.total.backward()
        optimizer.step()
        cocord.finish_step()
    moved = {name for name, p in cocord.named_parameters() if not torch.equal(p, before[name])}
    assert not any(name.startswith("teacher.") for name in moved)
    assert {name.partition(".")[0] for name in moved} >= {"student", "slow_student", "slow_head"}
    assert "teacher_head.3.weight" in moved, "its shape matches under either rule"
    assert int(cocord.queue_ptr) == N * STEPS % config.dictionary
