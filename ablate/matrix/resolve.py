"""Baseline settings: a method's own values, changed by the profile, the study and --set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import InputError, Problem, did_you_mean
from ablate.methods.catalog import DataInfo, data_info, resolve_folder, split_subset
from ablate.methods.installed_data import data_origin
from ablate.methods.method import Method, Networks
from ablate.methods.named_values import TEACHER_PREFIX, check_values, parts_by_name, unknown_setting
from ablate.methods.parts import Value, format_value, same, shown
from ablate.methods.places import DATA_PLACES, UNCLEAR
from ablate.methods.registry import BUILT_IN, installed
from ablate.methods.teachers import TEACHER
from ablate.study.settings import FILE_NAME, Execution, Profile, Settings, TomlValue

_SET = "--set"

#: What is no setting of any method -> where it is said instead.
_ELSEWHERE = {
    "seeds": "--seeds, such as --seeds 0,1,2",
    "profile": "--profile NAME",
    "results": "--results DIR",
    **{name: f"[execution] {name} in {FILE_NAME}" for name in Execution.model_fields},
}


@dataclass(frozen=True)
class Conditions:
    """A profile with what --set changed in it: the conditions all jobs of a study share."""

    name: str
    data: str  #: "" where neither the profile nor --set names one
    data_place: tuple[str, str]  #: file or option, and key, that chose the data
    settings: Mapping[str, Value]
    overrides: Mapping[str, Value]
    data_origin: str = ""  #: which installed package brings the data, if one does
    names_data: bool = True  #: the profile names a data set, with which its settings go

    def takes_settings(self, method: Method) -> bool:
        """Whether a method takes the profile's settings: they go with the profile's data."""
        return method.uses_data or not self.names_data

    def settings_of(self, method: Method) -> dict[str, Value]:
        """What the profile sets of a method's parts."""
        taken = self.settings if self.takes_settings(method) else {}
        return {name: value for name, value in taken.items() if method.has_part(name)}

    def apply(self, method: Method, networks: Networks) -> dict[str, Value]:
        """Baseline of a method under these conditions; ValueError if it declares a wrong one.

        A teacher follows the same recipe, but for values given as `teacher.<part>`, and for its
        epochs, since shorter runs of students should not mean a worse teacher.
        """
        values = method.baseline(networks)
        for name, value in {**self.settings_of(method), **self.overrides}.items():
            if method.has_part(name) and not (method is TEACHER and name == "epochs"):
                values[name] = method.part(name).parse(value)
        if method is TEACHER:
            for name, value in {**self.settings, **self.overrides}.items():
                part = name.removeprefix(TEACHER_PREFIX)
                if name.startswith(TEACHER_PREFIX) and method.has_part(part):
                    values[part] = method.part(part).parse(value)
        return values

    def place_for_teacher(self, part: str) -> tuple[str, str]:
        """File or option, and key, that gave teachers the value of a part."""
        for name in (TEACHER_PREFIX + part, part):
            if name in self.overrides:
                return _SET, name
            if name in self.settings:
                return FILE_NAME, f"profiles.{self.name}.settings.{name}"
        return FILE_NAME, f"profiles.{self.name}.settings"

    def find_data(self) -> tuple[DataInfo | None, list[Problem]]:
        """The data set, or what is wrong with it, told where it was chosen."""
        where, key = self.data_place
        if not self.data:
            message = "is missing, and the study's method reads a data set"
            right = 'such as data = "digits"; another --profile, or --set data=NAME'
            return None, [Problem(where, key, message, right)]
        if clash := DATA_PLACES.clashes(split_subset(self.data)[0].partition(":")[0]):
            return None, [Problem(where, key, clash, UNCLEAR)]
        try:
            info = data_info(self.data)
            origin = (self.data_origin,) if self.data_origin else ()
            return replace(info, notes=(*info.notes, *origin)), []
        except InputError as error:
            name = shown(self.data)
            found = [Problem(where, key, f"{name}: {p.message}", p.right) for p in error.problems]
            return None, found


def find_conditions(
    settings: Settings,
    profile: str,
    overrides: Mapping[str, TomlValue],
    methods: Sequence[Method],
) -> tuple[Conditions | None, list[Problem]]:
    """Take a profile, apply --set, and check every key and value of both.

    `methods` are those of the study: --set may name their parts only, so that no override is
    without effect.
    """
    if profile not in settings.profiles:
        hint = did_you_mean(profile, list(settings.profiles))
        return None, [Problem("--profile", "", f'no profile "{profile}" in {FILE_NAME}', hint)]
    chosen: Profile = settings.profiles[profile]
    own, problems = _of_profile(profile, chosen, methods)
    rest = {name: value for name, value in overrides.items() if name != "data"}
    changed, more = _of_command(rest, methods)
    place = FILE_NAME, f"profiles.{profile}.data"
    data = resolve_folder(chosen.data, Path(settings.folder))
    if "data" in overrides:
        if not any(method.uses_data for method in methods):
            names = ", ".join(method.name for method in methods)
            problems.append(Problem(_SET, "data", f"{names} brings data of its own"))
        data, place = resolve_folder(str(overrides["data"]), Path()), (_SET, "data")
        changed["data"] = data
    origin = data_origin(split_subset(str(overrides.get("data", chosen.data)))[0])
    named = bool(chosen.data)
    return Conditions(profile, data, place, own, changed, origin, named), problems + more


def _of_profile(
    name: str, profile: Profile, methods: Sequence[Method]
) -> tuple[dict[str, Value], list[Problem]]:
    """A profile's settings count for any method, so any installed method may know their names.

    Values are checked against the methods that take them.
    """
    prefix = f"profiles.{name}.settings."
    if profile.data:
        known = _all_known(method for method in methods if method.uses_data)
    else:
        known = _with_teacher(methods)
    checked = check_values(profile.settings, FILE_NAME, prefix, known)
    unknown = checked.unknown
    if unknown:
        known = [*installed(), *methods, *known]
        names = parts_by_name(known)
        unknown = [key for key in unknown if key not in names]
    right = parts_by_name(known)
    ignored = {key: profile.settings[key] for key in checked.unknown if key not in unknown}
    return {**ignored, **checked.values}, [
        *checked.problems,
        *(unknown_setting(key, FILE_NAME, prefix, right) for key in unknown),
    ]


def _of_command(
    values: Mapping[str, TomlValue], methods: Sequence[Method]
) -> tuple[dict[str, Value], list[Problem]]:
    """--set counts for the study's methods and their teachers."""
    taking = _with_teacher(methods)
    checked = check_values(values, _SET, "", taking)
    elsewhere = parts_by_name(installed()) if checked.unknown else {}
    problems = checked.problems
    for name in checked.unknown:
        if name in elsewhere:
            names = ", ".join(method.name for method in methods)
            message = f"no method of this study has such a part ({names})"
            problems.append(Problem(_SET, name, message))
        elif (option := name.removeprefix("execution.")) in _ELSEWHERE:
            problems.append(Problem(_SET, name, "is no setting of a method", _ELSEWHERE[option]))
        else:
            problems.append(unknown_setting(name, _SET, "", [*parts_by_name(taking), "data"]))
    return checked.values, problems


def _all_known(methods: Iterable[Method]) -> list[Method]:
    own = [method for method in methods if method.name not in BUILT_IN]
    return [*BUILT_IN.values(), *own]


def _with_teacher(methods: Sequence[Method]) -> list[Method]:
    return [*methods, TEACHER] if any(method.needs_teacher for method in methods) else [*methods]


def changed_by_profile(conditions: Conditions, methods: Sequence[Method]) -> dict[str, Value]:
    """What the profile sets other than the methods' own values; what it sets for others is out."""
    taking = [method for method in _with_teacher(methods) if conditions.takes_settings(method)]
    known = parts_by_name(taking)
    return {
        name: value
        for name, value in conditions.settings.items()
        if name in known and not all(same(part.baseline, value) for part in known[name])
    }


def profile_notes(
    conditions: Conditions, methods: Iterable[Method], declared: Collection[str]
) -> Iterator[str]:
    """A sentence on each method but the package's own, for which no shipped profile is written.

    It says which of the method's values the profile replaces, or which of the profile's values do
    not count since its data is not read. `declared` are parts that the study itself sets.
    """
    decided = {*conditions.overrides, *declared}
    for method in methods:
        differing = {
            name: value
            for name, value in conditions.settings.items()
            if method.name not in BUILT_IN and name not in decided and method.has_part(name)
            and not same(method.part(name).baseline, value)
        }  # fmt: skip
        if not differing:
            continue
        settings = _listed([f"{name} = {format_value(v)}" for name, v in differing.items()])
        own = _listed([format_value(method.part(name).baseline) for name in differing])
        profile = f"profile {conditions.name} of {FILE_NAME}"
        if conditions.takes_settings(method):
            replace_own = "replaces" if len(differing) == 1 else "replace"
            yield f"{settings} from {profile} {replace_own} {own} of {method.name}"
        else:
            yield (
                f"{settings} of {profile} not taken: a profile's settings go with its data, which "
                f"{method.name} does not read, so it keeps {own} (--set, or a profile without "
                "data, changes that)"
            )


def _listed(texts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
