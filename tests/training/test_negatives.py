"""CRD's negatives: which images they may be, how they are spread, and what decides them."""

from __future__ import annotations

import math

import pytest
import torch

from ablate.training.negatives import Negatives

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 1, 0, 3])
INDEX = torch.tensor([1, 3, 5, 11])
EPOCHS = 3000


def counted(count: int) -> torch.Tensor:
    """How often each of the twelve images is a negative of the images at INDEX: (4, 12)."""
    negatives, seen = Negatives(LABELS, count, seed=0), torch.zeros(4, len(LABELS))
    for epoch in range(1, EPOCHS + 1):
        drawn = negatives.epoch(epoch)(INDEX)
        assert drawn.shape == (4, count)
        seen.scatter_add_(1, drawn, torch.ones(4, count))
        if count <= 8:
            assert all(len(set(row.tolist())) == count for row in drawn), "one comes twice"
    return seen


# Classes have 4, 3, 4 and 1 of the 12 images, so that the fewest others are 8; 40 are drawn with
# replacement.
@pytest.mark.parametrize("count", [1, 5, 8, 40])
def test_negatives_are_all_images_of_other_classes_alike(count: int) -> None:
    for row, label in zip(counted(count), LABELS[INDEX], strict=True):
        assert row[label == LABELS].sum() == 0
        others = row[label != LABELS]
        expected = EPOCHS * count / len(others)
        assert (others - expected).abs().max() < 5 * math.sqrt(expected)


def test_pairs_of_negatives_are_drawn_alike() -> None:
    """Not only each image, each set of images: a window of a fixed order would not pass."""
    negatives, pairs = Negatives(LABELS, 2, seed=0), torch.zeros(12, 12)
    for epoch in range(1, EPOCHS + 1):
        one, other = negatives.epoch(epoch)(INDEX[3:])[0].tolist()
        pairs[one, other] += 1
    seen, expected = pairs[:11, :11][~torch.eye(11, dtype=torch.bool)], EPOCHS / 110
    assert (seen - expected).abs().max() < 5 * math.sqrt(expected)


def test_they_are_a_function_of_seed_epoch_and_image() -> None:
    def drawn(seed: int, epoch: int) -> torch.Tensor:
        return Negatives(LABELS, 5, seed).epoch(epoch)(INDEX)

    assert torch.equal(drawn(0, 3), drawn(0, 3))
    assert not torch.equal(drawn(0, 3), drawn(0, 4))
    assert not torch.equal(drawn(0, 3), drawn(1, 3))
    other_batch = Negatives(LABELS, 5, 0).epoch(3)(INDEX.flip(0))
    assert torch.equal(other_batch.flip(0), drawn(0, 3))
