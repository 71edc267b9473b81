"""The shared recipe as parts of methods: which students learn slower, what changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.methods.catalog import SMALL_LR_NETWORKS
from ablate.methods.parts import Values
from ablate.methods.recipe_config import RecipeConfig
from ablate.methods.session import STUDENT_ROLE, JobConfig

RECIPE = RecipeConfig.parts()
DETERMINISTIC = RecipeConfig.part("deterministic")


def recipe_inert(job: JobConfig) -> dict[str, str]:
    """Parts of the recipe that change nothing in this job -> when they would count."""
    recipe, inert = RecipeConfig.from_settings(job.settings), {}
    if recipe.epochs == 1:
        inert["lr_schedule"] = "with more than one epoch"
    if recipe.fast != "tolerance":  # a path that is equal to the bit is no other computation
        inert["fast"] = 'where it is "tolerance"'
    return inert


def recipe_for(networks: Mapping[str, str]) -> Values:
    """Changes to the recipe's baseline that the field makes for some students."""
    small = networks.get(STUDENT_ROLE) in SMALL_LR_NETWORKS
    return {"lr": 0.01} if small else {}
