"""The recipe that all of the package's own methods share, as the one declaration of its parts.

The baseline is what the field uses on CIFAR-100: 240 epochs, batch 64, SGD (RepDistiller).
"""

from __future__ import annotations

from dataclasses import dataclass

from ablate.methods.metrics import TOP1, VALIDATION_TOP1, Metric
from ablate.methods.parts import Choice, Declared, Range, declared

ON_OFF = Choice((True, False))


@dataclass(frozen=True)
class RecipeConfig(Declared):
    """How long, how fast, on which views, in which arithmetic."""

    epochs: int = declared(
        "epochs", 240, Range(1, whole=True), label="training epochs", symbol="epochs"
    )
    batch_size: int = declared(
        "batch_size", 64, Range(2, 65_536, whole=True), label="batch size", symbol="batch size"
    )
    lr: float = declared(
        "lr", 0.05, Range(0, 100, open_low=True), label="learning rate", symbol="lr"
    )
    lr_schedule: str = declared(
        "lr_schedule",
        "step",
        Choice(("step", "cosine", "constant")),
        label="learning rate schedule",
        symbol="schedule",
        help="step: ×0.1 after 5/8, 6/8 and 7/8 of the epochs, which is 150, 180 and 210 of 240",
    )
    sgd_momentum: float = declared(
        "sgd_momentum", 0.9, Range(0, 1), label="momentum of SGD", symbol="SGD momentum"
    )
    weight_decay: float = declared(
        "weight_decay", 5e-4, Range(0, 1), off=0.0, label="weight decay", symbol="weight decay"
    )
    precision: str = declared(
        "precision",
        "fp32",
        Choice(("fp32", "bf16")),
        label="arithmetic of the forward and backward pass",
        symbol="precision",
        help="bf16 runs passes under autocast in channels-last layout; fp32 is never TF32",
    )
    deterministic: bool = declared(
        "deterministic", True, ON_OFF, label="deterministic algorithms", symbol="deterministic"
    )
    fast: str = declared(
        "fast",
        "bits",
        Choice(("bits", "tolerance", "off")),
        label="fast path of the training step",
        symbol="fast path",
        help="on a GPU; bits: used if it equals the plain step to the bit, tolerance: to 1e-3",
    )
    augmentation: str = declared(
        "views.augmentation", "crop-flip",
        Choice(("none", "crop-flip", "crop-flip-jitter", "crop-flip-blur",
                "crop-flip-jitter-blur", "random-resized-crop")),
        off="none",
        label="augmentation of the views", symbol="views",
        value_labels={
            "none": "no augmentation",
            "crop-flip": "crop and flip",
            "crop-flip-jitter": "crop and flip, colour jitter",
            "crop-flip-blur": "crop and flip, blur",
            "crop-flip-jitter-blur": "crop and flip, colour jitter, blur",
            "random-resized-crop": "random-resized crop and flip",
        },
        help="flips only where a mirrored image still is of its class; the data set says",
    )  # fmt: skip
    validation: float = declared(
        "val",
        0.0,
        Range(0, 0.5),
        label="share of the training images held out for validation",
        symbol="val",
        aliases=("validation split",),
        help="drawn once per data set; the best epoch is chosen there, not on the test images",
    )

    @property
    def selection(self) -> Metric:
        """The metric by which the best epoch is chosen."""
        return VALIDATION_TOP1 if self.validation > 0 else TOP1


AUGMENTATION = RecipeConfig.part("views.augmentation")

#: Views that are one of finitely many per image, so that a frozen teacher's features are a table.
FINITE_VIEWS = frozenset({"none", "crop-flip"})
