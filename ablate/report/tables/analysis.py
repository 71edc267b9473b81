"""From a study's runs to cells: who has how many seeds, and what the comparisons say.

The family that Holm adjusts for is every comparison of a variant with the baseline, over all
pairs of the study, for one metric: that is the set of claims a reader takes from its tables. Each
is tested once, when all its seeds have ended, for tests that are repeated as results come in find
too much; until then it counts as one to come, so that no mark is taken back by another's result.
Reference rows (other methods) are compared with the baseline but stay outside the family.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.errors import InputError, Problem, did_you_mean
from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric, find_metric
from ablate.report.tables.table import NOT_RUN, Cell, Comparison, Selection
from ablate.statistics.paired import (
    Adjusted,
    Difference,
    Mark,
    adjusted_intervals,
    mark,
    paired_difference,
    rank,
    summarise,
)
from ablate.statistics.power import minimum_detectable_effect
from ablate.store.results import StudyResults

ALPHA = 0.05
POWER = 0.8

#: Metrics pass through single precision, so a spread or a distance of means below this share of
#: their size is rounding.
NOISE = 1e-6

OTHER_METHODS = "other methods"  #: heading of reference rows

_MOST_DIGITS = 12

_NOT_TESTED = Adjusted(None, None, None, None)
OPEN = frozenset(
    {JobStatus.WAITING, JobStatus.RUNNING, JobStatus.INTERRUPTED}
)  #: may yet give a value
_Key = tuple[str, str]  #: (variant, pair)


@dataclass(frozen=True, eq=False)
class Analysis:
    """All cells of one study for one metric."""

    plan: StudyPlan
    metric: Metric
    selection: Selection
    cells: Mapping[tuple[str, str], Cell]  #: (variant, pair) -> cell
    family: int  #: comparisons that Holm adjusted for: with a p value, or with one to come
    waiting: int  #: those of the family whose seeds have not all ended

    @property
    def baseline(self) -> str:
        """Label of the baseline's row."""
        return baseline_label(self.plan)

    @property
    def level(self) -> float:
        """Alpha of Holm's strictest step, at which effects are certain to be marked."""
        return ALPHA / max(1, self.family)

    @property
    def comparisons(self) -> list[Cell]:
        """Cells of the family, in the order of rows and then pairs; none if nothing is tested."""
        if not self.metric.comparable:
            return []
        return [cell for cell in self.cells.values() if cell.role is Role.VARIANT]


def baseline_label(plan: StudyPlan) -> str:
    """Label of the row that all others are compared with."""
    return next(v.label for v in plan.variants if v.role is Role.BASELINE)


def metric_of(plan: StudyPlan, words: str) -> Metric:
    """Metric of the plan by name or label; InputError names those it has."""
    metric = find_metric(words, plan.metrics)
    if metric is not None:
        return metric
    message = f'study {plan.name} has no metric "{words}"'
    right = did_you_mean(words, [metric.name for metric in plan.metrics])
    raise InputError(Problem("--metric", "", message, right))


def plan_metrics(plan: StudyPlan) -> tuple[Metric, ...]:
    """The plan's metrics in its own order."""
    return plan.metrics


def analyse(results: StudyResults, metric: Metric, selection: Selection) -> Analysis:
    """Cells, comparisons and ranks of one study for one metric."""
    plan = results.plan
    cells = _cells(results, metric, selection)
    legible = _legible(metric, cells.values())
    if legible != metric:
        metric = legible
        cells = {key: replace(cell, metric=metric) for key, cell in cells.items()}
    comparisons, family, waiting = _compare(plan, cells, metric)
    ranks = _ranks(plan, cells, metric)
    finished = {
        key: replace(cell, rank=ranks.get(key), comparison=comparisons.get(key))
        for key, cell in cells.items()
    }
    return Analysis(plan, metric, selection, finished, family, waiting)


def _cells(results: StudyResults, metric: Metric, selection: Selection) -> dict[_Key, Cell]:
    plan, name, last = results.plan, metric.name, selection is Selection.LAST
    values: dict[_Key, dict[int, float]] = {}
    missing: dict[_Key, dict[int, str]] = {}
    for run in results.runs:
        value = (run.last if last else run.best).get(name, math.nan)
        if run.status is JobStatus.DONE and math.isfinite(value):
            values.setdefault((run.variant, run.pair), {})[run.seed] = float(value)
        else:
            why = "no value" if run.status is JobStatus.DONE else run.status.value
            missing.setdefault((run.variant, run.pair), {})[run.seed] = why
    for key in values.keys() | missing.keys():  # a row that changed since may have fewer jobs
        for seed in plan.seeds:
            if seed not in values.get(key, ()):
                missing.setdefault(key, {}).setdefault(seed, NOT_RUN)
    return {
        (variant.label, pair): _cell(
            variant,
            pair,
            metric,
            values.get((variant.label, pair), {}),
            missing.get((variant.label, pair), {}),
        )
        for variant in plan.variants
        for pair in plan.pairs
    }


def _legible(metric: Metric, cells: Collection[Cell]) -> Metric:
    """The metric with as many digits as show its largest spread, or else its values."""
    largest = max((abs(cell.mean) for cell in cells if cell.mean is not None), default=0.0)
    spread = max((cell.std for cell in cells if cell.std is not None), default=0.0)
    shown = spread if spread > NOISE * largest else largest / 100
    if not shown:
        return metric
    return replace(
        metric, digits=max(metric.digits, min(_MOST_DIGITS, -math.floor(math.log10(shown))))
    )


def _cell(
    variant: Variant,
    pair: str,
    metric: Metric,
    values: Mapping[int, float],
    missing: Mapping[int, str],
) -> Cell:
    summary = summarise(values.values())
    return Cell(
        variant.label,
        variant.role,
        pair,
        metric,
        tuple(sorted(values.items())),
        len(values) + len(missing),
        summary.n,
        summary.mean,
        summary.std,
        tuple(sorted(missing.items())),
    )


def _compare(
    plan: StudyPlan, cells: Mapping[_Key, Cell], metric: Metric
) -> tuple[dict[_Key, Comparison], int, int]:
    """What each cell but the baseline's says against it, how many tests that is, and will be."""
    baseline = baseline_label(plan)
    values = {key: dict(cell.values) for key, cell in cells.items()}
    differences = {
        key: paired_difference(values[key], values[baseline, key[1]], 1 - ALPHA, NOISE)
        for key, cell in cells.items()
        if cell.role is not Role.BASELINE
    }
    tested = [key for key in differences if cells[key].role is Role.VARIANT and metric.comparable]
    growing = {key for key in tested if may_grow(cells[key], cells[baseline, key[1]])}
    ended = [key for key in tested if key not in growing]
    intervals = adjusted_intervals([differences[key] for key in ended], 1 - ALPHA, len(growing))
    adjusted = dict(zip(ended, intervals, strict=True)) | dict.fromkeys(growing, _NOT_TESTED)
    family = len(growing) + sum(one.p is not None for one in intervals)
    level = ALPHA / max(1, family)
    compared = {
        key: _comparison(cells[key], difference, adjusted.get(key), metric, level)
        for key, difference in differences.items()
    }
    return compared, family, len(growing)


def may_grow(cell: Cell, baseline: Cell) -> bool:
    """Whether a seed may still come to those that both have, and there can be a test."""
    known = {seed for seed, _ in cell.values} & {seed for seed, _ in baseline.values}
    possible = _possible(cell) & _possible(baseline)
    return len(possible) > max(1, len(known))


def _possible(cell: Cell) -> set[int]:
    """Seeds that have a value, or may yet get one."""
    return {seed for seed, _ in cell.values} | {seed for seed, why in cell.missing if why in OPEN}


def _comparison(
    cell: Cell, difference: Difference, adjusted: Adjusted | None, metric: Metric, level: float
) -> Comparison:
    if adjusted is None:
        verdict, outside = Mark.NONE, True
    else:
        verdict = mark(difference, adjusted, cell.n, metric.higher_is_better)
        outside = False
    interval = adjusted or _NOT_TESTED
    return Comparison(
        n=difference.n,
        mean=difference.mean,
        std=difference.std,
        low=difference.low,
        high=difference.high,
        p=difference.p,
        p_adjusted=interval.p,
        adjusted_low=interval.low,
        adjusted_high=interval.high,
        adjusted_confidence=interval.confidence,
        mde=minimum_detectable_effect(difference.std, difference.n, level, POWER),
        mark=verdict,
        undefined=difference.undefined,
        in_family=not outside,
        missing=difference.missing,
        confidence=difference.confidence,
    )


def is_ranked(variant: Variant) -> bool:
    """Whether a row competes: a student trained alone is a yardstick, as in published tables."""
    return not (variant.role is Role.REFERENCE and variant.method == "student")


def _ranks(plan: StudyPlan, cells: Mapping[_Key, Cell], metric: Metric) -> dict[_Key, int | None]:
    competing = [v.label for v in plan.variants if is_ranked(v) and metric.comparable]
    places: dict[_Key, int | None] = {}
    for pair in plan.pairs:
        keys = [(label, pair) for label in competing]
        places.update(zip(keys, _places([cells[key] for key in keys], metric), strict=True))
    return places


def rerank(cells: Sequence[Cell], metric: Metric) -> list[Cell]:
    """The same cells ranked among themselves; incomplete ones get no rank."""
    places = _places(cells, metric)
    return [replace(cell, rank=place) for cell, place in zip(cells, places, strict=True)]


def _places(cells: Sequence[Cell], metric: Metric) -> list[int | None]:
    means = [cell.mean if cell.complete else None for cell in cells]
    places = rank(means, metric.higher_is_better, NOISE)
    if sum(place is not None for place in places) < 2:  # nothing to be better than
        return [None] * len(places)
    return places
