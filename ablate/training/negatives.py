"""CRD's negatives: for each image of a batch, K images of other classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ablate.training.randomness import generator


class Negatives:
    """Draws negatives; those of an image in an epoch are a function of (seed, epoch, image).

    `labels` (M,) are those of all training images. Each negative comes once where every class has
    enough others, as in the authors' code; where K exceeds them, with replacement.

    Drawing K of M numbers anew for each image would take longer than a GPU's step. So an epoch
    lays the images outside each class on a circle in a random order, and an image gets the K that
    follow a random place on the circle of its class. Alone, each draw has the distribution of K
    fresh draws; draws for images of one class in one epoch share their circle. The circles take
    4 bytes for each class and image: 20 MB for CIFAR-100.
    """

    def __init__(self, labels: Tensor, count: int, seed: int) -> None:
        self.count = count
        self._seed = seed
        self._labels = labels.cpu()
        self._device = labels.device
        self._by_class = self._labels.argsort(stable=True).int()
        sizes = self._labels.bincount()
        self._ends = sizes.cumsum(0).tolist()  # where a class ends in `_by_class`
        self._others: list[int] = (len(labels) - sizes).tolist()
        self._once = count <= min(self._others)
        # Without replacement a circle holds each other image once, else at least K draws.
        self._lengths = [n if self._once else max(n, count) for n in self._others]

    def epoch(self, epoch: int) -> Callable[[Tensor], Tensor]:
        """Draw one epoch; returns: numbers of images (n,) → numbers of their negatives (n, K)."""
        random = generator(self._seed, "negatives", epoch)
        circles = [self._circle(label, random) for label in range(len(self._lengths))]
        lengths = torch.tensor(self._lengths)[self._labels]
        share = torch.rand(len(lengths), dtype=torch.float64, generator=random)
        starts = torch.tensor([0, *map(len, circles)]).cumsum(0)[self._labels]
        places = (starts + (share * lengths).long()).to(self._device)
        line = torch.cat(circles).to(self._device)
        windows = line.unfold(0, self.count, 1)  # all of them, without a copy
        return lambda index: windows.index_select(0, places[index]).long()

    def _circle(self, label: int, random: torch.Generator) -> Tensor:
        """Images outside a class in random order, the first K − 1 again at the end."""
        length, others = self._lengths[label], self._others[label]
        if self._once:
            order = torch.randperm(length, generator=random)
        else:
            order = torch.randint(others, (length,), generator=random)
        # Going on from the end of the own class, round the corner, never comes to that class.
        images = self._by_class[(order + self._ends[label]) % len(self._by_class)]
        return torch.cat([images, images[: self.count - 1]])
