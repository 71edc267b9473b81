"""Parts that all of the package's own methods share: how long, how fast, on which views.

The baseline is the recipe that the field uses on CIFAR-100 (240 epochs, batch 64, SGD).
"""

from __future__ import annotations

from collections.abc import Mapping

from ablate.methods.catalog import SMALL_LR_NETWORKS
from ablate.methods.metrics import TOP1, VALIDATION_TOP1, Metric
from ablate.methods.parts import Choice, Part, Range, Values
from ablate.methods.session import STUDENT_ROLE, JobConfig

ON_OFF = Choice((True, False))

EPOCHS = Part("epochs", "training epochs", "epochs", 240, Range(1, whole=True))
BATCH_SIZE = Part("batch_size", "batch size", "batch size", 64, Range(2, 65_536, whole=True))
LR = Part("lr", "learning rate", "lr", 0.05, Range(0, 100, open_low=True))
LR_SCHEDULE = Part(
    "lr_schedule",
    "learning rate schedule",
    "schedule",
    "step",
    Choice(("step", "cosine", "constant")),
    help="step: ×0.1 after 5/8, 6/8 and 7/8 of the epochs, which is 150, 180 and 210 of 240",
)
SGD_MOMENTUM = Part("sgd_momentum", "momentum of SGD", "SGD momentum", 0.9, Range(0, 1))
WEIGHT_DECAY = Part("weight_decay", "weight decay", "weight decay", 5e-4, Range(0, 1), off=0.0)
PRECISION = Part(
    "precision",
    "arithmetic of the forward and backward pass",
    "precision",
    "fp32",
    Choice(("fp32", "bf16")),
    help="bf16 runs passes under autocast in channels-last layout; fp32 is never TF32",
)
DETERMINISTIC = Part("deterministic", "deterministic algorithms", "deterministic", True, ON_OFF)
AUGMENTATION = Part(
    "views.augmentation",
    "augmentation of the views",
    "views",
    "crop-flip",
    Choice(
        (
            "none",
            "crop-flip",
            "crop-flip-jitter",
            "crop-flip-blur",
            "crop-flip-jitter-blur",
            "random-resized-crop",
        )
    ),
    value_labels={
        "none": "no augmentation",
        "crop-flip": "crop and flip",
        "crop-flip-jitter": "crop and flip, colour jitter",
        "crop-flip-blur": "crop and flip, blur",
        "crop-flip-jitter-blur": "crop and flip, colour jitter, blur",
        "random-resized-crop": "random-resized crop and flip",
    },
    off="none",
    help="flips only where a mirrored image still is of its class; the data set says",
)
VALIDATION = Part(
    "val",
    "share of the training images held out for validation",
    "val",
    0.0,
    Range(0, 0.5),
    help="drawn once per data set; the best epoch is chosen there, not on the test images",
)
RECIPE: tuple[Part, ...] = (
    EPOCHS,
    BATCH_SIZE,
    LR,
    LR_SCHEDULE,
    SGD_MOMENTUM,
    WEIGHT_DECAY,
    PRECISION,
    DETERMINISTIC,
    AUGMENTATION,
    VALIDATION,
)

#: Views that are one of finitely many per image, so that a frozen teacher's features are a table.
FINITE_VIEWS = frozenset({"none", "crop-flip"})


def recipe_inert(job: JobConfig) -> dict[str, str]:
    """Parts of the recipe that change nothing in this job -> when they would count."""
    if int(job.settings[EPOCHS.name]) == 1:
        return {LR_SCHEDULE.name: "with more than one epoch"}
    return {}


def recipe_for(networks: Mapping[str, str]) -> Values:
    """Changes to the recipe's baseline that the field makes for some students."""
    small = networks.get(STUDENT_ROLE) in SMALL_LR_NETWORKS
    return {LR.name: 0.01} if small else {}


def selection_metric(settings: Values) -> Metric:
    """The metric by which the best epoch is chosen."""
    return VALIDATION_TOP1 if float(settings.get(VALIDATION.name, 0)) > 0 else TOP1
