"""Batches in an epoch's order, from data that already is on the device: plain tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ablate.training.data import ImageData
from ablate.training.negatives import Negatives
from ablate.training.precision import Precision
from ablate.training.randomness import order
from ablate.training.step import Batch, Needs
from ablate.training.views import draw, render, view_index


@dataclass(frozen=True)
class Feed:
    """What a run trains on; an epoch's batches are a function of (seed, epoch)."""

    data: ImageData
    augmentation: str
    batch_size: int
    seed: int
    precision: Precision
    needs: Needs = field(default_factory=Needs)  #: what the step reads of a batch
    table: Tensor | None = None  #: the teacher's features (views, n, width), if in a table

    @property
    def device(self) -> torch.device:
        """Where images are rendered and passes run."""
        return self.precision.device

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self.data.train_labels)

    @property
    def steps(self) -> int:
        """Batches in an epoch; a last batch of one image is none, since BatchNorm needs two."""
        whole, rest = divmod(self.images, self.batch_size)
        return whole + (rest > 1)

    @cached_property
    def _negatives(self) -> Negatives:
        return Negatives(self.data.train_labels, self.needs.negatives, self.seed)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from step `start` on."""
        data, tabulated = self.data, self.needs.teacher if self.table is not None else ()
        rendered = self.needs.views if tabulated else {*self.needs.views, *self.needs.teacher}
        visits = order(self.seed, epoch, self.images).to(self.device)
        draws = {
            view: draw(
                self.augmentation, data.info, self.images, self.seed, view, epoch, self.device
            )
            for view in sorted({*rendered, *tabulated})
        }
        negatives = self._negatives.epoch(epoch) if self.needs.negatives else None
        for step in range(start, self.steps):
            index = visits[step * self.batch_size : (step + 1) * self.batch_size]
            images = data.train_images[index]
            yield Batch(
                views={
                    view: self.precision.lay_out(render(images, draws[view][index], data.info))
                    for view in sorted(rendered)
                },
                labels=data.train_labels[index],
                index=index,
                step=(epoch - 1) * self.steps + step,
                teacher={
                    view: self.table[view_index(draws[view])[index], index] for view in tabulated
                }
                if self.table is not None
                else {},
                negatives=None if negatives is None else negatives(index),
            )
