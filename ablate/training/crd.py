"""CRD: contrastive representation distillation (Tian, Krishnan, Isola; ICLR 2020).

Each image has one row in a memory of student embeddings and one in a memory of teacher
embeddings. A critic tells an image's own row in the other network's memory from K rows of images
of other classes (their section 3.2), which bounds the mutual information of the two from below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Generator, Tensor, nn

from ablate.methods.parts import Values
from ablate.training import losses
from ablate.training.networks import Network
from ablate.training.randomness import generator, initialising
from ablate.training.step import Batch, StepResult, Trainable, frozen, positive, weighted_sum


@dataclass(frozen=True)
class CRDConfig:
    """The parts of the method, typed; each field says which part it is."""

    weight_cls: float  #: loss.cls
    weight_kd: float  #: loss.kd
    weight_crd: float  #: loss.crd
    kd_temperature: float  #: kd.temperature
    temperature: float  #: crd.temperature
    negatives: int  #: crd.negatives, K; may exceed the training images, see `Negatives`
    momentum: float  #: crd.momentum
    embedding: int  #: crd.embedding

    @classmethod
    def from_settings(cls, settings: Values) -> Self:
        """Read a job's settings, whose values the parts have checked."""
        return cls(
            weight_cls=float(settings["loss.cls"]),
            weight_kd=float(settings["loss.kd"]),
            weight_crd=float(settings["loss.crd"]),
            kd_temperature=float(settings["kd.temperature"]),
            temperature=float(settings["crd.temperature"]),
            negatives=int(settings["crd.negatives"]),
            momentum=float(settings["crd.momentum"]),
            embedding=int(settings["crd.embedding"]),
        )

    @property
    def weights(self) -> dict[str, float]:
        """Loss -> weight, of the losses that count."""
        return positive({"cls": self.weight_cls, "kd": self.weight_kd, "crd": self.weight_crd})


class CRD(Trainable):
    """Student, embeddings of both networks, memories, and one step that uses them.

    `labels` (M,) are those of all training images; the embeddings are linear and learned.
    """

    memory_student: Tensor  #: (M, embedding), unit vectors
    memory_teacher: Tensor  #: (M, embedding), unit vectors
    log_z: Tensor  #: (2,), logarithms of the normalisers of student and teacher anchors

    def __init__(
        self,
        config: CRDConfig,
        student: Network,
        teacher: Network | None,
        teacher_dim: int,
        labels: Tensor,
        seed: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = frozen(teacher)
        self.negatives = Negatives(labels, config.negatives, seed)
        with initialising(seed, "embed_student"):
            self.embed_student = nn.Linear(student.feature_dim, config.embedding)
        with initialising(seed, "embed_teacher"):
            self.embed_teacher = nn.Linear(teacher_dim, config.embedding)
        for name in ("memory_student", "memory_teacher"):
            shape = len(labels), config.embedding
            self.register_buffer(
                name, losses.unit(torch.randn(shape, generator=generator(seed, name)))
            )
        self.register_buffer("log_z", torch.zeros(2))
        self._entering: tuple[Tensor, Tensor, Tensor] | None = None
        self._weights = config.weights
        self.train()

    def step(self, batch: Batch) -> StepResult:
        """Run one step up to its losses; both networks see view q."""
        features = self.student.features(batch.views["q"])
        terms: dict[str, Tensor] = {}
        self._entering = None
        if "crd" in self._weights:
            seen = batch.teacher_features("q", self.teacher)
            v_student = losses.unit(self.embed_student(features))
            v_teacher = losses.unit(self.embed_teacher(seen))
            terms["crd"] = self._contrast(batch, v_student, v_teacher)
            self._entering = batch.index, v_student.detach(), v_teacher.detach()
        if {"cls", "kd"} & self._weights.keys():
            logits = self.student.classify(features)
            terms |= self.logit_terms(batch, logits, self._weights, self.config.kd_temperature)
        return StepResult(weighted_sum(terms, self._weights), terms)

    def _contrast(self, batch: Batch, v_student: Tensor, v_teacher: Tensor) -> Tensor:
        """L_crd: student anchors against the teacher's memory plus the reverse."""
        rows = torch.cat([batch.index[:, None], self.negatives.draw(batch)], dim=1)
        anchors = (v_student, self.memory_teacher), (v_teacher, self.memory_student)
        # One product with all rows, of which K + 1 are picked, moves far less memory than
        # gathering K + 1 rows for each anchor.
        logits = [
            losses.dot_products(anchor, memory).gather(1, rows) / self.config.temperature
            for anchor, memory in anchors
        ]
        if batch.step == 0:
            self._estimate_z(logits)
        # c = K/M in the paper's equation for h.
        log_c = math.log(self.negatives.count / len(self.memory_student))
        return torch.stack(
            [
                losses.noise_contrast(one - z - log_c)
                for one, z in zip(logits, self.log_z, strict=True)
            ]
        ).sum()

    @torch.no_grad()
    def _estimate_z(self, logits: list[Tensor]) -> None:
        # The normaliser of M rows is estimated once, from the first batch (Wu et al. 2018, on
        # whose memory CRD builds): without it, exp(1/τ) is far above c for every pair.
        m = len(self.memory_student)
        self.log_z.copy_(
            torch.stack([one.flatten().logsumexp(0) + math.log(m / one.numel()) for one in logits])
        )

    @torch.no_grad()
    def finish_step(self) -> None:
        """Move the batch's rows of both memories towards its embeddings."""
        if self._entering is None:
            return
        index, v_student, v_teacher = self._entering
        for memory, v in ((self.memory_student, v_student), (self.memory_teacher, v_teacher)):
            mixed = torch.lerp(v, memory[index], self.config.momentum)
            memory.index_copy_(0, index, losses.unit(mixed))
        self._entering = None


class Negatives:
    """Draws images of other classes: a function of (seed, step).

    Each image once an anchor where every class has enough others, as in the authors' code; where
    K exceeds them, with replacement.
    """

    def __init__(self, labels: Tensor, count: int, seed: int) -> None:
        self.count = count
        self._seed = seed
        self._labels = labels
        self._by_class = labels.argsort(stable=True)
        sizes = labels.bincount()
        self._ends = sizes.cumsum(0)  # (classes,), where a class ends in `_by_class`
        self._others = len(labels) - sizes  # (classes,)
        self._largest = int(sizes.max())
        self._enough = count <= len(labels) - self._largest

    def draw(self, batch: Batch) -> Tensor:
        """Numbers of training images (n, count), none of its own image's class."""
        random = generator(self._seed, "negatives", batch.step)
        return self._once(batch, random) if self._enough else self._again(batch, random)

    def _once(self, batch: Batch, random: Generator) -> Tensor:
        device = batch.labels.device
        # The first of a random order of all images: so many that enough are of other classes.
        shape = len(batch.labels), self.count + self._largest
        first = torch.empty(shape, dtype=torch.int32, pin_memory=device.type == "cuda")
        for row in first:
            order = torch.randperm(len(self._labels), dtype=torch.int32, generator=random)
            row.copy_(order[: len(row)])
        first = first.to(device, non_blocking=True).long()
        own = torch.take(self._labels, first) == batch.labels[:, None]
        # A stable sort moves those of other classes to the front and keeps their random order.
        places = own.to(torch.uint8).argsort(dim=1, stable=True)[:, : self.count]
        return first.gather(1, places)

    def _again(self, batch: Batch, random: Generator) -> Tensor:
        device = batch.labels.device
        drawn = torch.rand(
            (len(batch.labels), self.count),
            dtype=torch.float64,
            generator=random,
            pin_memory=device.type == "cuda",  # else the copy would wait for the step before
        ).to(device, non_blocking=True)
        after = (drawn * self._others[batch.labels, None]).long()
        # Going on from the end of the own class, round the corner, never comes to that class.
        places = (self._ends[batch.labels, None] + after) % len(self._by_class)
        return torch.take(self._by_class, places)
