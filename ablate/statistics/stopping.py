"""The stopping rule: add seeds until intervals are narrow enough, then test once.

A study declares the rule before it runs: so many seeds first, at most so many, and the half-width
that its widest row should reach. After each set of seeds only the width is looked at, never the
difference itself, so looking costs little; what it costs is paid by a stricter level, which
`benchmarks/error_rates.py levels` finds by simulation.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ablate.statistics.family import Family

#: Numbers of seeds at which a rule looks, besides its own first and most.
LOOKS = (5, 8, 12, 20)

#: Rows of a family -> level whose intervals still cover with 95 % after stopping on width; more
#: rows take the last.
LEVELS = {1: 0.03, 2: 0.04, 3: 0.05}


class StoppingRule(Protocol):
    """When a study has enough seeds; a study file's `SeedRule` is one."""

    @property
    def first(self) -> int:
        """Seeds of the first set, at least 3."""

    @property
    def most(self) -> int:
        """Seeds after which it ends whatever the width."""

    @property
    def half_width(self) -> float:
        """Half-width that the widest row should reach, in the unit of the metric."""


def look_sizes(rule: StoppingRule) -> tuple[int, ...]:
    """Numbers of seeds after which the width is looked at, ascending."""
    between = (n for n in LOOKS if rule.first < n < rule.most)
    return tuple(dict.fromkeys((rule.first, *between, rule.most)))


def level_for(rows: int) -> float:
    """Level of the one test that ends a study with a stopping rule."""
    return LEVELS[min(max(rows, 1), max(LEVELS))]


def widest(family: Family) -> float:
    """Largest half-width of a family's rows; infinite where a row has no interval."""
    half = (family.high - family.low) / 2
    return float(np.where(np.isnan(half), np.inf, half).max(initial=0.0))


def next_seeds(rule: StoppingRule, n: int, half_width: float) -> int:
    """How many seeds the study should have, now that it has `n` and this widest half-width.

    The result is `n` itself where the study ends: narrow enough, or at its most.
    """
    if half_width <= rule.half_width:
        return n
    return next((more for more in look_sizes(rule) if more > n), n)
