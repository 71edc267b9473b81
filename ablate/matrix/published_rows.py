"""Which rows follow a published recipe to the letter, pair by pair.

Beside such a row, whichever it is, and beside no other, a table may show the published value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ablate.matrix.plan_jobs import RowOnPair
from ablate.methods.method import Method
from ablate.methods.parts import Value, same
from ablate.methods.recipe import DETERMINISTIC
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TEACHER, TEACHER_PARTS

_DATA = "cifar100"  #: what published tables of knowledge distillation are about

#: How a number is computed, or which of equal teachers taught; no part of a recipe.
_NO_RECIPE = frozenset(part.name for part in (DETERMINISTIC, *TEACHER_PARTS))


def published_rows(rows: Iterable[RowOnPair]) -> dict[str, dict[str, str]]:
    """Label -> pair -> title of the published method whose recipe the row follows there."""
    found: dict[str, dict[str, str]] = {}
    recipes: dict[tuple[str, str], dict[str, Value]] = {}
    for one in rows:
        if one.config.data != _DATA or not _published_teacher(one.upstream):
            continue
        for method in BUILT_IN.values():
            if method.code != one.method.code or method.kind != one.method.kind:
                continue
            key = method.name, one.pair.name
            if key not in recipes:
                recipes[key] = method.baseline(one.config.networks)
            if _follows(one.config, recipes[key]):
                found.setdefault(one.label, {})[one.pair.name] = method.title
    return found


def _published_teacher(upstream: Mapping[str, JobConfig]) -> bool:
    """Whether a row's teacher, if it has one, is trained by the published recipe."""
    teacher = upstream.get("teacher")
    return teacher is None or _is_published(TEACHER, teacher)


def _is_published(method: Method, config: JobConfig) -> bool:
    return _follows(config, method.baseline(config.networks))


def _follows(config: JobConfig, recipe: Mapping[str, Value]) -> bool:
    return recipe.keys() == config.settings.keys() and all(
        same(config.settings[name], value)
        for name, value in recipe.items()
        if name not in _NO_RECIPE
    )
