"""The parts of the methods for reference, KD and CRD: each declared once, without torch."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.methods.parts import Declared, Range, declared

_WEIGHT = Range(0, 1e6)
_TEMPERATURE = Range(0, 1000, open_low=True)


@dataclass(frozen=True)
class KDConfig(Declared):
    """Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015."""

    weight_cls: float = declared(
        "loss.cls",
        0.1,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_cls",
        label="weight of the classification loss",
        symbol="λ_cls",
    )
    weight_kd: float = declared(
        "loss.kd",
        0.9,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_kd",
        label="weight of Hinton's distillation loss",
        symbol="λ_kd",
    )
    temperature: float = declared(
        "kd.temperature",
        4.0,
        _TEMPERATURE,
        label="temperature of the distillation loss",
        symbol="T",
    )

    @property
    def weights(self) -> dict[str, float]:
        """Term -> weight, of the terms that count."""
        return _positive({"cls": self.weight_cls, "kd": self.weight_kd})

    @property
    def teacher_views(self) -> tuple[str, ...]:
        """Views of which the teacher's features are read."""
        return ("q",) if "kd" in self.weights else ()


@dataclass(frozen=True)
class CRDConfig(Declared):
    """Tian, Krishnan, Isola: Contrastive Representation Distillation, ICLR 2020."""

    weight_cls: float = declared(
        "loss.cls",
        1.0,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_cls",
        label="weight of the classification loss",
        symbol="λ_cls",
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
    )
    weight_crd: float = declared(
        "loss.crd",
        0.8,
        _WEIGHT,
        off=0.0,
        off_label="w/o L_crd",
        label="weight of the CRD loss",
        symbol="λ_crd",
    )
    kd_temperature: float = declared(
        "kd.temperature",
        4.0,
        _TEMPERATURE,
        label="temperature of the distillation loss",
        symbol="T",
    )
    temperature: float = declared(
        "crd.temperature", 0.07, _TEMPERATURE, label="temperature of the CRD loss", symbol="τ"
    )
    negatives: int = declared(
        "crd.negatives", 16384, Range(1, whole=True), label="negatives per image", symbol="K"
    )
    momentum: float = declared(
        "crd.momentum", 0.5, Range(0, 1), label="momentum of the memory", symbol="memory momentum"
    )
    embedding: int = declared(
        "crd.embedding",
        128,
        Range(1, 65_536, whole=True),
        label="width of the embedding",
        symbol="embedding",
    )

    @property
    def weights(self) -> dict[str, float]:
        """Term -> weight, of the terms that count."""
        return _positive({"cls": self.weight_cls, "kd": self.weight_kd, "crd": self.weight_crd})

    @property
    def teacher_views(self) -> tuple[str, ...]:
        """Views of which the teacher's features are read."""
        return ("q",) if {"kd", "crd"} & self.weights.keys() else ()


def _positive(weights: dict[str, float]) -> dict[str, float]:
    return {name: weight for name, weight in weights.items() if weight > 0}
