"""From a study's runs to cells: who has how many seeds, and what the comparisons say.

A study is analysed once for each metric, pair by pair; see `comparisons`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.errors import InputError, Problem, did_you_mean
from ablate.execute.decide import decide_seeds
from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric, find_metric
from ablate.report.choices import Selection
from ablate.report.tables.comparisons import (
    OTHER_METHODS,
    VARIANTS,
    PairFamily,
    Rules,
    compare_family,
)
from ablate.report.tables.table import NOT_RUN, Cell, Comparison
from ablate.statistics.family import LEVEL, ROUNDING_NOISE
from ablate.statistics.sample import rank, summarise
from ablate.statistics.stopping import level_for
from ablate.store.looks import OPEN, Look, digest, earlier_sizes
from ablate.store.results import StudyResults

_MOST_DIGITS = 12
_Key = tuple[str, str]  #: (variant, pair)


@dataclass(frozen=True, eq=False)
class Analysis:
    """All cells of one study for one metric."""

    plan: StudyPlan
    metric: Metric
    selection: Selection
    cells: Mapping[_Key, Cell]  #: (variant, pair) -> cell
    families: Mapping[_Key, PairFamily]  #: (pair, name of the family) -> its analysis
    margin: float | None  #: differences below it are equivalent to none

    @property
    def baseline(self) -> str:
        """Label of the baseline's row."""
        return baseline_label(self.plan)

    @property
    def main_family(self) -> str:
        """The family that the study is about: its variants, or other methods if it has none."""
        has_variants = any(one.role is Role.VARIANT for one in self.plan.variants)
        return VARIANTS if has_variants else OTHER_METHODS

    @property
    def comparisons(self) -> list[Cell]:
        """Cells of the main family, in the order of rows and then pairs; none if none is tested."""
        if not self.metric.compared:
            return []
        role = Role.VARIANT if self.main_family == VARIANTS else Role.REFERENCE
        return [cell for cell in self.cells.values() if cell.role is role]

    def family(self, pair: str) -> PairFamily | None:
        """The main family's analysis on a pair."""
        return self.families.get((pair, self.main_family))


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
    if right.startswith("one of"):
        right = f"one of: {', '.join(f'{one.name} ({one.label})' for one in plan.metrics)}"
        if plan.profile:
            right += "; `metrics` in the study's file, then `ablate run`, adds one"
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
    margin = plan.margin if plan.metrics[0].name == metric.name else None
    families, comparisons = _compare(results, cells, metric, margin)
    ranks = _ranks(plan, cells, metric)
    finished = {
        key: replace(cell, rank=ranks.get(key), comparison=comparisons.get(key))
        for key, cell in cells.items()
    }
    return Analysis(plan, metric, selection, finished, families, margin)


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
    spread = max((cell.sd for cell in cells if cell.sd is not None), default=0.0)
    shown = spread if spread > ROUNDING_NOISE * largest else largest / 100
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
        variant=variant.label,
        role=variant.role,
        pair=pair,
        metric=metric,
        values=tuple(sorted(values.items())),
        planned=len(values) + len(missing),
        n=summary.n,
        mean=summary.mean,
        sd=summary.sd,
        missing=tuple(sorted(missing.items())),
    )


def _compare(
    results: StudyResults, cells: Mapping[_Key, Cell], metric: Metric, margin: float | None
) -> tuple[dict[_Key, PairFamily], dict[_Key, Comparison]]:
    """The families of every pair, and what each cell but the baseline's says."""
    plan = results.plan
    base = baseline_label(plan)
    decided = plan.seed_rule is None or len(decide_seeds(results)) == len(plan.seeds)
    families: dict[_Key, PairFamily] = {}
    comparisons: dict[_Key, Comparison] = {}
    for pair in plan.pairs:
        baseline = cells[base, pair]
        for name, role in ((VARIANTS, Role.VARIANT), (OTHER_METHODS, Role.REFERENCE)):
            labels = [one.label for one in plan.variants if one.role is role and not one.same_as]
            if not labels:
                continue
            rows = [cells[label, pair] for label in labels]
            family, compared = compare_family(
                name,
                rows,
                baseline,
                _rules(plan, metric, margin, len(rows)),
                ended=decided and not any(may_grow(row, baseline) for row in rows),
                looks=earlier_sizes(results.looks, _look(plan, rows, baseline), metric.name),
            )
            families[pair, name] = family
            comparisons |= {(label, pair): one for label, one in compared.items()}
        for one in plan.variants:  # a row that two ablations make is compared once, shown twice
            if (one.same_as, pair) in comparisons:
                comparisons[one.label, pair] = comparisons[one.same_as, pair]
    return families, comparisons


def _rules(plan: StudyPlan, metric: Metric, margin: float | None, rows: int) -> Rules:
    return Rules(
        level=LEVEL if plan.seed_rule is None else level_for(rows),
        margin=margin,
        higher_is_better=metric.higher_is_better if metric.comparable else None,
        testable=metric.compared,
    )


def _look(plan: StudyPlan, rows: Iterable[Cell], baseline: Cell) -> Look:
    """What this analysis looks at."""
    known = {seed for seed, _ in baseline.values}
    seeds = {
        digest(plan, row.variant, row.pair): tuple(s for s, _ in row.values if s in known)
        for row in rows
    }
    base = digest(plan, baseline.variant, baseline.pair)
    return Look(baseline.pair, (baseline.metric.name,), base, seeds)


def may_grow(cell: Cell, baseline: Cell) -> bool:
    """Whether a seed may still come to those that both have, and there can be a test."""
    known = {seed for seed, _ in cell.values} & {seed for seed, _ in baseline.values}
    possible = _possible(cell) & _possible(baseline)
    return len(possible) > max(1, len(known))


def _possible(cell: Cell) -> set[int]:
    """Seeds that have a value, or may yet get one."""
    return {seed for seed, _ in cell.values} | {seed for seed, why in cell.missing if why in OPEN}


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
    places = rank(means, higher_is_better=metric.higher_is_better)
    if sum(place is not None for place in places) < 2:  # nothing to be better than
        return [None] * len(places)
    return places
