"""A training script as a method: its command, how it gets each part, where its numbers stand.

A script is declared in TOML (`ablate.methods.script_file` reads it) and needs no change to be run.
Its command is a list of arguments and never passes through a shell, so a part's value is always
one argument, whatever stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ablate.methods import hydra_grammar
from ablate.methods.method import Method, Recipe
from ablate.methods.metrics import Metric
from ablate.methods.parts import Part, Value, Values, format_value
from ablate.methods.session import JobConfig

MAIN = "main"  #: the stage whose metrics the tables are about
SEED = "seed"
FOLDER, OUTPUT, CHECKPOINTS = "{folder}", "{output}", "{checkpoints}"
PROGRAM = "script"  #: of a method that is declared in TOML
SUFFIX = ".toml"

#: What a command may name in braces -> what stands there when it runs.
PLACEHOLDERS: Mapping[str, str] = {
    "python": "the Python that runs ablate",
    SEED: "the job's seed",
    "folder": "the folder of the declaration",
    "output": "a folder for files that the job leaves; later stages and people read them",
    "checkpoints": "a folder for checkpoints, emptied when the job is done",
    "device": "torch's name of the job's device",
    "threads": "how many threads the job may use",
    "pair": "the pair of the study, where it lists some",
}
TAKEN = "value of "  #: before a metric's name: the fact that says which of its values counts
STAGE = "stage."  #: before the name of a stage, whose `output` a later one reads

_PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[a-z0-9_]+)?)\}")


class Way(StrEnum):
    """How a script is given a part."""

    FLAG = "flag"  #: the argument `--lr=0.1`
    SWITCH = "switch"  #: the argument `--nesterov` where the value is true, else none
    VARIABLE = "variable"  #: an environment variable
    HYDRA = "hydra"  #: the argument `optimizer.lr=0.1`, quoted as Hydra reads it


class Source(StrEnum):
    """Where a metric's value is read."""

    PATTERN = "pattern"  #: a regular expression over the output
    JSON = "json"
    CSV = "csv"


class Take(StrEnum):
    """Which of several values counts."""

    LAST = "last"
    BEST = "best"


@dataclass(frozen=True)
class Passing:
    """How one part reaches the script, and which stages get it."""

    way: Way
    name: str  #: of the flag, the variable or Hydra's key
    stages: tuple[str, ...] = (MAIN,)

    def argument(self, value: Value) -> str | None:
        """The one argument that carries a value; None where there is none."""
        if self.way is Way.FLAG:
            return f"{self.name}={format_value(value)}"
        if self.way is Way.HYDRA:
            return hydra_grammar.override(self.name, value)
        return self.name if self.way is Way.SWITCH and value is True else None


@dataclass(frozen=True)
class Measure:
    """Where a metric's value stands once the script has run."""

    source: Source
    place: str  #: the regular expression, or the path of the file
    key: str = ""  #: dotted key in a JSON file, or column of a CSV file
    take: Take = Take.LAST


@dataclass(frozen=True)
class Stage:
    """One command; the method's own is called `MAIN`."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Arguments that let it go on from its checkpoints; None: it cannot, and begins again.
    resume: tuple[str, ...] | None = None
    working_folder: str = FOLDER  #: where it runs
    progress: str = ""  #: regular expression with a group "epoch", over the output

    @property
    def names(self) -> list[str]:
        """All that it names in braces."""
        texts = [*self.command, *self.environment.values(), *(self.resume or ())]
        texts.append(self.working_folder)
        return [name for text in texts for name in _PLACEHOLDER.findall(text)]

    @property
    def runs_in_output(self) -> bool:
        """Whether files of relative paths are its own, whatever else runs at the same time."""
        return self.working_folder.startswith(OUTPUT)

    @property
    def is_seeded(self) -> bool:
        """Whether its result depends on the seed."""
        return SEED in self.names

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Stages whose output it reads."""
        named = (name for name in self.names if name.startswith(STAGE))
        return tuple(dict.fromkeys(name.removeprefix(STAGE) for name in named))


@dataclass(frozen=True)
class Script:
    """All that a declaration says beside words."""

    stages: Mapping[str, Stage]  #: in the order in which they run; `MAIN` is the last
    passing: Mapping[str, Passing]  #: part -> how it is passed
    measures: Mapping[str, Measure]  #: metric -> where it stands
    code: tuple[str, ...]  #: files, folders and patterns that are the script's code
    git: bool = False  #: its code is all that git tracks in the declaration's folder

    def needed(self, stage: str) -> list[str]:
        """Stages that have to run before one, in the order of the declaration."""
        found: set[str] = set()
        waiting = [stage]
        while waiting:
            before = self.stages[waiting.pop()].waits_for
            found.update(before)
            waiting += before
        return [name for name in self.stages if name in found]

    def parts_of(self, stage: str) -> list[str]:
        """Parts that a stage is given."""
        return [name for name, way in self.passing.items() if stage in way.stages]


def filled(text: str, places: Mapping[str, str]) -> str:
    """A text with what stands in braces replaced, once; other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda found: places.get(found[1], found[0]), text)


def arguments(
    script: Script, stage: Stage, settings: Values, places: Mapping[str, str], *, resumed: bool
) -> list[str]:
    """The command line of a stage, an argument an entry."""
    given = [(script.passing[name], settings[name]) for name in script.parts_of(stage.name)]
    values = [passing.argument(value) for passing, value in given]
    more = stage.resume or () if resumed else ()
    return [
        *(filled(text, places) for text in stage.command),
        *(value for value in values if value is not None),
        *(filled(text, places) for text in more),
    ]


def variables(
    script: Script, stage: Stage, settings: Values, places: Mapping[str, str]
) -> dict[str, str]:
    """The environment variables that a stage is given."""
    parts = {
        script.passing[name].name: format_value(settings[name])
        for name in script.parts_of(stage.name)
        if script.passing[name].way is Way.VARIABLE
    }
    return {name: filled(text, places) for name, text in stage.environment.items()} | parts


def script_method(
    script: Script, title: str, parts: Sequence[Part], metrics: Sequence[Metric]
) -> Method:
    """The method that a script is; its stages are upstream work, run once for all that share it."""
    only_upstream = tuple(
        name for name, passing in script.passing.items() if MAIN not in passing.stages
    )
    return Method(
        name=title,
        title=title,
        program=PROGRAM,
        parts=tuple(parts),
        metrics=tuple(metrics),
        roles=(),
        uses_data=False,
        upstream=_upstream(script),
        upstream_parts=only_upstream,
    )


def _upstream(script: Script) -> Callable[[JobConfig, Recipe], Mapping[str, JobConfig]]:
    def upstream(job: JobConfig, _recipe: Recipe) -> Mapping[str, JobConfig]:
        return {name: _stage_job(script, name, job) for name in script.needed(MAIN)}

    return upstream


def _stage_job(script: Script, name: str, job: JobConfig) -> JobConfig:
    """The job of a stage; one that does not name the seed runs once for all seeds."""
    stage = script.stages[name]
    return replace(
        job,
        kind=name,
        seed=job.seed if stage.is_seeded else 0,
        settings={part: job.settings[part] for part in script.parts_of(name)},
        networks=job.networks if "pair" in stage.names else {},
        upstream=dict.fromkeys(script.needed(name), ""),  # the matrix fills in the ids
    )
