"""ablate.toml: where results go, on which devices, and the profiles studies run under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, field_validator

from ablate.errors import InputError, Problem, Remedy, did_you_mean
from ablate.study.fields import Line, PathText, Strict, TomlValue, Values, flatten
from ablate.study.seeds import Seeds
from ablate.study.slurm_settings import Executor
from ablate.study.tomlfile import read_toml
from ablate.study.validation import validate

__all__ = ["Execution", "Profile", "Settings", "TomlValue", "find_settings", "load_settings"]

FILE_NAME = "ablate.toml"
DEFAULT_PROFILE = "quick"
NO_PROFILE = "none"  #: the empty profile that counts where a file neither names nor has the default

#: Of training time, what "auto" lets checkpoints cost. Where an epoch takes minutes, every epoch
#: ends with one; where it takes a moment, some don't.
CHECKPOINT_SHARE = 0.01

_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)\s*(epoch|step|minute|second)s?")


def _auto_or_count(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise ValueError('should be "auto" or a whole number from 1')


def _auto_or_names(value: object) -> object:
    names = value if isinstance(value, list) else []
    if value == "auto" or (names and all(isinstance(name, str) for name in names)):
        if len(set(names)) < len(names):
            raise ValueError("has a device twice")
        return value
    raise ValueError('should be "auto" or a list such as ["cuda:0", "cuda:1"]')


def _not_empty(value: str) -> str:
    if not value.strip():  # which would be this folder
        raise ValueError('is empty; "." is the folder of this file')
    return value


Folder = Annotated[PathText, AfterValidator(_not_empty)]
Count = Annotated[
    Literal["auto"] | int,
    PlainValidator(_auto_or_count),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}]}),
]
DeviceNames = Annotated[
    Literal["auto"] | list[str],
    PlainValidator(_auto_or_names),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]


class Profile(Strict):
    """How studies are run: on which data, and with which values in place of a method's own.

    Settings go with the data: methods that bring their own take those of a profile without `data`.
    """

    data: Folder = Field(
        "", description="name of a data set, or a folder of images; none: methods bring their own"
    )
    title: Line = Field("", description="one line for the table's footer")
    seeds: Seeds | None = Field(None, description="seeds of studies that name none")
    settings: Values = Field(default_factory=dict)


class Execution(Strict):
    """How the executor uses this machine.

    To the bit, a result depends on the kind of device and on `threads`, which are recorded with
    it; on nothing else here.
    """

    devices: DeviceNames = Field("auto", description='"auto", or a list such as ["cuda:0"]')
    jobs_per_device: Count = Field(1, description='"auto": as many as fit the GPU\'s memory')
    threads: int = Field(1, ge=1, description="CPU threads of one job")
    cpu_slots: Count = Field("auto", description="jobs at once where there is no GPU")
    checkpoint_every: str = Field(
        "auto", description='"auto", or such as "1 epoch", "200 steps", "10 minutes"'
    )
    max_retries: int = Field(3, ge=0, description="times that a crashed job is started again")
    retry_delay_s: float = Field(1.0, ge=0, description="seconds before the first of these")
    grace_s: float = Field(
        30.0, gt=0, description="seconds from asking a worker to stop to killing it"
    )
    machine_wait_minutes: float = Field(
        60.0, ge=0, description="minutes that a full disk is waited for before the run ends"
    )
    ask_above_hours: float = Field(
        24.0, ge=0, description="device hours from which `ablate run` asks before it starts"
    )

    @field_validator("checkpoint_every")
    @classmethod
    def _interval(cls, value: str) -> str:
        match = _INTERVAL.fullmatch(value.strip())
        if value != "auto" and (not match or float(match[1]) == 0):
            raise ValueError('should be "auto", or such as "1 epoch", "200 steps", "10 minutes"')
        return value

    @property
    def interval(self) -> tuple[float, str]:
        """`checkpoint_every` as (amount, unit), unit being epoch, step, minute or second.

        "auto" is (share of the time, "share"): at the end of an epoch, as often as that allows.
        """
        if self.checkpoint_every == "auto":
            return CHECKPOINT_SHARE, "share"
        match = _INTERVAL.fullmatch(self.checkpoint_every.strip())
        assert match, "validated when read"
        return float(match[1]), match[2]


class Settings(Strict):
    """The whole of ablate.toml."""

    results: Folder = Field("results", description="folder for results")
    profile: str = Field(DEFAULT_PROFILE, description="profile of commands without --profile")
    data_dir: Folder = Field("~/.cache/ablate", description="folder for downloaded data sets")
    teacher_checkpoints: PathText = Field(
        "", description="folder with <network>_vanilla/*.pth; empty: teachers are trained"
    )
    execution: Execution = Execution.model_construct()
    executor: Executor = Executor.model_validate({})
    profiles: dict[str, Profile] = Field(
        default_factory=dict, description="none: studies run with their methods' own values"
    )
    folder: str = "."  #: where the file lies; relative paths in it start there

    def path(self, text: str) -> Path:
        """A path as written in the file."""
        return (Path(self.folder) / user_path(text)).resolve()


def user_path(text: str) -> Path:
    """A path with ~ for a home folder; where there is no such user, it stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def find_settings(*starts: Path) -> Path:
    """The ablate.toml in the nearest folder above any of `starts`; InputError if there is none."""
    for start in starts:
        for folder in (start.resolve(), *start.resolve().parents):
            if (folder / FILE_NAME).is_file():
                return folder / FILE_NAME
    missing = Problem(FILE_NAME, "", f"not found in {starts[0].resolve()} or above")
    raise InputError(missing).helped_by(Remedy("init"))


def load_settings(path: Path) -> Settings:
    """Read ablate.toml; InputError holds every problem in it.

    Names of settings that no known method has wait until a study's method is known; but where
    the file is refused anyhow, those that look misspelled are told too.
    """
    data = read_toml(path)
    problems = []
    if data.pop("folder", None) is not None:
        problems.append(Problem(path.name, "folder", "unknown key", "it is where the file lies"))
    written = data.get("profiles", {})
    if "profile" not in data and isinstance(written, dict) and DEFAULT_PROFILE not in written:
        written = {NO_PROFILE: {}, **written}
        data = {**data, "profile": NO_PROFILE, "profiles": written}
    names = list(written) if isinstance(written, dict) else []
    tables = _tables_of_settings(written)
    settings, more = validate(Settings, {**data, "folder": str(path.parent)}, path.name)
    problems += more
    if settings is None:
        raise InputError(problems)
    if settings.profile not in names:
        hint = did_you_mean(settings.profile, names)
        problems.append(Problem(path.name, "profile", f'no profile "{settings.profile}"', hint))
    wrong, misspelled = _profile_problems(tables, path.name)
    known = {problem.key for problem in problems}
    problems += [problem for problem in wrong if problem.key not in known]
    if problems:
        raise InputError([*problems, *misspelled])
    return settings


def _tables_of_settings(profiles: object) -> dict[str, dict[str, TomlValue]]:
    """Profile -> values under its `settings`, also of profiles that have other problems.

    Those of a profile without data are left out: they wait for the methods that take them.
    """
    tables = {}
    for name, profile in profiles.items() if isinstance(profiles, dict) else ():
        table = profile.get("settings") if isinstance(profile, dict) else None
        with suppress(ValueError):  # two spellings of one key, which is told elsewhere
            flat = flatten(table) if isinstance(table, dict) and "data" in profile else {}
            tables[name] = {k: v for k, v in flat.items() if isinstance(v, str | int | float)}
    return tables


def _profile_problems(
    tables: Mapping[str, Mapping[str, TomlValue]], where: str
) -> tuple[list[Problem], list[Problem]]:
    """Values that no method takes, and names that look like misspelled ones."""
    from ablate.methods.named_values import check_values, parts_by_name, unknown_setting
    from ablate.methods.registry import BUILT_IN

    methods = list(BUILT_IN.values())
    known, wrong, misspelled = parts_by_name(methods), [], []
    for name, values in tables.items():
        prefix = f"profiles.{name}.settings."
        checked = check_values(values, where, prefix, methods)
        wrong += checked.problems
        unknown = [unknown_setting(key, where, prefix, known) for key in checked.unknown]
        misspelled += [problem for problem in unknown if problem.right.startswith("did you mean")]
    return wrong, misspelled
