"""CoCoRD: contrastive consistent representation distillation (Fu, Yang, Yang; BMVC 2023).

The student learns from a dictionary of keys that encode what the teacher sees (contrast), and
from predicting what a slow average of itself says of another view (consistency). Which network
encodes what, which losses count and how heads meet across widths are settings, since each is a
part that studies ablate. A setting that switches a loss off also switches off its passes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ablate.methods.cocord_config import (
    BY_SLOW_STUDENT,
    BY_STUDENT,
    BY_TEACHER,
    CoCoRDConfig,
    Encoded,
)
from ablate.methods.session import Outcome, Session
from ablate.training import losses
from ablate.training.heads import predictor, projection_head
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


class CoCoRD(Trainable):
    """Student, teacher, heads, slow averages and dictionary, and one step that uses them.

    `teacher` may be None where its features come from a table and no loss needs its logits;
    `teacher_dim` is the width of its features. First weights are functions of `seed`.
    """

    queue: Tensor  #: dictionary of keys (N, embedding), unit vectors, a ring buffer
    queue_ptr: Tensor  #: where the next key is written, ()

    def __init__(
        self,
        config: CoCoRDConfig,
        student: Network,
        teacher: Network | None,
        teacher_dim: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = frozen(teacher)
        self._build_heads(teacher_dim, seed)
        self._build_slow()
        random = torch.randn(
            config.dictionary, config.embedding, generator=generator(seed, "dictionary")
        )
        self.register_buffer("queue", losses.unit(random))
        self.register_buffer("queue_ptr", torch.zeros((), dtype=torch.long))
        self._keys: Tensor | None = None
        passes = self.passes = config.passes
        averages = {BY_SLOW_STUDENT: self._slow_average, BY_TEACHER: self._teacher_average}
        self._averages = [averages[name] for name in averages if name in passes.encoders]
        self.needs = Needs(passes.rendered, passes.teacher)
        self.train()

    def _build_heads(self, teacher_dim: int, seed: int) -> None:
        config, width = self.config, self.student.feature_dim
        self.adapter: nn.Module = nn.Identity()
        if config.mismatch == "adapter" and teacher_dim != width:
            with initialising(seed, "adapter"):
                self.adapter = nn.Linear(width, teacher_dim)
            width = teacher_dim
        shape = (config.width, config.embedding, config.depth, config.norm)
        with initialising(seed, "student_head"):
            self.student_head = projection_head(width, *shape)
        if width == teacher_dim:
            self.teacher_head = copy.deepcopy(self.student_head)
        else:
            with initialising(seed, "teacher_head"):
                self.teacher_head = projection_head(teacher_dim, *shape)
        self.teacher_head.requires_grad_(False)
        self.predictor: nn.Module = nn.Identity()
        if config.predictor:
            with initialising(seed, "predictor"):
                self.predictor = predictor(config.embedding, config.predictor_width)

    def _build_slow(self) -> None:
        self.slow_student = copy.deepcopy(self.student).requires_grad_(False)
        self.slow_adapter = copy.deepcopy(self.adapter).requires_grad_(False)
        self.slow_head = copy.deepcopy(self.student_head).requires_grad_(False)
        self._slow_average = _Average(self.config.slow_momentum)
        self._slow_average.follow(self.slow_student, self.student)
        self._slow_average.follow(self.slow_adapter, self.adapter)
        self._slow_average.follow(self.slow_head, self.student_head)
        self._teacher_average = _Average(self.config.teacher_head_momentum)
        for slow, fast in zip(self.teacher_head, self.student_head, strict=True):
            # Layer by layer: where the first Linear differs in shape, all of it stays as it is,
            # its bias too.
            if _shapes(slow) == _shapes(fast):
                self._teacher_average.follow(slow, fast)

    @property
    def slow(self) -> Network | None:  # type: ignore[override]
        """The slow student, where a loss looks at it; its statistics are its own."""
        return self.slow_student if BY_SLOW_STUDENT in self.passes.encoders else None

    def forward(self, batch: Batch) -> StepLosses:
        """Run one step up to its losses, in the order of the paper's algorithm.

        Student passes; momentum updates, which so see the weights of the previous optimizer step;
        then, without gradient, keys and targets. The keys wait for `finish_step`.
        """
        config, passes, counts = self.config, self.passes, self.passes.weights
        seen = self.teacher_features(batch)
        features = {view: self.student.features(batch.views[view]) for view in passes.student}
        z = {view: self.student_head(self.adapter(features[view])) for view in passes.embedded}
        for average in self._averages:
            average.update()
        encode = _Encoder(self, batch, seen, z)
        terms: dict[str, Tensor] = {}
        measured: dict[str, Tensor] = {}
        self._keys = None
        if "ctr" in counts:
            self._keys = losses.unit(encode(config.contrastive, config.contrastive_view))
            alike = losses.similarities(z["q"], self._keys, self.queue, config.temperature)
            terms["ctr"] = losses.info_nce(alike)
            measured["contrast_acc"] = losses.contrastive_accuracy(alike)
        for name, (source, target) in passes.directions.items():
            terms[name] = losses.prediction(
                self.predictor(z[source]), encode(config.cognate, target)
            )
        if {"cls", "kd"} & counts.keys():
            logits = self.student.classify(features["q"])
            measured["train_top1"] = losses.accuracy(logits, batch.labels)
            terms |= self.logit_terms(
                logits, batch, seen, weights=counts, temperature=config.kd_temperature
            )
        return StepLosses(weighted_sum(terms, counts), terms, measured)

    def finish_step(self) -> None:
        """Let the step's keys enter the dictionary, after the optimizer's step."""
        if self._keys is not None:
            self.enqueue(self._keys)
            self._keys = None

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Write keys (n, embedding) over the n oldest of the dictionary; n is at most N."""
        size = len(self.queue)
        places = torch.arange(len(keys), device=keys.device).add_(self.queue_ptr).remainder_(size)
        self.queue.index_copy_(0, places, keys)
        self.queue_ptr.add_(len(keys)).remainder_(size)


class _Encoder:
    """Embeddings of views by any of the three encoders, without gradient, once in a step."""

    def __init__(
        self, method: CoCoRD, batch: Batch, seen: Mapping[str, Tensor], z: Mapping[str, Tensor]
    ) -> None:
        self.method, self.batch, self.seen = method, batch, seen
        self.done: dict[Encoded, Tensor] = {(BY_STUDENT, view): z[view].detach() for view in z}

    @torch.no_grad()
    def __call__(self, encoder: str, view: str) -> Tensor:
        """Embedding (n, embedding) of a view."""
        if (encoder, view) not in self.done:
            self.done[encoder, view] = self._encode(encoder, view)
        return self.done[encoder, view]

    def _encode(self, encoder: str, view: str) -> Tensor:
        method = self.method
        embedding: Tensor
        if encoder == BY_TEACHER:
            embedding = method.teacher_head(self.seen[view])
        elif encoder == BY_STUDENT:
            features = method.student.features(self.batch.views[view])
            embedding = method.student_head(method.adapter(features))
        else:
            features = method.slow_student.features(self.batch.views[view])
            embedding = method.slow_head(method.slow_adapter(features))
        return embedding


class _Average:
    """Exponential moving averages of parameters; buffers are left alone."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self._slow: list[Tensor] = []
        self._fast: list[Tensor] = []

    def follow(self, slow: nn.Module, fast: nn.Module) -> None:
        """Let the parameters of `slow` follow those of `fast`."""
        self._slow += slow.parameters()
        self._fast += fast.parameters()

    @torch.no_grad()
    def update(self) -> None:
        """Move: slow ← momentum·slow + (1 − momentum)·fast."""
        if self.momentum < 1 and self._slow:
            torch._foreach_lerp_(self._slow, self._fast, 1 - self.momentum)


def _shapes(layer: nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in layer.parameters()]


def train(session: Session) -> Outcome:
    """Train a student by CoCoRD: the program of its jobs."""

    def build(setting: Setting, student: Network, teacher: Network | None) -> CoCoRD:
        config = CoCoRDConfig.from_settings(setting.config.settings)
        return CoCoRD(config, student, teacher, setting.teacher_width, setting.config.seed)

    return distill(session, build)
