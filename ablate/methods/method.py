"""A method: its parts, the program that trains it, what it needs upstream, what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ablate.errors import did_you_mean
from ablate.methods.parts import Part, Value, Values
from ablate.methods.session import JobConfig

#: (upstream method, network) -> its settings under the study's profile.
Recipe = Callable[["Method", str], dict[str, Value]]


@dataclass(frozen=True)
class Conflict:
    """Settings that cannot work together, found before anything runs."""

    part: str  #: the part to change first
    message: str
    right: str = ""


def no_conflicts(_: JobConfig) -> Iterable[Conflict]:
    """A method without constraints between its parts."""
    return ()


def no_upstream(_job: JobConfig, _recipe: Recipe) -> Mapping[str, JobConfig]:
    """A method that needs no other job."""
    return {}


def same_baseline(_teacher: str, _student: str) -> Values:
    """A method whose baseline is the same for every pair."""
    return {}


@dataclass(frozen=True)
class Method:
    """One trainable method and everything that can be ablated in it."""

    name: str  #: as study files write it: "cocord"
    title: str  #: as tables print it: "CoCoRD"
    program: str  #: import path "module:function" of the program, loaded by workers only
    parts: tuple[Part, ...]
    kind: str = "student"
    uses_teacher: bool = True
    networks: bool = True  #: pairs name networks and data sets of the catalogue
    source: str = ""  #: where the method was published
    baseline_for: Callable[[str, str], Values] = same_baseline  #: (teacher, student) -> changes
    conflicts: Callable[[JobConfig], Iterable[Conflict]] = no_conflicts
    upstream: Callable[[JobConfig, Recipe], Mapping[str, JobConfig]] = no_upstream
    footnotes: Callable[[JobConfig], Iterable[str]] = field(default=lambda _: ())
    file: str = ""  #: the user's file that declares it, "" for the package's own

    def part(self, name: str) -> Part:
        """Look a part up; ValueError names the closest one."""
        for part in self.parts:
            if part.name == name:
                return part
        raise ValueError(
            f'no part "{name}" in method {self.name}: '
            + did_you_mean(name, [part.name for part in self.parts])
        )

    def has_part(self, name: str) -> bool:
        """Whether the method declares a part of this name."""
        return any(part.name == name for part in self.parts)

    def baseline(self, teacher: str, student: str) -> dict[str, Value]:
        """Baseline value of every part for one pair."""
        values = {part.name: part.baseline for part in self.parts}
        return {**values, **self.baseline_for(teacher, student)}

    def with_baseline(self, name: str, title: str, **changes: Value) -> Method:
        """The same method under another name with other baselines (dots as double underscores)."""
        values = {key.replace("__", "."): value for key, value in changes.items()}
        parts = tuple(
            replace(part, baseline=values.get(part.name, part.baseline)) for part in self.parts
        )
        return replace(self, name=name, title=title, parts=parts)
