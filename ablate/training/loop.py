"""The training loop. It knows batches, losses by name and a session; it knows no method.

Every random draw is a function of (seed, purpose, epoch), so all that a snapshot has to keep is
weights, optimizer, position and what was measured so far: a run that resumes in the middle of an
epoch goes on to the same bits.

The last, partial batch of an epoch is used, as the field does, unless it is a single image, of
which BatchNorm has no variance: that image is skipped, and it is another one each epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice

import torch
from torch import Tensor

from ablate.errors import DivergedError, InputError, Problem
from ablate.methods.metrics import Metric
from ablate.methods.session import Position, Session
from ablate.training import checkpoint, fast
from ablate.training.batchnorm import reestimated
from ablate.training.evaluate import EvaluationSplit, evaluate
from ablate.training.fast_trials import kind_of
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.randomness import seed_layers
from ablate.training.step import OptimizerStep, Trainable


@dataclass
class LossSums:
    """Sums of named scalars over an epoch's images, kept on the device: adding never waits."""

    names: list[str] = field(default_factory=list)
    sums: Tensor | None = None  #: (len(names),), float64
    images: int = 0

    def add(self, values: Mapping[str, Tensor], images: int) -> None:
        """Add means over a batch, weighted by its images."""
        means = torch.stack([*values.values()]).double()
        if self.sums is None:
            self.names, self.sums = list(values), torch.zeros_like(means)
        self.sums.add_(means, alpha=images)
        self.images += images

    def means(self) -> dict[str, float]:
        """Mean of each over all images so far."""
        sums = [] if self.sums is None else self.sums.tolist()
        return {name: s / self.images for name, s in zip(self.names, sums, strict=True)}


@dataclass
class Progress:
    """How far a run is and what it measured, beside weights and optimizer."""

    epoch: int = 1  #: the epoch in progress, from 1
    step: int = 0  #: steps done in it
    sums: LossSums = field(default_factory=LossSums)
    last: dict[str, float] = field(default_factory=dict)  #: metrics of the last finished epoch
    best: dict[str, float] = field(default_factory=dict)  #: of the best epoch
    best_epoch: int = 0

    def end_epoch(self, metrics: dict[str, float], selected_by: Metric) -> bool:
        """Note a finished epoch's metrics and stand at the start of the next one.

        Returns whether it is the best so far by the metric `selected_by`.
        """
        self.last = metrics
        name = selected_by.name
        best = not self.best or selected_by.improves(metrics[name], on=self.best[name])
        if best:
            self.best, self.best_epoch = metrics, self.epoch
        self.epoch, self.step, self.sums = self.epoch + 1, 0, LossSums()
        return best


class TrainingRun:
    """One training run, fresh or resumed."""

    def __init__(self, session: Session, trainable: Trainable, feed: Feed, hyper: Hyper) -> None:
        self.session = session
        self.trainable = trainable
        self.feed = feed
        self.hyper = hyper
        self.progress = Progress()
        self.best_weights: dict[str, Tensor] = {}  #: of the student at the best epoch, on the CPU
        self.step = OptimizerStep.by_recipe(trainable, hyper, feed.precision)
        self.path = fast.Chosen(self.step, "")
        if not feed.steps:
            raise InputError(Problem(session.config.data, "", "fewer than 2 training images"))

    def train(self) -> Progress:
        """Train up to the last epoch and return what was measured."""
        self._resume()
        self.trainable.train()
        self._choose_path()
        while self.progress.epoch <= self.hyper.epochs:
            self._epoch(self.progress.epoch)
        return self.progress

    def _choose_path(self) -> None:
        """Let the fast path prove itself on batches of an epoch; the state stays as it is."""
        whole = (b for b in self.feed.epoch(1) if len(b.labels) == self.hyper.batch_size)
        needed = self.hyper.fast != "off" and fast.builder_for(self.feed.device) is not None
        batches = list(islice(whole, 1, 1 + fast.STEPS)) if needed else []  # not the very first
        kind = kind_of(self.session.config, self.feed.device) if needed else ""
        self.path = fast.choose(self.step, batches, self.hyper.fast, kind)

    def _epoch(self, epoch: int) -> None:
        self.step.set_learning_rate(self.hyper.lr_at(epoch))
        done_before = (epoch - 1) * self.feed.steps
        for batch in self.feed.epoch(epoch, self.progress.step):
            seed_layers(self.session.config.seed, batch.step)
            self.progress.sums.add(self.path.take(batch), len(batch.labels))
            self.progress.step += 1
            steps = done_before + self.progress.step
            ended = self.progress.step == self.feed.steps
            if ended:
                self._end_epoch(steps)
            self.session.step_done(Position(epoch, steps, ended), self.snapshot)

    def _end_epoch(self, steps: int) -> None:
        losses = self.progress.sums.means()
        self._require_finite(losses)  # before the test images are looked at
        started = time.perf_counter()
        metrics = self._evaluate() | losses  # its numbers come to the host: nothing is pending
        evaluation_s = time.perf_counter() - started
        self.trainable.train()
        self._require_finite(metrics)
        self.session.log_epoch(self.progress.epoch, steps, metrics, evaluation_s=evaluation_s)
        if self.progress.end_epoch(metrics, self.hyper.selection):
            state = self.trainable.student.state_dict()
            self.best_weights = {key: value.cpu().clone() for key, value in state.items()}

    def _evaluate(self) -> dict[str, float]:
        """Metrics of the student and, where there is one, of its slow average."""
        feed, precision, student = self.feed, self.feed.precision, self.trainable.student
        test, validation = EvaluationSplit.test(feed.data), feed.validation
        metrics = dict(evaluate(student, test, precision).metrics)
        alike = reestimated(student, feed.statistics(self.progress.epoch), precision)
        metrics["top1_reestimated"] = evaluate(alike, test, precision).metrics["top1"]
        if validation is not None:
            metrics["val_top1"] = evaluate(student, validation, precision).metrics["top1"]
        if self.trainable.slow is not None:
            slow = evaluate(self.trainable.slow, test, precision)
            metrics["slow_top1"] = slow.metrics["top1"]
        return metrics

    def _require_finite(self, values: Mapping[str, float]) -> None:
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            shown = ", ".join(f"{name} = {values[name]}" for name in bad)
            raise DivergedError(f"training diverged in epoch {self.progress.epoch}: {shown}")

    def snapshot(self) -> bytes:
        """Everything a resumed run needs; `DivergedError` where it would keep a bad state."""
        model = self.trainable.saved_state()
        self._require_finite(self.progress.sums.means())
        finite = [t.isfinite().all() for t in model.values() if t.is_floating_point()]
        if not torch.stack(finite).all():
            epoch = self.progress.epoch - (not self.progress.step)  # one that ended counts on
            raise DivergedError(f"training diverged in epoch {epoch}: a weight is not finite")
        state = {"model": model, "optimizer": self.step.optimizer.state_dict()}
        state["best_weights"] = self.best_weights
        return checkpoint.pack({**state, "progress": asdict(self.progress)})

    def _resume(self) -> None:
        """Take up the newest checkpoint; its bytes and tensors are let go before training."""
        content = self.session.resume()
        if content is None:
            return
        state = checkpoint.unpack(content)
        self.trainable.restore(state["model"])
        self.step.restore_optimizer(state["optimizer"])
        self.best_weights = state["best_weights"]
        progress = state["progress"]
        sums = LossSums(**progress.pop("sums"))
        if sums.sums is not None:
            sums.sums = sums.sums.to(self.feed.device)
        self.progress = Progress(**progress, sums=sums)
