"""The losses against arithmetic done by hand, and their precision."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ablate.training import losses


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_info_nce_by_hand() -> None:
    query = rows([3.0, 4.0])  # not a unit vector
    key, dictionary = rows([1.0, 0.0]), rows([0.0, 1.0], [-1.0, 0.0])
    alike = losses.similarities(query, key, dictionary, 0.5)
    torch.testing.assert_close(alike, rows([1.2, 1.6, -1.2]))
    expected = -1.2 + math.log(math.exp(1.2) + math.exp(1.6) + math.exp(-1.2))
    assert losses.info_nce(alike).item() == pytest.approx(expected, rel=1e-12)


def test_contrastive_accuracy_is_in_percent() -> None:
    alike = rows([2.0, 1.0], [0.0, 1.0], [5.0, 1.0], [3.0, 1.0])
    assert losses.contrastive_accuracy(alike).item() == 75


@pytest.mark.parametrize(
    ("p", "y", "expected"), [([1, 0], [5, 0], 0), ([1, 0], [0, 2], 2), ([1, 0], [-3, 0], 4)]
)
def test_prediction_by_hand(p: list[float], y: list[float], expected: float) -> None:
    assert losses.prediction(rows(p), rows(y)).item() == pytest.approx(expected)


def test_distillation_by_hand() -> None:
    student, teacher = rows([0.0, 0.0]), rows([4 * math.log(3), 0.0])
    expected = 16 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert losses.distillation(student, teacher, 4.0).item() == pytest.approx(expected)
    assert losses.distillation(teacher, teacher, 4.0).item() == pytest.approx(0, abs=1e-12)


def test_distillation_is_a_mean_over_the_batch() -> None:
    one, two = torch.randn(1, 5), torch.randn(1, 5)
    many = losses.distillation(one.repeat(7, 1), two.repeat(7, 1), 2.0)
    torch.testing.assert_close(many, losses.distillation(one, two, 2.0))


def test_noise_contrast_by_hand() -> None:
    logits = rows([1.0, -2.0, 0.5])

    def h(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    expected = -math.log(h(1.0)) - math.log(1 - h(-2.0)) - math.log(1 - h(0.5))
    assert losses.noise_contrast(logits).item() == pytest.approx(expected)


def test_losses_are_no_coarser_than_float32() -> None:
    half = torch.randn(4, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        alike = losses.similarities(half, losses.unit(half), losses.unit(half), 0.1)
        values = [losses.info_nce(alike), losses.prediction(half, half)]
        values.append(losses.distillation(half, half + 1, 4.0))
    assert {value.dtype for value in [alike, *values]} == {torch.float32}
    full = losses.similarities(half.float(), losses.unit(half.float()), losses.unit(half), 0.1)
    assert torch.equal(alike, full)


def test_losses_keep_float64() -> None:
    assert losses.prediction(rows([1, 0]), rows([1, 1])).dtype == torch.float64
