"""Batches in an epoch's order, from data that already is on the device: plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ablate.methods.catalog import FOLDER
from ablate.training.data import ImageData
from ablate.training.data.images import rows
from ablate.training.evaluate import EvaluationSplit
from ablate.training.hyper import Hyper
from ablate.training.negatives import Negatives
from ablate.training.precision import Precision
from ablate.training.randomness import generator, order
from ablate.training.step import Batch, Needs
from ablate.training.teacher_table import TeacherTable
from ablate.training.views import Draw, draw, render, view_index

#: How many batches of how many images estimate BatchNorm statistics; fewer where an epoch has
#: fewer images. Neither follows from a setting, so that all variants are measured alike.
STATISTICS_BATCHES, STATISTICS_BATCH = 20, 128


@dataclass(frozen=True)
class Feed:
    """What a run trains on; an epoch's batches are a function of (seed, epoch).

    `Batch.index` counts the images that are trained on: without those held out for validation.
    """

    data: ImageData
    hyper: Hyper
    seed: int
    precision: Precision
    needs: Needs = field(default_factory=Needs)  #: what the step reads of a batch
    table: TeacherTable | None = None  #: the teacher's features, where they are tabulated

    @property
    def device(self) -> torch.device:
        """Where images are rendered and passes run."""
        return self.precision.device

    @cached_property
    def _numbers(self) -> tuple[Tensor, Tensor]:
        """Numbers in the data set of the images held out, and of those trained on, in order.

        Drawn by the data set alone: the same for every seed, method and study.
        """
        data, n = self.data, len(self.data.train_labels)
        name = FOLDER if data.info.name.startswith(FOLDER) else data.info.name
        shuffled = torch.randperm(n, generator=generator(0, f"validation split of {name}"))
        held_out = round(n * self.hyper.validation)
        parts = shuffled[:held_out], shuffled[held_out:]
        return parts[0].sort().values.to(self.device), parts[1].sort().values.to(self.device)

    @cached_property
    def labels(self) -> Tensor:
        """Labels (M,) of the images that are trained on."""
        return self.data.train_labels[self._numbers[1]]

    @property
    def validation(self) -> EvaluationSplit | None:
        """The images held out; None without a validation split."""
        numbers, data = self._numbers[0], self.data
        if not len(numbers):
            return None
        return EvaluationSplit(
            rows(data.train_images, numbers), data.train_labels[numbers], data.info
        )

    @property
    def steps(self) -> int:
        """Batches in an epoch; a last batch of one image is none, since BatchNorm needs two."""
        whole, rest = divmod(len(self.labels), self.hyper.batch_size)
        return whole + (rest > 1)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch from step `start` on."""
        batches = self._batches(epoch, start)
        # On a GPU one batch ahead: its rows of the table are read while the step before runs.
        return _ahead(batches) if self.device.type == "cuda" else batches

    def _batches(self, epoch: int, start: int) -> Iterator[Batch]:
        needs, numbers, size = self.needs, self._numbers[1], self.hyper.batch_size
        rendered = {*needs.views} if self.table else {*needs.views, *needs.teacher}
        draws = self._draws(rendered, epoch, self.device)
        features = self._features(epoch)
        negatives = self._negatives.epoch(epoch) if needs.negatives else None
        visits = order(self.seed, epoch, len(numbers))
        on_device = visits.to(self.device)
        for step in range(start, self.steps):
            batch = slice(step * size, (step + 1) * size)
            index = on_device[batch]
            number = numbers[index]
            yield Batch(
                views=self._render(number, {view: draws[view][number] for view in rendered}),
                labels=self.labels[index],
                index=index,
                step=(epoch - 1) * self.steps + step,
                teacher=features(visits[batch]),
                negatives=negatives(index) if negatives else None,
            )

    def _features(self, epoch: int) -> Callable[[Tensor], dict[str, Tensor]]:
        """Function: images (n,) on the CPU → view -> the teacher's features on the device."""
        table = self.table
        if table is None:
            return lambda _: {}
        numbers = self._numbers[1].cpu()
        draws = self._draws(self.needs.teacher, epoch, torch.device("cpu"))

        def look_up(index: Tensor) -> dict[str, Tensor]:
            number = numbers[index]
            return {
                view: self._to_device(table.rows(view_index(draws[view])[number], number))
                for view in self.needs.teacher
            }

        return look_up

    def _to_device(self, rows: Tensor) -> Tensor:
        # From pageable memory the copy would wait for the step before.
        rows = rows.pin_memory() if self.device.type == "cuda" else rows
        return rows.to(self.device, non_blocking=True)

    def statistics(self, epoch: int) -> Iterator[Tensor]:
        """Yield the batches of training views (n, C, H, W) that estimate BatchNorm statistics."""
        view, numbers = "statistics", self._numbers[1]
        draws = self._draws([view], epoch, self.device)[view]
        visits = order(self.seed, epoch, len(numbers), "order of statistics").to(self.device)
        for index in torch.split(visits[: STATISTICS_BATCHES * STATISTICS_BATCH], STATISTICS_BATCH):
            if len(index) > 1:
                yield self._render(numbers[index], {view: draws[numbers[index]]})[view]

    @cached_property
    def _negatives(self) -> Negatives:
        return Negatives(self.labels, self.needs.negatives, self.seed)

    def _draws(self, views: Iterable[str], epoch: int, device: torch.device) -> dict[str, Draw]:
        """View -> its random parameters for all images in one epoch."""
        data, n = self.data, len(self.data.train_labels)
        return {
            view: draw(
                self.hyper.augmentation, data.info, n, self.seed, view, epoch, device
            )
            for view in sorted(views)
        }  # fmt: skip

    def _render(self, number: Tensor, draws: Mapping[str, Draw]) -> dict[str, Tensor]:
        images, info = rows(self.data.train_images, number), self.data.info
        return {
            view: self.precision.lay_out(render(images, parameters, info))
            for view, parameters in draws.items()
        }


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Prepare each batch before the one that precedes it is used."""
    current = next(batches, None)
    for following in batches:
        assert current is not None
        yield current
        current = following
    if current is not None:
        yield current
