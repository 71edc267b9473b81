"""Batches of views, in an epoch's order, from data that already is on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ablate.training.data import ImageData
from ablate.training.precision import Precision
from ablate.training.randomness import order
from ablate.training.step import Batch
from ablate.training.views import Draw, draw, render, view_index


@dataclass(frozen=True)
class Feed:
    """What a run trains on; an epoch's batches are a function of (seed, epoch)."""

    data: ImageData
    augmentation: str
    batch_size: int
    seed: int
    precision: Precision
    table: Tensor | None = None  #: the teacher's features (views, n, width), if in a table

    @property
    def device(self) -> torch.device:
        """Where images are rendered and passes run."""
        return self.precision.device

    @property
    def steps(self) -> int:
        """Batches in an epoch; a last batch of one image is none, since BatchNorm needs two."""
        whole, rest = divmod(len(self.data.train_labels), self.batch_size)
        return whole + (rest > 1)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from step `start` on."""
        visits = order(self.seed, epoch, len(self.data.train_labels)).to(self.device)
        draws = _Draws(self, epoch)
        for step in range(start, self.steps):
            index = visits[step * self.batch_size : (step + 1) * self.batch_size]
            yield Batch(
                views=_Views(self, draws, index),
                labels=self.data.train_labels[index],
                index=index,
                step=(epoch - 1) * self.steps + step,
                table=None if self.table is None else _Lookup(self.table, draws, index),
            )


class _Draws(dict[str, Draw]):
    """View -> its random parameters for all images in one epoch, drawn when first asked for."""

    def __init__(self, feed: Feed, epoch: int) -> None:
        self.feed, self.epoch = feed, epoch

    def __missing__(self, view: str) -> Draw:
        feed = self.feed
        n, info = len(feed.data.train_labels), feed.data.info
        self[view] = draw(feed.augmentation, info, n, feed.seed, view, self.epoch, feed.device)
        return self[view]


class _Views(dict[str, Tensor]):
    """View -> images (n, C, H, W) of a batch, rendered when first asked for."""

    def __init__(self, feed: Feed, draws: _Draws, index: Tensor) -> None:
        self.feed, self.draws, self.index = feed, draws, index

    def __missing__(self, view: str) -> Tensor:
        data = self.feed.data
        images = render(data.train_images[self.index], self.draws[view][self.index], data.info)
        self[view] = self.feed.precision.lay_out(images)
        return self[view]


@dataclass(frozen=True)
class _Lookup:
    """View -> the teacher's features (n, width) of a batch, out of the table."""

    table: Tensor
    draws: _Draws
    index: Tensor

    def __call__(self, view: str) -> Tensor:
        return self.table[view_index(self.draws[view])[self.index], self.index]
