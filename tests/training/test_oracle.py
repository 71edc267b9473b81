"""The package against the literal algorithm, whole runs in float64.

What the recorded steps don't cover: a dictionary that wraps several times, momenta of 0 and 1,
partial batches, learning-rate steps, evaluation.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.training import networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.data import ImageData
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.loop import TrainingRun
from ablate.training.precision import Precision
from ablate.training.views import plain
from tests.training.data_sets import digits
from tests.training.fake_session import FakeSession, Workshop
from tests.training.oracle import Hyperparameters, Oracle

Floats = dict[str, float]
CLOSE: Any = {"rtol": 1e-9, "atol": 1e-9}
TRAINED, TESTED = 75, 60  # images; three batches of 32, the last of 11, an epoch
EPOCHS = 8  # so that the learning rate falls after epochs 5, 6 and 7
HYPER = Hyper(
    epochs=EPOCHS, batch_size=32, lr=0.05, lr_schedule="step", sgd_momentum=0.9,
    weight_decay=5e-4, augmentation="crop-flip", precision="fp32",
)  # fmt: skip


@dataclass(frozen=True)
class Double(Precision):
    """All passes in float64."""

    def lay_out(self, images: Tensor) -> Tensor:
        return images.double()


DOUBLE = Double("fp32", torch.device("cpu"))


@pytest.fixture(scope="module")
def some_digits() -> ImageData:
    whole = digits()
    return replace(
        whole,
        train_images=whole.train_images[:TRAINED],
        train_labels=whole.train_labels[:TRAINED],
        test_images=whole.test_images[:TESTED],
        test_labels=whole.test_labels[:TESTED],
    )


def pair(config: CoCoRDConfig) -> tuple[CoCoRD, Oracle]:
    """The package's method and the oracle, from the same weights and the same dictionary."""
    torch.manual_seed(1)
    nets = networks.build("resnet8", 10, 1), networks.build("resnet14", 10, 1)
    method = CoCoRD(config, *nets, nets[1].feature_dim, seed=3).double()
    names = "student", "teacher", "student_head", "predictor"
    copied = {name: copy.deepcopy(method.get_submodule(name)) for name in names}
    hyper = Hyperparameters(
        config.temperature, config.teacher_head_momentum, config.slow_momentum,
        {"ctr": config.weight_ctr, "cls": config.weight_cls, "pred": config.weight_pred,
         "pred_sym": config.weight_pred},
    )  # fmt: skip
    return method, Oracle(copied, method.queue, hyper, lr=HYPER.lr)


@pytest.mark.parametrize(
    ("m_c", "m_r", "dictionary"),
    [(0.999, 0.9, 32), (0.0, 0.0, 33), (1.0, 1.0, 40), (0.0, 1.0, 200), (1.0, 0.5, 32)],
)
def test_whole_runs_equal_the_literal_algorithm(
    workshop: Workshop, some_digits: ImageData, m_c: float, m_r: float, dictionary: int
) -> None:
    config = CoCoRDConfig(
        dictionary=dictionary, width=24, embedding=12, predictor_width=16,
        teacher_head_momentum=m_c, slow_momentum=m_r,
    )  # fmt: skip
    method, oracle = pair(config)
    feed = Feed(some_digits, HYPER, 5, DOUBLE, method.needs)
    session = FakeSession(workshop.job("cocord", "resnet14", "resnet8"), workshop.folder)
    TrainingRun(session, method, feed, HYPER).train()
    assert dictionary * 2 < EPOCHS * TRAINED, "the dictionary wraps"
    for epoch, _, metrics in session.epochs:
        expected, accuracies = one_epoch(oracle, feed, epoch)
        assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-9)
        assert {n: metrics[n] for n in accuracies} == pytest.approx(accuracies, rel=1e-6)
    for name, net in oracle.nets.items():
        state = method.get_submodule(name).state_dict()
        for key, value in net.state_dict().items():
            torch.testing.assert_close(state[key], value, **CLOSE, msg=f"{name}.{key}")
    torch.testing.assert_close(method.queue, oracle.dictionary, **CLOSE)
    assert method.queue_ptr == oracle.pointer


def one_epoch(oracle: Oracle, feed: Feed, epoch: int) -> tuple[Floats, Floats]:
    """Train an epoch literally; mean losses and test metrics, and accuracies over batches."""
    oracle.set_learning_rate(HYPER.lr * 0.1 ** sum(epoch > last for last in (5, 6, 7)))
    sums: dict[str, float] = {}
    for batch in feed.epoch(epoch):
        losses = oracle.step(**batch.views, labels=batch.labels)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.item() * len(batch.labels)
    means = {name: value / TRAINED for name, value in sums.items()}
    exact = {f"loss_{name}": means[name] for name in ("ctr", "cls", "pred", "pred_sym")}
    tests = oracle.evaluate(plain(feed.data.test_images, feed.data.info).double(),
                            feed.data.test_labels)  # fmt: skip
    return {"loss": means["total"], **exact, **tests}, {
        name: means[name] for name in ("contrast_acc", "train_top1")
    }
