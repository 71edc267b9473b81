"""Commands that a report names, with the options that make the study the one it reports."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

from ablate.errors import Remedy
from ablate.matrix.plan import StudyPlan

_MOST_RUN_UNSEEN = 100  #: seeds; what more of them cost is worth a look before they run


def run_again(plan: StudyPlan) -> Remedy:
    """The run that goes on with a study, under its own profile and overrides."""
    return _of_study("run", plan)


def more_seeds(plan: StudyPlan, count: int) -> Remedy:
    """The run that gives a study `count` seeds, or its preview where they are very many.

    Seeds that the study has by now stay in it.
    """
    own = sorted(set(plan.seeds))
    others = (seed for seed in itertools.count() if seed not in own)
    seeds = sorted([*own, *itertools.islice(others, max(0, count - len(own)))])
    command = "run" if count <= _MOST_RUN_UNSEEN else "preview"
    return _of_study(command, plan, "--seeds", _ranges(seeds))


def _of_study(command: str, plan: StudyPlan, *options: str) -> Remedy:
    profile = ("--profile", plan.profile) if plan.profile else ()
    overrides = [
        word
        for key, value in plan.overrides.items()
        for word in ("--set", f"{key}={json.dumps(value, ensure_ascii=False)}")
    ]
    return Remedy(command, (plan.name, *profile, *overrides, *options))


def _ranges(seeds: Sequence[int]) -> str:
    """Ascending seeds as an option takes them: "0-4,7"."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1][1:] = [seed]
        else:
            spans.append([seed])
    return ",".join("-".join(map(str, span)) for span in spans)
