"""Re-estimated BatchNorm statistics: what they are, and that no variant's passes decide them."""

from __future__ import annotations

import pytest
import torch

from ablate.methods.session import Outcome
from ablate.training import networks
from ablate.training.batchnorm import reestimated
from ablate.training.cocord_step import CoCoRD
from ablate.training.precision import Precision
from ablate.training.step import Batch, StepLosses
from tests.training.fake_session import Workshop

FP32 = Precision("fp32", torch.device("cpu"))


def test_statistics_are_the_mean_over_the_batches_and_the_network_is_untouched() -> None:
    torch.manual_seed(0)
    network = networks.build("resnet8", 10, 1)
    network(torch.randn(16, 1, 8, 8))  # some running statistics
    before = {key: value.clone() for key, value in network.state_dict().items()}
    batches = [torch.randn(32, 1, 8, 8) for _ in range(3)]
    copy = reestimated(network, batches, FP32)
    maps = [network.get_submodule("conv1")(batch) for batch in batches]
    mean = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
    var = torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0)
    torch.testing.assert_close(copy.bn1.running_mean, mean)
    torch.testing.assert_close(copy.bn1.running_var, var)
    state = network.state_dict()
    assert all(torch.equal(before[key], state[key]) for key in before)
    assert network.bn1.momentum == 0.1


def test_passes_that_only_move_running_statistics_do_not_count(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L_pred only, with one pass of the student a step and with two, as the authors' code."""
    job = workshop.job("cocord", "resnet14", "resnet8", prediction__direction="pred", epochs=3)
    one = workshop.session(job, "one pass").run()
    monkeypatch.setattr(CoCoRD, "forward", with_two_passes(CoCoRD.forward))
    two = workshop.session(job, "two passes").run()
    assert top1(one) == top1(two)
    assert one.metrics["loss"] == two.metrics["loss"], "the weights are equal"
    assert one.metrics["test_loss"] != two.metrics["test_loss"], "running statistics are not"


def with_two_passes(forward):  # type: ignore[no-untyped-def]
    def two(self: CoCoRD, batch: Batch) -> StepLosses:
        result: StepLosses = forward(self, batch)
        with torch.no_grad():
            self.student.features(batch.views["k"])
        return result

    return two


def top1(outcome: Outcome) -> tuple[float, float]:
    return outcome.metrics["top1_reestimated"], outcome.best["top1_reestimated"]
