"""Baseline settings: a method's own values, changed by the profile, the study and --set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ablate.errors import Problem, did_you_mean
from ablate.methods.method import Method
from ablate.methods.parts import Value
from ablate.methods.registry import BUILT_IN
from ablate.methods.teachers import TEACHER
from ablate.settings import Profile, Settings, TomlValue

_TEACHER_PREFIX = "teacher."


@dataclass(frozen=True)
class Conditions:
    """A profile with what --set changed in it: the conditions all jobs of a study share."""

    name: str
    data: str
    title: str
    settings: Mapping[str, TomlValue]
    overrides: Mapping[str, TomlValue]

    def apply(self, method: Method, teacher: str, student: str) -> dict[str, Value]:
        """Baseline of a method under these conditions; raises ValueError on a bad value.

        A teacher follows the same recipe, but for values given as `teacher.<part>`.
        """
        values = method.baseline(teacher, student)
        given = {**self.settings, **self.overrides}
        for name, value in given.items():
            if method.has_part(name) and not (method is TEACHER and name == "epochs"):
                values[name] = method.part(name).parse(value)
        if method is TEACHER:
            for name, value in given.items():
                part = name.removeprefix(_TEACHER_PREFIX)
                if name.startswith(_TEACHER_PREFIX) and method.has_part(part):
                    values[part] = method.part(part).parse(value)
        return values


def conditions(
    settings: Settings, profile: str, overrides: Mapping[str, TomlValue], method: Method | None
) -> tuple[Conditions, list[Problem]]:
    """Take a profile, apply --set, and check every key and value of both."""
    where = "ablate.toml"
    if profile not in settings.profiles:
        hint = did_you_mean(profile, list(settings.profiles))
        return Conditions(profile, "", "", {}, {}), [
            Problem("--profile", "", f'no profile "{profile}" in {where}', hint)
        ]
    chosen: Profile = settings.profiles[profile]
    rest = {name: value for name, value in overrides.items() if name != "data"}
    problems = _check(chosen.settings, where, f"profiles.{profile}.settings", method)
    problems += _check(rest, "--set", "", method)
    data = str(overrides.get("data", chosen.data))
    return Conditions(profile, data, chosen.title, chosen.settings, overrides), problems


def _check(
    values: Mapping[str, TomlValue], where: str, prefix: str, method: Method | None
) -> list[Problem]:
    """Every key must be a part of some method, and its value one that such a part allows."""
    methods = [*BUILT_IN.values(), *([method] if method else [])]
    known = {part.name: part for m in methods for part in m.parts}
    known |= {_TEACHER_PREFIX + part.name: part for part in TEACHER.parts}
    if method:
        known |= {part.name: part for part in method.parts}
    problems = []
    for name, value in values.items():
        key = f"{prefix}.{name}" if prefix else name
        if name not in known:
            problems.append(
                Problem(where, key, "unknown setting", did_you_mean(name, [*known, "data"]))
            )
            continue
        try:
            known[name].parse(value)
        except ValueError as error:
            problems.append(Problem(where, key, f"{value!r} is no value of {name}", str(error)))
    return problems
