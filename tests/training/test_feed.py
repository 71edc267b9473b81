"""The feed: which images an epoch shows, in which order, with which labels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ablate.training import data
from ablate.training.feed import Feed
from ablate.training.precision import Precision
from ablate.training.randomness import order
from ablate.training.step import Batch, Needs
from ablate.training.views import draw, render

DIGITS = data.load("digits", Path())
N = len(DIGITS.train_labels)
SEED = 4
NEEDS = Needs(("k", "q"), ("t",))


def feed(batch_size: int = 64, table: Tensor | None = None) -> Feed:
    fp32 = Precision("fp32", torch.device("cpu"))
    return Feed(DIGITS, "crop-flip", batch_size, SEED, fp32, NEEDS, table)


def shown(batches: list[Batch]) -> Tensor:
    return torch.cat([batch.index for batch in batches])


@pytest.mark.parametrize(
    ("batch_size", "left_out"), [(64, 0), (599, 0), (1000, 0), (299, 1), (598, 1)]
)
def test_an_epoch_shows_every_image_once_in_the_epochs_order(
    batch_size: int, left_out: int
) -> None:
    """But for a single image that would be a batch of its own."""
    for epoch in (1, 2):
        batches = list(feed(batch_size).epoch(epoch))
        assert torch.equal(shown(batches), order(SEED, epoch, N)[: N - left_out])
        assert all(len(batch.index) == batch_size for batch in batches[:-1])


def test_epochs_differ_in_their_order() -> None:
    one, other = (shown(list(feed().epoch(epoch))) for epoch in (1, 2))
    assert not torch.equal(one, other)
    assert torch.equal(one.sort().values, other.sort().values)


def test_labels_and_views_are_those_of_the_images() -> None:
    drawn = {view: draw("crop-flip", DIGITS.info, N, SEED, view, 1, "cpu") for view in "qkt"}
    for batch in feed().epoch(1):
        assert torch.equal(batch.labels, DIGITS.train_labels[batch.index])
        for view, parameters in drawn.items():
            images = DIGITS.train_images[batch.index]
            expected = render(images, parameters[batch.index], DIGITS.info)
            assert torch.equal(batch.views[view], expected)


def test_a_table_is_read_at_the_image_and_the_view_that_are_shown() -> None:
    views = DIGITS.info.crop_views
    numbers = torch.arange(views)[:, None] * N + torch.arange(N)
    drawn = draw("crop-flip", DIGITS.info, N, SEED, "t", 1, "cpu")
    for batch in feed(table=numbers[..., None].float()).epoch(1):
        assert batch.teacher.keys() == {"t"}
        assert batch.views.keys() == {"k", "q"}, "no image is rendered for a teacher in a table"
        read = batch.teacher["t"].flatten().long()
        assert torch.equal(read % N, batch.index)
        assert torch.equal(read // N, drawn.index[batch.index])


@pytest.mark.parametrize("start", [0, 3, 9, 10])
def test_an_epoch_goes_on_in_the_middle(start: int) -> None:
    whole, rest = list(feed().epoch(2)), list(feed().epoch(2, start))
    assert len(whole) == feed().steps == 10
    assert [batch.step for batch in rest] == list(range(10 + start, 20))
    for one, other in zip(whole[start:], rest, strict=True):
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.views["k"], other.views["k"])
