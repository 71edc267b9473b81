"""Commands that a report names, with the options that make the study the one it reports."""

from __future__ import annotations

import json

from ablate.errors import Remedy
from ablate.matrix.plan import StudyPlan


def run_again(plan: StudyPlan, *options: str) -> Remedy:
    """The run that goes on with a study, under its own profile and overrides."""
    profile = ("--profile", plan.profile) if plan.profile else ()
    overrides = [
        word
        for key, value in plan.overrides.items()
        for word in ("--set", f"{key}={json.dumps(value, ensure_ascii=False)}")
    ]
    return Remedy("run", (plan.name, *profile, *overrides, *options))
