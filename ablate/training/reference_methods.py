"""Training without CoCoRD: on labels alone, and Hinton's distillation."""

from __future__ import annotations

from ablate.methods.reference_configs import KDConfig
from ablate.training import losses
from ablate.training.networks import Network
from ablate.training.step import (
    Batch,
    Needs,
    StepLosses,
    Trainable,
    frozen,
    weighted_sum,
)


class Supervised(Trainable):
    """A network that learns from labels: what teachers and reference students are."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.student = network
        self.teacher = None
        self.needs = Needs()
        self.train()

    def forward(self, batch: Batch) -> StepLosses:
        """Cross-entropy on view q."""
        logits = self.student(batch.views["q"])
        loss = losses.classification(logits, batch.labels)
        return StepLosses(
            loss, {"cls": loss}, {"train_top1": losses.accuracy(logits, batch.labels)}
        )


class KD(Trainable):
    """Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015."""

    def __init__(self, config: KDConfig, student: Network, teacher: Network | None) -> None:
        super().__init__()
        self.student = student
        self.teacher = frozen(teacher)
        self.temperature, self.weights = config.temperature, config.weights
        self.needs = Needs(teacher=config.teacher_views)
        self.train()

    def forward(self, batch: Batch) -> StepLosses:
        """Cross-entropy with labels and with the teacher's softened logits, on view q."""
        seen, logits = self.teacher_features(batch), self.student(batch.views["q"])
        terms = self.logit_terms(
            logits, batch, seen, weights=self.weights, temperature=self.temperature
        )
        measured = {"train_top1": losses.accuracy(logits, batch.labels)}
        return StepLosses(weighted_sum(terms, self.weights), terms, measured)
