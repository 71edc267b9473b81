"""The stopping rule over a study's results."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.execute.decide import decide_seeds
from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import TOP1
from ablate.store.results import MeasuredRun, StudyResults
from ablate.study.seeds import SeedRule

RULE = SeedRule(first=5, most=20, half_width=0.5)


def study(
    seeds: int, spread: float, rule: SeedRule | None = RULE, shift: float = 0
) -> StudyResults:
    plan = StudyPlan(
        name="a", title="A", question="", answers="", profile="quick", data="digits",
        metrics=(TOP1,), pairs=("t/s",), seeds=tuple(range(seeds)), baseline={}, overrides={},
        variants=(Variant("base", Role.BASELINE, "m"), Variant("row", Role.VARIANT, "m")),
        jobs=(), seed_rule=rule,
    )  # fmt: skip
    noise = np.random.default_rng(1).normal(size=(2, seeds)) * spread
    runs = tuple(
        MeasuredRun(
            label, "t/s", seed, "", JobStatus.DONE, {"top1": 70 + shift * i + noise[i, seed]}, {}
        )
        for i, label in enumerate(("base", "row"))
        for seed in range(seeds)
    )
    return StudyResults(plan, runs, (), {})


def test_it_adds_seeds_until_narrow_enough() -> None:
    assert decide_seeds(study(5, 2.0)) == tuple(range(8))
    assert decide_seeds(study(5, 0.01)) == tuple(range(5))
    assert decide_seeds(study(20, 9.0)) == tuple(range(20))


@pytest.mark.parametrize("shift", [0, 5, -40])
def test_the_difference_plays_no_part(shift: float) -> None:
    assert decide_seeds(study(5, 2.0, shift=shift)) == tuple(range(8))


def test_without_a_rule_nothing_is_added() -> None:
    assert decide_seeds(study(5, 9.0, rule=None)) == tuple(range(5))


def test_a_row_without_results_asks_for_nothing() -> None:
    results = study(5, 0.01)
    runs = tuple(run for run in results.runs if run.variant == "base")
    assert decide_seeds(StudyResults(results.plan, runs, (), {})) == tuple(range(5))
