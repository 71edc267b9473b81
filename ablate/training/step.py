"""What the training loop and the methods say to each other: a batch goes in, losses come out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor, nn

from ablate.training import losses
from ablate.training.networks import Network

#: view -> features (n, width) of the teacher on that view of a batch
FeatureLookup = Callable[[str], Tensor]


@dataclass
class Batch:
    """Some training images, seen through up to three views: "q", "k" and "t".

    `views` may render a view when it is first asked for, so what no loss asks for costs nothing.
    """

    views: Mapping[str, Tensor]  #: view -> normalised images (n, C, H, W)
    labels: Tensor  #: (n,)
    index: Tensor  #: (n,), numbers of the images in the training set
    step: int = 0  #: global number of this step, from 0
    table: FeatureLookup | None = None  #: the teacher's features, where they come from a table
    _of_teacher: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def teacher_features(self, view: str, teacher: Network | None) -> Tensor:
        """Features (n, width) of the frozen teacher on a view: looked up, or computed once."""
        if view not in self._of_teacher:
            if self.table is not None:
                self._of_teacher[view] = self.table(view)
            else:
                assert teacher is not None, "a loss looks at a teacher that is not there"
                self._of_teacher[view] = teacher.features(self.views[view])
        return self._of_teacher[view]


@dataclass(frozen=True)
class StepResult:
    """Losses of one step, each a scalar tensor."""

    total: Tensor  #: what the optimizer minimises
    terms: Mapping[str, Tensor]  #: name -> loss without its weight; only those that count
    measured: Mapping[str, Tensor] = field(default_factory=dict)  #: name -> other measure

    def named(self) -> dict[str, Tensor]:
        """Everything under its metric's name, total first: "loss", "loss_ctr", "contrast_acc"."""
        terms = {f"loss_{name}": value for name, value in self.terms.items()}
        return {"loss": self.total, **terms, **self.measured}


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Σ weight·loss over the terms that were computed."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()


def positive(weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of the losses that count."""
    return {name: weight for name, weight in weights.items() if weight > 0}


def frozen(teacher: Network | None) -> Network | None:
    """Keep autograd and the optimizer away from a teacher; return it."""
    return None if teacher is None else teacher.requires_grad_(False)


class Trainable(nn.Module, ABC):
    """A network in training together with all that its method needs to train it."""

    student: Network  #: the network that is evaluated and saved
    teacher: Network | None  #: frozen; None where no loss runs it

    @abstractmethod
    def step(self, batch: Batch) -> StepResult:
        """Run one step's passes up to the losses; the caller does the backward pass."""

    def logit_terms(
        self, batch: Batch, logits: Tensor, weights: Mapping[str, float], temperature: float
    ) -> dict[str, Tensor]:
        """Those of the losses "cls" and "kd" that count, of the student's logits on view q."""
        terms = {}
        if "cls" in weights:
            terms["cls"] = losses.classification(logits, batch.labels)
        if "kd" in weights:
            assert self.teacher is not None, "soft labels need the teacher's classifier"
            with torch.no_grad():
                soft = self.teacher.classify(batch.teacher_features("q", self.teacher))
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
