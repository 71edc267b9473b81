"""A method: its parts, the program that trains it, what it needs upstream, what cannot work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ablate.errors import did_you_mean
from ablate.methods.metrics import COSTS, Metric, find_metric
from ablate.methods.parts import Part, Value, Values, same
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE, JobConfig


class NotFoundError(ValueError):
    """A name that nothing has; says what would be right."""

    def __init__(self, message: str, right: str = "") -> None:
        super().__init__(f"{message}: {right}" if right else message)
        self.message, self.right = message, right


Networks = Mapping[str, str]  #: role -> network

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


def nothing_inert(_: JobConfig) -> Mapping[str, str]:
    """A method whose every part always counts."""
    return {}


def same_baseline(_networks: Networks) -> Values:
    """A method whose baseline is the same for all networks."""
    return {}


def as_they_are(job: JobConfig) -> Values:
    """A method whose settings all have one spelling."""
    return job.settings


@dataclass(frozen=True)
class Qualifier:
    """Words of a plan that choose a study's pairs, such as "in cross-architecture distillation"."""

    words: tuple[str, ...]  #: each of which says it
    pairs: tuple[str, ...]  #: "teacher/student"
    profile_pairs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """One trainable method and everything that can be ablated in it."""

    name: str  #: as study files write it: "cocord"
    title: str  #: as tables print it: "CoCoRD"
    program: str  #: import path "module:function" of the program, loaded by workers only
    parts: tuple[Part, ...]
    #: What a finished job has measured, the first being the one that its tables are about: they
    #: show it if a study names no metric, and the best epoch is chosen by it.
    metrics: tuple[Metric, ...] = ()
    kind: str = "student"
    #: Roles of the networks that a study's pairs name; (): it has none, and a study of it needs no
    #: pairs, though it may list some, which then are plain names.
    roles: tuple[str, ...] = (TEACHER_ROLE, STUDENT_ROLE)
    uses_data: bool = True  #: it reads the profile's data set; else it brings its own
    source: str = ""  #: where the method was published
    baseline_for: Callable[[Networks], Values] = same_baseline  #: networks -> changes
    conflicts: Callable[[JobConfig], Iterable[Conflict]] = no_conflicts
    #: Parts that change nothing that the job computes -> when they would count. A variant that
    #: changes only such parts would print the baseline's numbers as if it had ablated something.
    inert: Callable[[JobConfig], Mapping[str, str]] = nothing_inert
    upstream: Callable[[JobConfig, Recipe], Mapping[str, JobConfig]] = no_upstream
    #: All seeds of a row wait for the same upstream work; else `upstream` is asked for each seed.
    seeds_share_upstream: bool = False
    footnotes: Callable[[JobConfig], Iterable[str]] = field(default=lambda _: ())
    #: Settings -> the one spelling of all that compute the same, such as two names of one network.
    canonical: Callable[[JobConfig], Values] = as_they_are
    #: Parts that make it what its title says: with one of them off it is another method.
    core: tuple[str, ...] = ()
    #: Parts whose whole effect is in upstream jobs, by whose ids the job itself is known.
    upstream_parts: tuple[str, ...] = ()
    #: Pairs of a study whose plan names none, and those of a profile.
    usual_pairs: tuple[str, ...] = ()
    usual_profile_pairs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    qualifiers: tuple[Qualifier, ...] = ()
    #: The code that declares it: the user's file, or a plug-in's package; "" for the package's own.
    file: str = ""

    def __post_init__(self) -> None:
        if len(self._by_name) < len(self.parts):
            names = [part.name for part in self.parts]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"method {self.name} declares a part twice: {', '.join(twice)}")

    @cached_property
    def _by_name(self) -> dict[str, Part]:
        return {part.name: part for part in self.parts}

    def part(self, name: str) -> Part:
        """Look a part up; NotFoundError names the closest one."""
        if name in self._by_name:
            return self._by_name[name]
        called = {word: part.name for part in self.parts for word in part.words()}
        hint = did_you_mean(name, list(self._by_name), called)
        raise NotFoundError(f'no part "{name}" in method {self.name}', hint)

    def has_part(self, name: str) -> bool:
        """Whether the method declares a part of this name."""
        return name in self._by_name

    @property
    def needs_teacher(self) -> bool:
        """Whether its pairs name a teacher."""
        return TEACHER_ROLE in self.roles

    def metric(self, words: str) -> Metric:
        """Look a metric up by name, label or alias; NotFoundError names the closest one."""
        known = (*self.metrics, *COSTS)
        if (found := find_metric(words, known)) is not None:
            return found
        labels = {word: metric.label for metric in known for word in metric.words()[1:]}
        hint = did_you_mean(words, [metric.name for metric in known], labels)
        raise NotFoundError(f'{self.name} declares no metric "{words}"', hint)

    def baseline(self, networks: Networks) -> dict[str, Value]:
        """Baseline value of every part for one pair; ValueError if the declaration is wrong."""
        changes = self.baseline_for(networks)
        special = {name: self.part(name).allowed.parse(value) for name, value in changes.items()}
        return {**{part.name: part.baseline for part in self.parts}, **special}

    def with_baseline(self, name: str, title: str, **changes: Value) -> Method:
        """The same method under another name with other baselines (dots as double underscores)."""
        values = {key.replace("__", "."): value for key, value in changes.items()}
        for key in values:
            self.part(key)
        parts = tuple(
            replace(part, baseline=values.get(part.name, part.baseline)) for part in self.parts
        )
        core = tuple(dict.fromkeys((*self.core, *values)))
        return replace(self, name=name, title=title, parts=parts, core=core)

    @property
    def code(self) -> str:
        """Where the program is: an import path, or a function of the user's file."""
        return self.program if ":" in self.program else f"{self.file}:{self.program}"

    def is_sibling(self, other: Method) -> bool:
        """Whether the two differ in baselines only, as `with_baseline` makes them."""
        same_parts = self._by_name.keys() == other._by_name.keys()
        return self.code == other.code and self.kind == other.kind and same_parts

    def set_apart(self, sibling: Method) -> list[str]:
        """Parts in whose declared baselines a sibling differs."""
        return [p.name for p in self.parts if not same(p.baseline, sibling.part(p.name).baseline)]
