"""Comparisons beyond row against baseline: contrasts, averages over pairs, effects in a grid.

Each kind is a family of its own, with a Bonferroni correction over its members and its own
degrees of freedom for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ablate.matrix.plan import PairGroup
from ablate.methods.metrics import Metric
from ablate.methods.parts import Value
from ablate.report.tables.analysis import Analysis, baseline_label
from ablate.report.tables.comparisons import number_or_none
from ablate.report.tables.grid import Grid, part_text
from ablate.report.tables.table import Cell, Comparison, Effect, Tested
from ablate.statistics.estimates import Estimate, contrast, over_pairs
from ablate.statistics.family import LEVEL, ROUNDING_NOISE
from ablate.statistics.student_t import Array
from ablate.statistics.verdict import DIFFERENT, Diverged, verdict, within_margin
from ablate.store.looks import OPEN


@dataclass(frozen=True)
class EffectFamily:
    """Effects that share a level."""

    name: str  #: "contrasts", "average over ...", ...
    effects: tuple[Effect, ...]
    level: float = LEVEL


@dataclass(frozen=True)
class _EffectWeights:
    """A contrast to be estimated: weights of rows on one pair."""

    name: str
    pair: str
    weights: Mapping[str, float]  #: label -> weight; they sum to 0
    directed: bool = True  #: whether higher or lower is better; an interaction is neither


def effect_families(analysis: Analysis, grids: Sequence[Grid]) -> list[EffectFamily]:
    """All effects that the study's file asks for or its grids have; none of an untested metric."""
    if not analysis.comparisons:
        return []
    found = [_family(analysis, "contrasts", list(_contrasts(analysis)))]
    found += [_over_group(analysis, group) for group in analysis.plan.pair_groups]
    for grid in grids:
        for pair in analysis.plan.pairs:
            where = f" on {pair}" if len(analysis.plan.pairs) > 1 else ""
            found_effects = list(_of_grid(analysis, grid, pair))
            found.append(_family(analysis, f"effects of {grid.group}{where}", found_effects))
    return [family for family in found if family.effects]


def _contrasts(analysis: Analysis) -> Iterator[_EffectWeights]:
    for one in analysis.plan.contrasts:
        for pair in one.pairs:
            name = one.name if len(one.pairs) == 1 else f"{one.name}, {pair}"
            yield _EffectWeights(name, pair, _average(one.rows, one.against))


def _average(rows: Sequence[str], against: Sequence[str]) -> dict[str, float]:
    """Weights of the mean of `rows` minus the mean of `against`; a row may be in both."""
    weights: dict[str, float] = {}
    for side, sign in ((rows, 1.0), (against, -1.0)):
        for label in side:
            weights[label] = weights.get(label, 0.0) + sign / len(side)
    return weights


def _of_grid(analysis: Analysis, grid: Grid, pair: str) -> Iterator[_EffectWeights]:
    """Main effects of every value against the baseline's, and interactions; of full grids only."""
    spots = list(product(grid.row_values, grid.column_values))
    if any(spot not in grid.labels for spot in spots):
        return
    plan = analysis.plan
    home = next(spot for spot, label in grid.labels.items() if label == baseline_label(plan))

    def row(value: Value) -> list[str]:
        return [grid.labels[value, other] for other in grid.column_values]

    def column(value: Value) -> list[str]:
        return [grid.labels[other, value] for other in grid.row_values]

    others = ([v for v in grid.row_values if v != home[0]],
              [v for v in grid.column_values if v != home[1]])  # fmt: skip
    for part, values, line, base in (
        (grid.row_part, others[0], row, home[0]), (grid.column_part, others[1], column, home[1])
    ):  # fmt: skip
        for value in values:
            name = f"{part_text(plan, part, value)} against {part_text(plan, part, base)}, averaged"
            yield _EffectWeights(name, pair, _average(line(value), line(base)))
    for value, other in product(*others):
        name = (
            f"{part_text(plan, grid.row_part, value)} × {part_text(plan, grid.column_part, other)}"
        )
        corners = {(value, other): 1.0, (value, home[1]): -1.0, (home[0], other): -1.0, home: 1.0}
        weights = {grid.labels[spot]: weight for spot, weight in corners.items()}
        yield _EffectWeights(f"{name}, interaction", pair, weights, directed=False)


def _family(analysis: Analysis, name: str, specs: Sequence[_EffectWeights]) -> EffectFamily:
    effects = [_effect(analysis, one, name, len(specs)) for one in specs]
    return EffectFamily(name, tuple(effects))


def _effect(analysis: Analysis, effect: _EffectWeights, family: str, members: int) -> Effect:
    cells = [analysis.cells[label, effect.pair] for label in effect.weights]
    weights = list(effect.weights.values())
    values = _matrix(cells)
    largest = float(np.nanmax(np.abs(values), initial=0.0)) if values.size else 0.0
    estimate = contrast(values, weights, members=members, smallest_sd=ROUNDING_NOISE * largest)
    diverged = Diverged(
        row=sum(cell.diverged for cell, weight in zip(cells, weights, strict=True) if weight > 0),
        baseline=sum(
            cell.diverged for cell, weight in zip(cells, weights, strict=True) if weight < 0
        ),
    )
    metric = analysis.metric if effect.directed else replace(analysis.metric, better=None)
    comparison = _comparison(analysis, estimate, cells, diverged, family, metric)
    return Effect(effect.name, effect.pair, metric, comparison)


def _matrix(cells: Sequence[Cell]) -> Array:
    seeds = sorted({seed for cell in cells for seed, _ in cell.values})
    rows = [[dict(cell.values).get(seed, math.nan) for seed in seeds] for cell in cells]
    return np.array(rows, dtype=np.float64).reshape(len(cells), len(seeds))


def _over_group(analysis: Analysis, group: PairGroup) -> EffectFamily:
    """One statement per row: its difference to the baseline, averaged over a group of pairs."""
    name = f"average over {group.name}"
    rows = list(dict.fromkeys(cell.variant for cell in analysis.comparisons))
    effects = []
    for label in rows:
        cells = [analysis.cells[label, pair] for pair in group.pairs]
        known = [cell.comparison for cell in cells if cell.comparison]
        if any(one.mean is None or one.sd is None for one in known):
            continue
        estimate = over_pairs(
            [one.n for one in known],
            [one.mean or 0.0 for one in known],
            [one.sd or 0.0 for one in known],
            members=len(rows),
        )
        bases = [analysis.cells[analysis.baseline, pair] for pair in group.pairs]
        diverged = Diverged(
            sum(cell.diverged for cell in cells), sum(cell.diverged for cell in bases)
        )
        comparison = _comparison(
            analysis, estimate, [*cells, *bases], diverged, name, analysis.metric
        )
        effects.append(Effect(label, group.name, analysis.metric, comparison))
    return EffectFamily(name, tuple(effects))


def disagreements(analysis: Analysis) -> list[str]:
    """A sentence for every row on which the pairs of a group claim opposite things."""
    lines = []
    for group in analysis.plan.pair_groups:
        for label in dict.fromkeys(cell.variant for cell in analysis.comparisons):
            claims = {
                pair: one.verdict
                for pair in group.pairs
                if (one := analysis.cells[label, pair].comparison) and one.verdict in DIFFERENT
            }
            if len(set(claims.values())) > 1:
                words = ", ".join(f"{verdict} on {pair}" for pair, verdict in claims.items())
                lines.append(f"Pairs of {group.name} disagree on {label}: {words}.")
    return lines


def _comparison(
    analysis: Analysis,
    estimate: Estimate,
    cells: Sequence[Cell],
    diverged: Diverged,
    family: str,
    metric: Metric,
) -> Comparison:
    low, high, p = (number_or_none(one) for one in (estimate.low, estimate.high, estimate.p))
    waiting = any(why in OPEN for cell in cells for _, why in cell.missing)
    if waiting:
        low = high = p = None
    tested = Tested.YES
    if low is None:
        tested = Tested.WAITING if waiting else _why_not(estimate.n)
    margin = analysis.margin
    better = metric.higher_is_better if metric.comparable else None
    return Comparison(
        n=estimate.n,
        mean=number_or_none(estimate.mean),
        sd=number_or_none(estimate.sd),
        low=low,
        high=high,
        p=p,
        df=number_or_none(estimate.df),
        verdict=verdict(
            low, high, higher_is_better=better, margin=margin, diverged=diverged
        ),
        tested=tested,
        within_margin=within_margin(low, high, margin),
        diverged=diverged,
        family=family,
    )  # fmt: skip


def _why_not(n: int) -> Tested:
    return Tested.EMPTY if not n else Tested.FEW if n < 3 else Tested.CONSTANT
