"""Randomness is a function, not a state: every draw follows from (seed, purpose, epoch).

So variants of one seed see the same weights, order and views, and a resumed run sees what an
uninterrupted one would have seen. All draws are made on the CPU and moved, since the generators
of other devices give other numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor

from ablate.training.seeding import hashed


def generator(seed: int, purpose: str, epoch: int = 0) -> Generator:
    """Return a fresh CPU generator for one purpose in one epoch (0: not bound to an epoch)."""
    # torch's CPU generator takes up the low 32 bits only. Two keys that meet by chance, one pair
    # in four thousand million, would be a view that looks like another's of another epoch.
    return Generator().manual_seed(hashed(seed, purpose, epoch))


def order(seed: int, epoch: int, n: int, purpose: str = "order") -> Tensor:
    """Order in which an epoch visits n training images: a permutation (n,), int64, on the CPU."""
    return torch.randperm(n, generator=generator(seed, purpose, epoch))


@contextmanager
def initialising(seed: int, purpose: str) -> Iterator[None]:
    """Let torch's default CPU generator be `generator(seed, purpose)` inside a `with` block.

    Modules draw their first weights from the default generator and take no other; outside the
    block it goes on as if nothing had happened.
    """
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would also reseed the GPUs, and those are not forked.
        torch.default_generator.manual_seed(hashed(seed, purpose, 0))
        yield


def seed_layers(seed: int, step: int) -> None:
    """Let what layers draw in a step follow from (seed, step): dropout takes no generator.

    Without it a run that resumes would drop other units than one that was not interrupted.
    """
    torch.manual_seed(hashed(seed, "layers", step))
