"""The recipe in training: the learning rate of each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ablate.methods.recipe_config import RecipeConfig


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
class Hyper(RecipeConfig):
    """The recipe, and the learning rates that follow from it."""

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1."""
        return self.lr * _SCHEDULES[self.lr_schedule](epoch, self.epochs)
