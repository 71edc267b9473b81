"""One optimizer step: a batch of plain tensors goes in, named losses come out.

A method (`Trainable`) computes its losses in `forward`; `OptimizerStep` is the step itself, shared
by the loop, the benchmarks and the tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from ablate.training import losses
from ablate.training.hyper import Hyper
from ablate.training.networks import Network
from ablate.training.precision import Precision


@dataclass(frozen=True)
class Needs:
    """What a method's step reads of a batch; nothing else is rendered, looked up or drawn."""

    views: tuple[str, ...] = ("q",)  #: whose images the student or its slow average sees
    teacher: tuple[str, ...] = ()  #: of which the teacher's features are read
    negatives: int = 0  #: images of other classes for each image


@dataclass(frozen=True)
class Batch:
    """Some training images, seen through up to three views "q", "k" and "t": plain tensors."""

    views: Mapping[str, Tensor]  #: view -> normalised images (n, C, H, W)
    labels: Tensor  #: (n,)
    index: Tensor  #: (n,), numbers of the images in the training set
    step: int = 0  #: global number of this step, from 0
    #: view -> the teacher's features (n, width) out of a table; empty where the teacher runs
    teacher: Mapping[str, Tensor] = field(default_factory=dict)
    negatives: Tensor | None = None  #: (n, K), numbers of images of other classes


@dataclass(frozen=True)
class StepLosses:
    """Losses of one step, each a scalar tensor."""

    total: Tensor  #: what the optimizer minimises
    terms: Mapping[str, Tensor]  #: name -> loss without its weight; only those that count
    measured: Mapping[str, Tensor] = field(default_factory=dict)  #: name -> other measure

    def named(self) -> dict[str, Tensor]:
        """Everything under its metric's name, total first: "loss", "loss_ctr", "contrast_acc"."""
        terms = {f"loss_{name}": value.detach() for name, value in self.terms.items()}
        return {"loss": self.total.detach(), **terms, **self.measured}


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight·loss over the terms that were computed."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def frozen(teacher: Network | None) -> Network | None:
    """Keep autograd and the optimizer away from a teacher; return it."""
    return None if teacher is None else teacher.requires_grad_(False)


class Trainable(nn.Module, ABC):
    """A network in training together with all that its method needs to train it."""

    student: Network  #: the network that is evaluated and saved
    teacher: Network | None  #: frozen; None where no loss runs it
    needs: Needs  #: what `forward` reads of a batch
    slow: Network | None = None  #: a slow average of the student that a loss looks at

    @abstractmethod
    def forward(self, batch: Batch) -> StepLosses:
        """Run one step's passes up to the losses; `OptimizerStep` does the rest."""

    @torch.no_grad()
    def teacher_features(self, batch: Batch) -> Mapping[str, Tensor]:
        """View -> features (n, width) of the frozen teacher: from the batch, or computed."""
        if batch.teacher or self.teacher is None:
            return batch.teacher
        return {view: self.teacher.features(batch.views[view]) for view in self.needs.teacher}

    def logit_terms(
        self,
        logits: Tensor,
        batch: Batch,
        seen: Mapping[str, Tensor],
        *,
        weights: Mapping[str, float],
        temperature: float,
    ) -> dict[str, Tensor]:
        """Those of the losses "cls" and "kd" that count.

        `logits` are the student's on view q, `seen` the teacher's features by view.
        """
        terms = {}
        if "cls" in weights:
            terms["cls"] = losses.classification(logits, batch.labels)
        if "kd" in weights:
            assert self.teacher is not None, "soft labels need the teacher's classifier"
            with torch.no_grad():
                soft = self.teacher.classify(seen["q"])
            terms["kd"] = losses.distillation(logits, soft, temperature)
        return terms

    def finish_step(self) -> None:
        """Do what follows the optimizer's step."""

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode, except the teacher, which is always in eval mode."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def saved_state(self) -> dict[str, Tensor]:
        """Parameters and buffers a checkpoint needs: all but the teacher's, which never change."""
        state = self.state_dict()
        return {key: value for key, value in state.items() if not key.startswith("teacher.")}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Load what `saved_state` returned."""
        kept = {k: v for k, v in self.state_dict().items() if k.startswith("teacher.")}
        self.load_state_dict({**kept, **state})


class OptimizerStep:
    """Forward, backward, SGD, and what the method does after it."""

    def __init__(self, method: Trainable, optimizer: torch.optim.SGD, precision: Precision) -> None:
        self.method = method
        self.optimizer = optimizer
        self.precision = precision

    @classmethod
    def by_recipe(cls, method: Trainable, hyper: Hyper, precision: Precision) -> Self:
        """Build the step with the recipe's SGD over all that the method learns."""
        learned = [p for p in method.parameters() if p.requires_grad]
        device = precision.device
        optimizer = torch.optim.SGD(
            learned,
            # On a GPU a tensor, which a graph of the step reads anew each time.
            torch.tensor(hyper.lr, device=device) if device.type == "cuda" else hyper.lr,
            hyper.sgd_momentum,
            weight_decay=hyper.weight_decay,
            fused=device.type in ("cpu", "cuda"),  # one kernel for all weights
        )
        if hyper.sgd_momentum:  # from the start, so that no step differs from another
            for weight in learned:
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        return cls(method, optimizer, precision)

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Take one step; return its losses and measures by metric, detached scalars."""
        with self.precision.autocast():
            result: StepLosses = self.method(batch)
        self.optimizer.zero_grad()
        result.total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.method.finish_step()
        return result.named()

    def set_learning_rate(self, lr: float) -> None:
        """Use another learning rate from the next step on."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)  # in place, where a graph reads it
            else:
                group["lr"] = lr

    def restore_optimizer(self, state: dict[str, Any]) -> None:
        """Load what `optimizer.state_dict()` gave; tensors may come from another device."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
