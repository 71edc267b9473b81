"""A metric: one measured quantity that a method declares, with the words that tables need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ablate.methods.parts import plain


class Better(StrEnum):
    """Which values of a metric are better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Metric:
    """One measured quantity of a finished job.

    >>> Metric("macro_f1", label="macro F1", better=Better.HIGHER, digits=3)
    """

    name: str  #: as a program returns it and files and exports write it: "top1"
    label: str  #: as a table's head prints it: "Top-1 accuracy (%)"
    unit: str = ""  #: "%", "s", "MiB" or ""; differences of "%" are percentage points
    better: Better | None = None  #: None: rows are not ranked by it, and no effect is claimed
    digits: int = 2  #: decimals shown; statistics always use all
    cost: bool = False  #: depends on the machine, so no two runs agree to the bit
    aliases: tuple[str, ...] = ()  #: other words for it, such as "accuracy"
    #: Nobody said which values are better: rows are compared as higher or lower, and not ranked.
    undirected: bool = False

    @property
    def compared(self) -> bool:
        """Whether rows are compared by it."""
        return (self.comparable or self.undirected) and not self.cost

    @property
    def comparable(self) -> bool:
        """Whether rows may be ranked by it."""
        return self.better is not None

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values are better; a metric without a direction is shown as if so."""
        return self.better is not Better.LOWER

    def improves(self, value: float, on: float) -> bool:
        """Whether `value` is better than `on`."""
        return value > on if self.better is Better.HIGHER else value < on

    def words(self) -> tuple[str, ...]:
        """Its name, label and aliases."""
        return (self.name, self.label, *self.aliases)

    def to_json(self) -> dict[str, Any]:
        """Plain types; `from_json` gives the equal metric back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Metric:
        """Read what `to_json` gave, as parsed from its JSON text."""
        better = document["better"] and Better(document["better"])
        return cls(**{**document, "better": better, "aliases": tuple(document["aliases"])})


def find_metric(words: str, metrics: Iterable[Metric]) -> Metric | None:
    """Metric by its name, label or alias, as a plan writes it; None if there is no such metric."""
    folded = plain(words)
    return next((m for m in metrics if folded in map(plain, m.words())), None)


#: The accuracy that papers report; the best epoch is the one where it is highest.
TOP1 = Metric(
    "top1",
    label="Top-1 accuracy (%)",
    unit="%",
    better=Better.HIGHER,
    aliases=("Top-1 accuracy", "Top-1"),
)

#: The accuracy that chooses the best epoch where images are held out for validation.
VALIDATION_TOP1 = Metric(
    "val_top1",
    label="Top-1 accuracy on the validation split (%)",
    unit="%",
    better=Better.HIGHER,
)

#: What the package's own programs measure of a classifier.
CLASSIFICATION: tuple[Metric, ...] = (
    TOP1,
    # With BatchNorm statistics that no variant's passes decide.
    Metric("top1_reestimated", label="Top-1 accuracy, re-estimated statistics (%)", unit="%",
           better=Better.HIGHER),
    VALIDATION_TOP1,
    Metric("top5", label="Top-5 accuracy (%)", unit="%", better=Better.HIGHER,
           aliases=("Top-5 accuracy", "Top-5")),
    Metric("test_loss", label="Test cross-entropy", better=Better.LOWER, digits=4),
    # A sum of terms that differ from row to row.
    Metric("loss", label="Training loss", digits=4),
    Metric("train_top1", label="Top-1 accuracy on training views (%)", unit="%",
           better=Better.HIGHER),
    Metric("loss_cls", label="L_cls", better=Better.LOWER, digits=4),
)  # fmt: skip

#: What the worker measures of every job, whatever its method.
COSTS: tuple[Metric, ...] = (
    Metric("train_seconds", label="Training time (s)", unit="s", better=Better.LOWER, digits=1,
           cost=True, aliases=("Training time",)),
    Metric("peak_memory_mib", label="Peak memory (MiB)", unit="MiB", better=Better.LOWER,
           digits=0, cost=True, aliases=("Peak memory",)),
)  # fmt: skip
