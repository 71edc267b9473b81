"""The recipe's settings, typed: how long, how fast, in which arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ablate.methods.parts import Values


def _step(epoch: int, epochs: int) -> float:
    # Whole numbers, so that 5/8 of 240 epochs are 150 and no rounding makes it 149 or 151.
    return 0.1 ** sum(8 * (epoch - 1) >= eighths * epochs for eighths in (5, 6, 7))


def _cosine(epoch: int, epochs: int) -> float:
    return (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


#: lr_schedule -> factor on the learning rate in a 1-based epoch out of so many.
_SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "step": _step,
    "cosine": _cosine,
    "constant": lambda _epoch, _epochs: 1.0,
}


@dataclass(frozen=True)
class Hyper:
    """Settings of `ablate.methods.recipe`; each field says which part it is."""

    epochs: int
    batch_size: int
    lr: float
    lr_schedule: str
    sgd_momentum: float
    weight_decay: float
    augmentation: str  #: views.augmentation
    precision: str
    validation: float = 0.0  #: val, the share of training images that are held out

    @classmethod
    def from_settings(cls, settings: Values) -> Self:
        """Read a job's settings, whose values the parts have checked."""
        return cls(
            epochs=int(settings["epochs"]),
            batch_size=int(settings["batch_size"]),
            lr=float(settings["lr"]),
            lr_schedule=str(settings["lr_schedule"]),
            sgd_momentum=float(settings["sgd_momentum"]),
            weight_decay=float(settings["weight_decay"]),
            augmentation=str(settings["views.augmentation"]),
            precision=str(settings["precision"]),
            validation=float(settings["val"]),
        )

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1."""
        return self.lr * _SCHEDULES[self.lr_schedule](epoch, self.epochs)
