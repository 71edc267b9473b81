"""CRD: contrastive representation distillation (Tian, Krishnan, Isola; ICLR 2020).

Each image has one row in a memory of student embeddings and one in a memory of teacher
embeddings. A critic tells an image's own row in the other network's memory from K rows of images
of other classes (their section 3.2), which bounds the mutual information of the two from below.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ablate.methods.reference_configs import CRDConfig
from ablate.methods.session import Outcome, Session
from ablate.training import losses
from ablate.training.networks import Network
from ablate.training.programs import Setting, distill
from ablate.training.randomness import generator, initialising
from ablate.training.step import (
    Batch,
    Needs,
    StepLosses,
    Trainable,
    frozen,
    weighted_sum,
)


class CRD(Trainable):
    """Student, embeddings of both networks, memories, and one step that uses them.

    `images` is M, the number of training images; the embeddings are linear and learned.
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
        images: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = frozen(teacher)
        with initialising(seed, "embed_student"):
            self.embed_student = nn.Linear(student.feature_dim, config.embedding)
        with initialising(seed, "embed_teacher"):
            self.embed_teacher = nn.Linear(teacher_dim, config.embedding)
        for name in ("memory_student", "memory_teacher"):
            shape = images, config.embedding
            self.register_buffer(
                name, losses.unit(torch.randn(shape, generator=generator(seed, name)))
            )
        self.register_buffer("log_z", torch.zeros(2))
        self._entering: tuple[Tensor, Tensor, Tensor] | None = None
        self._weights = config.weights
        negatives = config.negatives if "crd" in self._weights else 0
        self.needs = Needs(teacher=config.teacher_views, negatives=negatives)
        self.train()

    def forward(self, batch: Batch) -> StepLosses:
        """Run one step up to its losses; both networks see view q."""
        seen = self.teacher_features(batch)
        features = self.student.features(batch.views["q"])
        terms: dict[str, Tensor] = {}
        measured: dict[str, Tensor] = {}
        self._entering = None
        if "crd" in self._weights:
            v_student = losses.unit(self.embed_student(features))
            v_teacher = losses.unit(self.embed_teacher(seen["q"]))
            terms["crd"] = self._contrast(batch, v_student, v_teacher)
            self._entering = batch.index, v_student.detach(), v_teacher.detach()
        if {"cls", "kd"} & self._weights.keys():
            logits = self.student.classify(features)
            measured["train_top1"] = losses.accuracy(logits, batch.labels)
            terms |= self.logit_terms(
                logits, batch, seen, weights=self._weights, temperature=self.config.kd_temperature
            )
        return StepLosses(weighted_sum(terms, self._weights), terms, measured)

    def _contrast(self, batch: Batch, v_student: Tensor, v_teacher: Tensor) -> Tensor:
        """L_crd: student anchors against the teacher's memory plus the reverse."""
        assert batch.negatives is not None
        rows = torch.cat([batch.index[:, None], batch.negatives], dim=1)
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
        log_c = math.log(self.config.negatives / len(self.memory_student))
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


def train(session: Session) -> Outcome:
    """Train a student by CRD: the program of its jobs."""

    def build(setting: Setting, student: Network, teacher: Network | None) -> CRD:
        config = CRDConfig.from_settings(setting.config.settings)
        images, seed = len(setting.data.train_labels), setting.config.seed
        return CRD(config, student, teacher, setting.teacher_width, images=images, seed=seed)

    return distill(session, build)
