"""The rows of one pair against their baseline: one analysis per family, in one step.

Families, each with its own share of errors: the study's variants, and other methods for reference.
A family is tested once, when all its seeds have ended: tests that are repeated as results come in
find too much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ablate.report.tables.table import Cell, Comparison, Tested
from ablate.statistics.family import (
    FEWEST_SEEDS,
    ROUNDING_NOISE,
    Family,
    analyse_family,
    paired_differences,
)
from ablate.statistics.pairing import Pairing, pairing
from ablate.statistics.verdict import Diverged, verdict, within_margin

VARIANTS = "variants"
OTHER_METHODS = "other methods"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a study says of its tests, for one metric."""

    level: float  #: of a whole family
    margin: float | None  #: differences below it are equivalent to none
    higher_is_better: bool | None
    testable: bool = True  #: False for a metric that rows do not share


@dataclass(frozen=True, slots=True)
class PairFamily:
    """The analysis of one family on one pair."""

    pair: str
    name: str  #: VARIANTS or OTHER_METHODS
    rows: int  #: comparisons that share the level
    level: float
    ended: bool  #: whether no seed is still to come
    pooled_sd: float | None
    df: float | None
    pairing: Pairing | None  #: None where nothing is known of it
    widest: float | None  #: half-width of the widest interval
    looks: tuple[int, ...] = ()  #: numbers of seeds with which its rows were tested before

    @property
    def has_intervals(self) -> bool:
        """Whether any of its rows has an interval."""
        return self.widest is not None


def compare_family(
    name: str, rows: Sequence[Cell], baseline: Cell, rules: Rules, *, ended: bool,
    looks: tuple[int, ...] = (),
) -> tuple[PairFamily, dict[str, Comparison]]:  # fmt: skip
    """Analyse `rows` of one pair against its `baseline`; comparisons by the rows' labels.

    `ended` says that no seed of the family is still to come.
    """
    values = [dict(row.values) for row in rows]
    base = dict(baseline.values)
    differences = paired_differences(values, base)
    magnitudes = [abs(value) for side in (base, *values) for value in side.values()]
    noise = ROUNDING_NOISE * max(magnitudes, default=0.0)
    family = analyse_family(differences, level=rules.level, smallest_sd=noise)
    alone = analyse_family(differences[:, None, :], level=rules.level, smallest_sd=noise)
    compared = {
        row.variant: _comparison(row, baseline, family, alone, j, rules, name, ended=ended)
        for j, row in enumerate(rows)
    }
    seeds = sorted(base)
    matrix = np.array([[own.get(seed, math.nan) for seed in seeds] for own in values])
    halves = [
        (c.high - c.low) / 2 for c in compared.values() if c.high is not None and c.low is not None
    ]
    return PairFamily(
        pair=baseline.pair,
        name=name,
        rows=family.rows,
        level=rules.level,
        ended=ended,
        pooled_sd=number_or_none(family.pooled_sd),
        df=number_or_none(family.df),
        pairing=pairing(
            matrix.reshape(differences.shape), np.array([base[s] for s in seeds]), family
        ),
        widest=max(halves, default=None),
        looks=looks,
    ), compared


def _comparison(
    row: Cell, baseline: Cell, family: Family, alone: Family, j: int, rules: Rules, name: str, *,
    ended: bool,
) -> Comparison:  # fmt: skip
    n = int(family.n[j])
    tested = _tested(n, family, rules, ended=ended)
    shown = tested is Tested.YES
    low, high, p = (
        number_or_none(one[j]) if shown else None for one in (family.low, family.high, family.p)
    )
    diverged = Diverged(row.diverged, baseline.diverged)
    found = verdict(
        low, high, higher_is_better=rules.higher_is_better, margin=rules.margin, diverged=diverged
    )
    plain = [number_or_none(one[j, 0]) for one in (alone.low, alone.high, alone.p)]
    return Comparison(
        n=n,
        mean=number_or_none(family.mean[j]),
        sd=number_or_none(family.sd[j]),
        low=low,
        high=high,
        p=p,
        df=number_or_none(family.df) if shown else None,
        verdict=found,
        tested=tested,
        within_margin=within_margin(low, high, rules.margin),
        on_all_seeds=n == len(row.values) == len(baseline.values),
        diverged=diverged,
        plain_low=plain[0],
        plain_high=plain[1],
        plain_p=plain[2],
        family=name,
    )


def _tested(n: int, family: Family, rules: Rules, *, ended: bool) -> Tested:
    if not n:
        return Tested.EMPTY
    if not rules.testable:
        return Tested.NEVER
    if not ended:
        return Tested.WAITING
    if n < FEWEST_SEEDS:
        return Tested.FEW
    return Tested.YES if family.pooled_sd > 0 else Tested.CONSTANT


def number_or_none(value: float | np.ndarray) -> float | None:
    """A float, or None for NaN."""
    return None if math.isnan(value) else float(value)
