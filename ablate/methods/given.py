"""Values given by name to whatever methods have such a part: by a profile, or by --set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ablate.errors import Problem, did_you_mean
from ablate.methods.method import Method
from ablate.methods.parts import Part, Value, shown
from ablate.methods.teachers import TEACHER

TEACHER_PREFIX = "teacher."  #: `teacher.lr` is the learning rate of teachers only


@dataclass
class Given:
    """What could be taken of the given values, and what is wrong with the others."""

    values: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  #: names that none of the methods has


def parts_by_name(methods: Iterable[Method]) -> dict[str, list[Part]]:
    """All names that values may be given under, and the parts that would take them."""
    known: dict[str, list[Part]] = {}
    for method in methods:
        for part in method.parts:
            known.setdefault(part.name, []).append(part)
        if method.name == TEACHER.name:
            for part in method.parts:
                known.setdefault(TEACHER_PREFIX + part.name, []).append(part)
    return known


def check_given(
    values: Mapping[str, object], where: str, prefix: str, methods: Iterable[Method]
) -> Given:
    """Check values against every part that would take them; `prefix` is put before keys."""
    known, given = parts_by_name(methods), Given()
    for name, value in values.items():
        if name not in known:
            given.unknown.append(name)
            continue
        try:
            given.values[name], *_ = [part.parse(value) for part in known[name]]
        except ValueError as error:
            message = f"{shown(value)} is no value of {name}"
            given.problems.append(Problem(where, prefix + name, message, str(error)))
    return given


def unknown_setting(name: str, where: str, prefix: str, known: Iterable[str]) -> Problem:
    """The problem of a name that no method has."""
    return Problem(where, prefix + name, "unknown setting", did_you_mean(name, [*known]))
