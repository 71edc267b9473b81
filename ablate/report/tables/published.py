"""Published values, shown beside measured ones and never mixed with them."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files

from ablate.matrix.plan import StudyPlan, Variant
from ablate.methods.metrics import TOP1, Metric

SOURCE = (
    "CIFAR-100 top-1 from the figures in the authors' README of CoCoRD (its own rows are of the "
    "best epoch on the test set, the others, as far as known, of the last epoch; the selection "
    "alone is worth some tenths of a point)"
)


@lru_cache(maxsize=1)
def published_values() -> dict[tuple[str, str], float]:
    """(pair, title of the method) -> top-1 in percent; pairs as in "resnet110/resnet32"."""
    text = files("ablate.report.tables").joinpath("published.csv").read_text(encoding="utf-8")
    return {
        (f"{row['teacher']}/{row['student']}", row["method"]): float(row["cifar100_top1_percent"])
        for row in csv.DictReader(text.splitlines())
    }


def published(pair: str, title: str) -> float | None:
    """Published top-1 of the method called `title` on `pair`; None if there is none."""
    return published_values().get((pair, title))


def comparable(plan: StudyPlan, metric: Metric) -> bool:
    """Whether a row of this table has a published value: same recipe, pair and metric."""
    if metric.name != TOP1.name:
        return False
    return any(published_for(plan, row, pair) for row in plan.variants for pair in plan.pairs)


def published_for(plan: StudyPlan, variant: Variant, pair: str) -> float | None:
    """Published value of the method whose recipe the row follows on this pair, if any."""
    title = plan.published.get(variant.label, {}).get(pair)
    return None if title is None else published(pair, title)
