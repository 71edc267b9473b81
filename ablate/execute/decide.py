"""The stopping rule of a study: which seeds its results ask for."""

from __future__ import annotations

from itertools import islice

from ablate.matrix.plan import Role
from ablate.store.results import StudyResults


def decide_seeds(results: StudyResults) -> tuple[int, ...]:
    """The seeds that the study should have, now that all jobs of its present ones have ended.

    They are the plan's own where the study has no rule, is narrow enough, or is at its most. Only
    widths are looked at: those of the first metric, of the widest row of all pairs.
    """
    plan = results.plan
    rule = plan.seed_rule
    if rule is None or not plan.metrics:
        return plan.seeds
    from ablate.statistics.stopping import next_seeds  # NumPy, which a run without a rule spares

    width = max((_widest(results, pair) for pair in plan.pairs), default=0.0)
    count = next_seeds(rule, len(plan.seeds), width)
    unused = (seed for seed in range(rule.most) if seed not in plan.seeds)
    return (*plan.seeds, *islice(unused, count - len(plan.seeds)))


def _widest(results: StudyResults, pair: str) -> float:
    """Half-width of the pair's widest interval; infinite where a row has too few seeds for one.

    A row without any result asks for nothing: where all its seeds failed, more would fail as well.
    """
    from ablate.statistics.family import ROUNDING_NOISE, analyse_family, paired_differences
    from ablate.statistics.stopping import level_for, widest

    plan = results.plan
    baseline = next(one.label for one in plan.variants if one.role is Role.BASELINE)
    rows = [v.label for v in plan.variants if v.role is Role.VARIANT and not v.same_as]
    rows = rows or [one.label for one in plan.variants if one.role is Role.REFERENCE]
    values = results.values(plan.metrics[0].name, pair)
    base = values.get(baseline, {})
    rows_with_results = [row for row in rows if base.keys() & values.get(row, {}).keys()]
    if not rows_with_results:
        return 0.0
    largest = max((abs(value) for value in base.values()), default=0.0)
    differences = paired_differences([values[row] for row in rows_with_results], base)
    family = analyse_family(
        differences,
        rows=len(rows),
        level=level_for(len(rows)),
        smallest_sd=ROUNDING_NOISE * largest,
    )
    return 0.0 if family.pooled_sd == 0 else widest(family)
