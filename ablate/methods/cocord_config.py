"""CoCoRD's parts in the paper's notation, and the passes of one step that they ask for.

Fu, Yang, Yang: Contrastive Consistent Representation Distillation, BMVC 2023. This is the one
declaration: studies are checked against it and training runs by it. It needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ablate.methods.parts import Choice, Declared, Range, Value, declared
from ablate.methods.recipe_config import ON_OFF

BY_TEACHER, BY_STUDENT, BY_SLOW_STUDENT = "teacher", "student", "slow_student"  #: encoders

#: Term of the prediction loss -> (view that predicts, view whose target it predicts).
DIRECTIONS: dict[str, tuple[str, str]] = {"pred": ("q", "k"), "pred_sym": ("k", "q")}

Encoded = tuple[str, str]  #: (encoder, view)

_ENCODERS = Choice((BY_TEACHER, BY_STUDENT, BY_SLOW_STUDENT))
_MOMENTUM = Range(0, 1)
_WEIGHT = Range(0, 1e6)
_WIDTH = Range(1, 65_536, whole=True)
_TEMPERATURE = Range(0, 1000, open_low=True)


def _encoder_labels(role: str) -> dict[Value, str]:
    """Labels such as "cognate encoder: slow student"."""
    return {name: f"{role}: {str(name).replace('_', ' ')}" for name in _ENCODERS.values}


@dataclass(frozen=True)
class Passes:
    """What one step computes. What is not here costs nothing and moves no running statistics."""

    weights: Mapping[str, float]  #: term -> weight, of the terms that count
    directions: Mapping[str, tuple[str, str]]  #: of `DIRECTIONS`, those that count
    embedded: tuple[str, ...]  #: views of which the student's embedding is learned, q before k
    student: tuple[str, ...]  #: views that the student sees with gradient, q before k
    encoded: frozenset[Encoded]  #: keys and targets, without gradient

    @property
    def encoders(self) -> frozenset[str]:
        """Encoders of keys and targets."""
        return frozenset(encoder for encoder, _ in self.encoded)

    @property
    def teacher(self) -> tuple[str, ...]:
        """Views of which the teacher's features are read."""
        views = {view for encoder, view in self.encoded if encoder == BY_TEACHER}
        return tuple(sorted(views | ({"q"} if "kd" in self.weights else set())))

    @property
    def rendered(self) -> tuple[str, ...]:
        """Views whose images the student or its slow average sees."""
        others = {view for encoder, view in self.encoded if encoder != BY_TEACHER}
        return tuple(sorted({*self.student, *others}))


@dataclass(frozen=True)
class CoCoRDConfig(Declared):
    """The parts of the method."""

    direction: str = declared(
        "prediction.direction",
        "both",
        Choice(("both", "pred", "pred_sym")),
        off="pred",
        label="symmetrization of the prediction loss",
        value_labels={
            "both": "L_pred + L̃_pred",
            "pred": "L_pred only",
            "pred_sym": "L̃_pred only",
        },
        aliases=(
            "direction of the prediction loss",
            "symmetrized prediction loss (L_pred)",
            "L_pred symmetrization",
            "symmetrization of L_pred",
        ),
        value_aliases={"both": ("both directions", "symmetrized", "symmetric")},
        source="section 3, not ablated",
        help="which view predicts which: k from q (pred), q from k (pred_sym), or both",
    )
    weight_ctr: float = declared(
        "loss.ctr",
        1.0,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_ctr",
        label="weight of the contrastive loss",
        symbol="λ_ctr",
        aliases=("contrastive loss", "L_ctr", "loss balancing factor λ_ctr"),
        source="section 4.3.3 (Table 7)",
    )
    weight_cls: float = declared(
        "loss.cls",
        1.0,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_cls",
        label="weight of the classification loss",
        symbol="λ_cls",
        aliases=("classification loss", "task loss", "L_cls"),
        source="section 4.3.3 (Table 7)",
    )
    weight_pred: float = declared(
        "loss.pred",
        4.0,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_pred",
        label="weight of the prediction loss",
        symbol="λ_pred",
        aliases=("prediction loss", "L_pred", "loss balancing factor λ_pred"),
        source="section 4.3.3 (Table 7)",
    )
    weight_kd: float = declared(
        "loss.kd",
        0.0,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_kd",
        on=1.0,
        label="weight of Hinton's distillation loss",
        symbol="λ_kd",
        aliases=("KD loss", "L_kd"),
        source="published tables (CoCoRD+KD)",
    )
    kd_temperature: float = declared(
        "kd.temperature",
        4.0,
        _TEMPERATURE,
        label="temperature of Hinton's distillation loss",
        symbol="T",
    )
    temperature: float = declared(
        "temperature",
        0.1,
        _TEMPERATURE,
        label="temperature of the contrastive loss",
        symbol="τ",
        aliases=("temperature", "InfoNCE temperature"),
        source="section 4.3.3 (figure 3)",
    )
    dictionary: int = declared(
        "dictionary.size",
        2048,
        Range(1, 10_000_000, whole=True),
        label="size of the dictionary",
        symbol="N",
        aliases=("dictionary size", "queue size", "number of negatives"),
        source="section 4.3.3 (figure 3)",
    )
    teacher_head_momentum: float = declared(
        "momentum.teacher_head",
        0.999,
        _MOMENTUM,
        off=1.0,
        label="momentum update of the teacher projection head",
        symbol="m_c",
        aliases=("momentum coefficient of the teacher projection head",),
        value_aliases={1.0: ("frozen", "not updated"), 0.0: ("no momentum",)},
        source="sections 1 and 4.3.2 (Table 6); m_c = 1 where feature widths differ",
        help="0: a copy of the student head, 1: frozen",
    )
    slow_momentum: float = declared(
        "momentum.slow_student",
        0.9,
        _MOMENTUM,
        off=0.0,
        label="momentum update of the slow student",
        symbol="m_r",
        aliases=(
            "momentum coefficient of the slow-moving student",
            "momentum update of the slow-moving student",
        ),
        value_aliases={1.0: ("frozen", "not updated"), 0.0: ("no momentum",)},
        source="section 4.3.2 (Table 6)",
        help="0: a copy of the student, 1: frozen",
    )
    mismatch: str = declared(
        "mismatch",
        "matching-layers",
        Choice(("matching-layers", "adapter")),
        label="rule where the feature widths of teacher and student differ",
        symbol="mismatch",
        value_labels={"matching-layers": "matching layers", "adapter": "learned adapter"},
        help="matching-layers: momentum on the head's layers of equal shape, the first Linear "
        "stays random and frozen; adapter: a learned linear map takes student features to the "
        "teacher's width, so that the whole head matches",
    )
    contrastive: str = declared(
        "encoder.contrastive",
        BY_TEACHER,
        _ENCODERS,
        label="encoder of the dictionary",
        symbol="contrastive encoder",
        value_labels=_encoder_labels("contrastive encoder"),
        aliases=("dictionary encoder",),
        source="section 4.3.1 (Table 5)",
    )
    cognate: str = declared(
        "encoder.cognate",
        BY_SLOW_STUDENT,
        _ENCODERS,
        label="encoder of the prediction's target",
        symbol="cognate encoder",
        value_labels=_encoder_labels("cognate encoder"),
        source="section 4.3.1 (Table 5)",
    )
    contrastive_view: str = declared(
        "encoder.contrastive_view",
        "t",
        Choice(("t", "k", "q")),
        label="view that the contrastive encoder sees",
        symbol="contrastive view",
    )
    depth: int = declared(
        "head.depth",
        2,
        Range(1, 6, whole=True),
        help="number of linear layers",
        label="depth of the projection heads",
        symbol="head depth",
        aliases=("number of layers in the projection heads",),
        value_aliases={
            1: ("one linear layer", "single linear layer"),
            2: ("two-layer perceptron", "two-layer MLP"),
            3: ("three-layer perceptron", "three-layer MLP"),
        },
    )
    width: int = declared(
        "head.width",
        2048,
        _WIDTH,
        label="hidden width of the projection heads",
        symbol="head width",
    )
    embedding: int = declared(
        "head.embedding", 2048, _WIDTH, label="width of the embedding", symbol="embedding"
    )
    norm: str = declared(
        "head.norm",
        "batch",
        Choice(("batch", "layer", "none")),
        off="none",
        label="normalisation in the projection heads",
        symbol="head norm",
        value_labels={
            "batch": "batch normalisation in heads",
            "layer": "layer normalisation in heads",
            "none": "no normalisation in heads",
        },
    )
    predictor: bool = declared(
        "predictor.enabled",
        True,
        ON_OFF,
        off=False,
        label="predictor",
        symbol="predictor",
        value_labels={True: "with predictor", False: "w/o predictor"},
        aliases=("prediction head",),
        value_aliases={True: ("two-layer perceptron",)},
    )
    predictor_width: int = declared(
        "predictor.width",
        512,
        _WIDTH,
        label="hidden width of the predictor",
        symbol="predictor width",
    )

    @property
    def weights(self) -> Mapping[str, float]:
        """Term -> weight, of the terms that count."""
        return self.passes.weights

    @property
    def passes(self) -> Passes:
        """What a step computes."""
        return plan_passes(
            self.direction,
            (self.weight_ctr, self.weight_cls, self.weight_kd, self.weight_pred),
            keys=(self.contrastive, self.contrastive_view),
            cognate=self.cognate,
        )

    @property
    def teacher_views(self) -> tuple[str, ...]:
        """Views of which the teacher's features are read."""
        return self.passes.teacher


@cache
def plan_passes(
    direction: str, weights: tuple[float, float, float, float], *, keys: Encoded, cognate: str
) -> Passes:
    """What a step computes; `weights` are those of ctr, cls, kd and of each prediction."""
    *others, prediction = weights
    chosen = tuple(DIRECTIONS) if direction == "both" else (direction,)
    counts = dict(zip(("ctr", "cls", "kd"), others, strict=True))
    counts |= dict.fromkeys(chosen, prediction)
    counts = {name: weight for name, weight in counts.items() if weight > 0}
    directions = {name: DIRECTIONS[name] for name in DIRECTIONS if name in counts}
    encoded = {keys} if "ctr" in counts else set()
    embedded = {source for source, _ in directions.values()} | ({"q"} if encoded else set())
    student = embedded | ({"q"} if {"cls", "kd"} & counts.keys() else set())
    return Passes(
        counts,
        directions,
        embedded=tuple(sorted(embedded, reverse=True)),
        student=tuple(sorted(student, reverse=True)),
        encoded=frozenset(encoded | {(cognate, target) for _, target in directions.values()}),
    )
