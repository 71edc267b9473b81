"""The feed: which images an epoch shows, in which order, with which labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from ablate.methods.catalog import DATASETS
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.precision import Precision
from ablate.training.randomness import order
from ablate.training.step import Batch, Needs
from ablate.training.views import draw, render
from tests.training.data_sets import digits

DIGITS = DATASETS["digits"]
N = DIGITS.train
SEED = 4
NEEDS = Needs(("k", "q"), ("t",))


@dataclass(frozen=True)
class FakeTable:
    """A table in memory, whose features are the numbers of view and image."""

    features: Tensor  #: (views, n, 1)

    def rows(self, view: Tensor, image: Tensor) -> Tensor:
        return self.features[view, image]


def hyper(batch_size: int, validation: float) -> Hyper:
    return Hyper(
        epochs=1, batch_size=batch_size, lr=0.1, lr_schedule="constant", sgd_momentum=0.9,
        weight_decay=0.0, augmentation="crop-flip", precision="fp32", validation=validation,
    )  # fmt: skip


def feed(batch_size: int = 64, table: FakeTable | None = None, validation: float = 0.0) -> Feed:
    fp32 = Precision("fp32", torch.device("cpu"))
    return Feed(digits(), hyper(batch_size, validation), SEED, fp32, NEEDS, table)  # type: ignore[arg-type]


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
    drawn = {view: draw("crop-flip", DIGITS, N, SEED, view, 1, "cpu") for view in "qkt"}
    for batch in feed().epoch(1):
        assert torch.equal(batch.labels, digits().train_labels[batch.index])
        for view, parameters in drawn.items():
            images = digits().train_images[batch.index]
            expected = render(images, parameters[batch.index], DIGITS)
            assert torch.equal(batch.views[view], expected)


def test_a_table_is_read_at_the_image_and_the_view_that_are_shown() -> None:
    views = DIGITS.crop_views
    numbers = torch.arange(views)[:, None] * N + torch.arange(N)
    drawn = draw("crop-flip", DIGITS, N, SEED, "t", 1, "cpu")
    for batch in feed(table=FakeTable(numbers[..., None].float())).epoch(1):
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


def test_images_held_out_for_validation_are_never_shown() -> None:
    """Neither in a batch nor among the negatives; labels and views stay those of the images."""
    whole, part = feed(), feed(validation=0.1)
    assert whole.validation is None
    held_out = part.validation
    assert held_out is not None
    assert len(held_out.labels) == 60
    assert len(part.labels) == N - 60
    images = {image.numpy().tobytes() for image in held_out.images}
    numbers = torch.tensor(
        [i for i in range(N) if digits().train_images[i].numpy().tobytes() not in images]
    )
    batches = list(part.epoch(1))
    assert torch.equal(shown(batches).sort().values, torch.arange(N - 60))
    drawn = draw("crop-flip", DIGITS, N, SEED, "q", 1, "cpu")
    for batch in batches:
        number = numbers[batch.index]
        assert torch.equal(batch.labels, digits().train_labels[number])
        view = render(digits().train_images[number], drawn[number], DIGITS)
        assert torch.equal(batch.views["q"], view)


def test_the_validation_split_is_that_of_the_data_set() -> None:
    """The same for every seed; a smaller one is part of a larger one."""
    one, other = (replace(feed(validation=0.1), seed=seed).validation for seed in (0, 1))
    larger = feed(validation=0.3).validation
    assert one is not None and other is not None and larger is not None
    assert torch.equal(one.images, other.images)
    assert {i.numpy().tobytes() for i in one.images} < {i.numpy().tobytes() for i in larger.images}


def test_a_table_is_read_by_the_images_number_in_the_data_set() -> None:
    numbers = torch.arange(DIGITS.crop_views)[:, None] * N + torch.arange(N)
    part = feed(table=FakeTable(numbers[..., None].float()), validation=0.2)
    for batch in part.epoch(1):
        read = batch.teacher["t"].flatten().long() % N
        assert torch.equal(digits().train_labels[read], batch.labels)
        assert not torch.equal(read, batch.index)


def test_batches_for_statistics_are_a_function_of_seed_and_epoch() -> None:
    first = list(feed().statistics(1))
    assert [len(batch) for batch in first] == [128, 128, 128, 128, 87]
    for one, other in zip(first, feed(batch_size=299).statistics(1), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first[0], next(feed().statistics(2)))
    assert not torch.equal(first[0], next(replace(feed(), seed=9).statistics(1)))
