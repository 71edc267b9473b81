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
    own, problems = _check(chosen.settings, where, f"profiles.{profile}.settings.", method)
    changed, more = _check(rest, "--set", "", method)
    if "data" in overrides:
        changed["data"] = str(overrides["data"])
    data = str(changed.get("data", chosen.data))
    return Conditions(profile, data, chosen.title, own, changed), problems + more


def _check(
    values: Mapping[str, TomlValue], where: str, prefix: str, method: Method | None
) -> tuple[dict[str, TomlValue], list[Problem]]:
    """Sound values, and a problem for each key no method has or value its part does not allow."""
    methods = [*BUILT_IN.values(), *([method] if method else [])]
    known = {part.name: part for m in methods for part in m.parts}
    known |= {_TEACHER_PREFIX + part.name: part for part in TEACHER.parts}
    if method:
        known |= {part.name: part for part in method.parts}
    sound: dict[str, TomlValue] = {}
    problems = []
    for name, value in values.items():
        key = prefix + name
        if name not in known:
            problems.append(
                Problem(where, key, "unknown setting", did_you_mean(name, [*known, "data"]))
            )
            continue
        try:
            sound[name] = known[name].parse(value)
        except ValueError as error:
            problems.append(Problem(where, key, f"{value!r} is no value of {name}", str(error)))
    return sound, problems
