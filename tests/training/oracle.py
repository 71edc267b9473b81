"""CoCoRD's step written down literally, to compare with: every pass, no shortcut, no option.

It follows the numbered steps of the paper's algorithm and shares with the package only the
networks. All passes always run, momentum moves one tensor after another, and the dictionary is
copied before it is used. `benchmarks/step.py` times it as the plain step.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Hyperparameters:
    """The paper's defaults."""

    temperature: float = 0.1
    teacher_head_momentum: float = 0.999  # m_c
    slow_momentum: float = 0.9  # m_r
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"ctr": 1.0, "cls": 1.0, "pred": 4.0, "pred_sym": 4.0}
    )


def head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


class Oracle:
    """Networks, dictionary and optimizer of equal feature widths, and the step over them."""

    def __init__(
        self,
        nets: Mapping[str, Any],
        dictionary: Tensor,
        hyper: Hyperparameters,
        *,
        lr: float,
        weight_decay: float = 5e-4,
    ) -> None:
        """`nets`: student, teacher, student_head, predictor, from which the rest is copied."""
        self.hyper = hyper
        self.nets: dict[str, Any] = dict(nets)
        self.nets["slow_student"] = copy.deepcopy(nets["student"])
        self.nets["slow_head"] = copy.deepcopy(nets["student_head"])
        self.nets.setdefault("teacher_head", copy.deepcopy(nets["student_head"]))
        for net in self.nets.values():
            net.train()
        self.nets["teacher"].eval()
        self.dictionary = dictionary.clone()
        self.pointer = 0
        learned = [
            p for n in ("student", "student_head", "predictor") for p in nets[n].parameters()
        ]
        self.optimizer = torch.optim.SGD(learned, lr, momentum=0.9, weight_decay=weight_decay)

    def set_learning_rate(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def step(self, q: Tensor, k: Tensor, t: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """One step on three views (n, C, H, W) of each image; returns the losses by name."""
        nets, hyper = self.nets, self.hyper
        # 1. Embeddings of views q and k; class logits of view q.
        features = nets["student"].features(q)
        logits = nets["student"].classify(features)
        z1 = nets["student_head"](features)
        z2 = nets["student_head"](nets["student"].features(k))
        # 2. Predictions, of embeddings that are not normalised.
        p1, p2 = nets["predictor"](z1), nets["predictor"](z2)
        with torch.no_grad():
            # 3. Momentum first, so that it sees the weights of the previous optimizer step.
            self._follow("slow_student", "student", hyper.slow_momentum)
            self._follow("slow_head", "student_head", hyper.slow_momentum)
            self._follow("teacher_head", "student_head", hyper.teacher_head_momentum)
            # 4. Keys and targets.
            key = F.normalize(nets["teacher_head"](nets["teacher"].features(t)), dim=1)
            y1 = nets["slow_head"](nets["slow_student"].features(k))
            y2 = nets["slow_head"](nets["slow_student"].features(q))
        # 5. The dictionary is read before this batch's keys enter it.
        query, dictionary = F.normalize(z1, dim=1), self.dictionary.clone().detach()
        alike = torch.cat([(query * key).sum(dim=1, keepdim=True), query @ dictionary.T], dim=1)
        target = torch.zeros(len(labels), dtype=torch.long, device=labels.device)
        losses = {
            "ctr": F.cross_entropy(alike / hyper.temperature, target),
            "cls": F.cross_entropy(logits, labels),
            # 6. The second is the first with the two views swapped.
            "pred": (2 - 2 * F.cosine_similarity(p1, y1, dim=1)).mean(),
            "pred_sym": (2 - 2 * F.cosine_similarity(p2, y2, dim=1)).mean(),
        }
        # 7. The weighted sum, SGD, and then the keys enter the dictionary.
        total = sum((hyper.weights[name] * loss for name, loss in losses.items()), torch.zeros(()))
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        self._enter(key)
        accuracy = 100 * (alike.argmax(dim=1) == 0).double().mean()
        train_top1 = 100 * (logits.argmax(dim=1) == labels).double().mean()
        measured = {"total": total, "contrast_acc": accuracy, "train_top1": train_top1}
        return {name: value.detach() for name, value in {**losses, **measured}.items()}

    def _follow(self, slow: str, fast: str, momentum: float) -> None:
        if momentum == 1:  # frozen, as the paper's teacher head where feature widths differ
            return
        pairs = zip(self.nets[slow].parameters(), self.nets[fast].parameters(), strict=True)
        for one, other in pairs:
            one.data = one.data * momentum + other.data * (1 - momentum)

    def _enter(self, keys: Tensor) -> None:
        for key in keys:
            self.dictionary[self.pointer] = key
            self.pointer = (self.pointer + 1) % len(self.dictionary)

    @torch.no_grad()
    def evaluate(self, images: Tensor, labels: Tensor) -> dict[str, float]:
        """Top-1, top-5 in percent and mean cross-entropy of the student, image by image."""
        student = self.nets["student"].eval()
        logits = torch.cat([student(image[None]) for image in images])
        student.train()
        best = logits.argsort(dim=1, descending=True)
        return {
            "top1": 100 * (best[:, 0] == labels).double().mean().item(),
            "top5": 100 * (best[:, :5] == labels[:, None]).any(dim=1).double().mean().item(),
            "test_loss": F.cross_entropy(logits, labels).item(),
        }
