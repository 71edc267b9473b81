"""A loop over epochs for programs of a user's own: it resumes, saves, stops and keeps the best.

What an epoch does, and with which library, is the caller's; nothing here loads torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ablate.methods.metrics import Metric
from ablate.methods.session import Outcome, Position, Session

_LENGTH = 4  #: bytes that say how long the loop's own part of a checkpoint is


@dataclass
class _Measured:
    """What was measured up to the end of an epoch."""

    epoch: int = 0
    last: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0

    def add(self, metrics: Mapping[str, float], best_by: Metric | None) -> None:
        """Take up the metrics of the next epoch."""
        self.epoch, self.last = self.epoch + 1, dict(metrics)
        name = best_by.name if best_by else ""
        if best_by and (not self.best or best_by.improves(metrics[name], on=self.best[name])):
            self.best, self.best_epoch = self.last, self.epoch


def train_epochs(
    session: Session,
    epochs: int,
    train_epoch: Callable[[int], Mapping[str, float]],
    *,
    save: Callable[[], bytes],
    restore: Callable[[bytes], None],
    best_by: Metric | None = None,
    weights_digest: Callable[[], str] | None = None,
) -> Outcome:
    """Train the epochs that are left, from 1 to `epochs`, and return what was measured.

    `train_epoch` trains the epoch of this number and returns its metrics by name. It draws every
    random number as a function of (seed, purpose, epoch), see `ablate.training.seeding`.
    `save` gives all that the next epoch needs as bytes, and `restore` takes them up again: a run
    that was killed then ends as one that was not. `best_by` is the metric that chooses the best
    epoch; without it none is chosen. `weights_digest` tells at the end what was trained, so that
    `ablate verify` compares it.

    Raises Interrupted, which is to be let through, when the job is asked to stop.
    """
    measured = _Measured()
    saved = session.resume()
    if saved is not None:
        end = _LENGTH + int.from_bytes(saved[:_LENGTH], "big")
        measured = _Measured(**json.loads(saved[_LENGTH:end]))
        restore(saved[end:])

    def snapshot() -> bytes:
        own = json.dumps(vars(measured)).encode()
        return len(own).to_bytes(_LENGTH, "big") + own + save()

    while measured.epoch < epochs:
        metrics = {name: float(value) for name, value in train_epoch(measured.epoch + 1).items()}
        measured.add(metrics, best_by)
        session.log_epoch(measured.epoch, measured.epoch, metrics)
        session.step_done(Position(measured.epoch, measured.epoch, epoch_ended=True), snapshot)
    digest = weights_digest() if weights_digest else ""
    return Outcome(measured.last, measured.best, measured.best_epoch, digest)
