"""Values that a profile or --set names, checked against every method that has such a part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ablate.errors import Problem, did_you_mean
from ablate.methods.method import Method
from ablate.methods.parts import Part, Value, shown
from ablate.methods.teachers import TEACHER

TEACHER_PREFIX = "teacher."  #: `teacher.lr` is the learning rate of teachers only


@dataclass
class NamedValues:
    """The values that some method takes, and what is wrong with the others."""

    values: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  #: names that none of the methods has


def parts_by_name(methods: Iterable[Method]) -> dict[str, list[Part]]:
    """Name → the parts that take a value of this name."""
    known: dict[str, list[Part]] = {}
    for method in methods:
        for part in method.parts:
            known.setdefault(part.name, []).append(part)
        if method.name == TEACHER.name:
            for part in method.parts:
                known.setdefault(TEACHER_PREFIX + part.name, []).append(part)
    return known


def check_values(
    values: Mapping[str, object], where: str, prefix: str, methods: Iterable[Method]
) -> NamedValues:
    """Check values against every part that takes them; messages put `prefix` before their keys."""
    known, checked = parts_by_name(methods), NamedValues()
    for name, value in values.items():
        if name not in known:
            checked.unknown.append(name)
            continue
        try:
            checked.values[name], *_ = [part.parse(value) for part in known[name]]
        except ValueError as error:
            message = f"{shown(value)} is no value of {name}"
            checked.problems.append(Problem(where, prefix + name, message, str(error)))
    return checked


def unknown_setting(name: str, where: str, prefix: str, known: Iterable[str]) -> Problem:
    """The problem of a name that no method has."""
    return Problem(where, prefix + name, "unknown setting", did_you_mean(name, [*known]))
