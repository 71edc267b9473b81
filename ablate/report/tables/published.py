"""Published values, shown beside measured ones and never mixed with them."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files

from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.metrics import Metric
from ablate.methods.parts import same
from ablate.methods.recipe import DETERMINISTIC
from ablate.methods.references import STUDENT
from ablate.methods.registry import BUILT_IN
from ablate.methods.teachers import TEACHER_PARTS

SOURCE = "CIFAR-100 top-1 from the figures in the authors' README of CoCoRD"
_DATA = "CIFAR-100"

#: How a number is computed, or which of equal teachers taught; no part of a recipe.
_NO_RECIPE = frozenset(part.name for part in (DETERMINISTIC, *TEACHER_PARTS))


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
    """Whether published values belong beside this table: same data, recipe and metric."""
    if metric.name != "top1" or plan.data != _DATA or plan.profile != "paper" or plan.overrides:
        return False
    return _follows_recipe(plan)


def _follows_recipe(plan: StudyPlan) -> bool:
    """Whether the baseline is the method as published; a user's method may share its recipe."""
    name = next(v.method for v in plan.variants if v.role is Role.BASELINE)
    teacher, _, student = plan.pairs[0].rpartition("/")
    recipe = BUILT_IN.get(name, STUDENT).baseline({"teacher": teacher, "student": student})
    return all(
        same(plan.baseline.get(part, value), value)
        for part, value in recipe.items()
        if part not in _NO_RECIPE
    )


def published_for(variant: Variant, pair: str) -> float | None:
    """Published value of a row; an ablated variant has none, whatever its method."""
    if variant.role is Role.VARIANT or variant.method not in BUILT_IN:
        return None
    return published(pair, BUILT_IN[variant.method].title)
