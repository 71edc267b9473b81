"""ablate.toml: where results go, on which devices, and the profiles studies run under.

Also home of the one way in which files of the user are read: TOML into a pydantic model, with
every problem of the file at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ablate.errors import InputError, Problem, did_you_mean

FILE_NAME = "ablate.toml"
TomlValue = str | int | float | bool

_SCALARS = ("str", "int", "float", "bool")  #: branches of TomlValue in pydantic's locations
_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)\s*(epoch|step|minute|second)s?")


class Strict(BaseModel):
    """A model that knows all its keys and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Profile(Strict):
    """How studies are run: on which data, and with which values in place of a method's own."""

    data: str
    title: str = ""  #: one line for the table's footer
    seeds: list[int] | None = None
    settings: dict[str, TomlValue] = Field(default_factory=dict)

    @field_validator("settings", mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        return flatten(value) if isinstance(value, dict) else value


class Execution(Strict):
    """How the executor uses this machine; nothing here changes a result."""

    devices: Literal["auto"] | list[str] = "auto"
    jobs_per_device: Literal["auto"] | int = 1
    threads: int = Field(1, ge=1)  #: CPU threads of one job
    cpu_slots: Literal["auto"] | int = "auto"  #: jobs at once where there is no GPU
    checkpoint_every: str = "1 epoch"
    max_retries: int = Field(3, ge=0)
    retry_delay_s: float = Field(1.0, ge=0)
    grace_s: float = Field(30.0, gt=0)  #: from asking a worker to stop to killing it

    @field_validator("checkpoint_every")
    @classmethod
    def _interval(cls, value: str) -> str:
        if not _INTERVAL.fullmatch(value.strip()):
            raise ValueError('expected e.g. "1 epoch", "200 steps" or "10 minutes"')
        return value

    @property
    def interval(self) -> tuple[float, str]:
        """`checkpoint_every` as (amount, unit), unit being epoch, step, minute or second."""
        match = _INTERVAL.fullmatch(self.checkpoint_every.strip())
        assert match, "validated when read"
        return float(match[1]), match[2]


class Settings(Strict):
    """The whole of ablate.toml."""

    results: str = "results"
    profile: str = "quick"
    data_dir: str = "~/.cache/ablate"
    teacher_checkpoints: str = ""  #: folder with <network>_vanilla/*.pth
    execution: Execution = Execution.model_construct()
    profiles: dict[str, Profile]
    folder: str = "."  #: where the file lies; relative paths in it start there

    def path(self, text: str) -> Path:
        """A path as written in the file."""
        return (Path(self.folder) / Path(text).expanduser()).resolve()


def find_settings(*starts: Path) -> Path:
    """The ablate.toml in the nearest folder above any of `starts`; InputError if there is none."""
    for start in starts:
        for folder in (start.resolve(), *start.resolve().parents):
            if (folder / FILE_NAME).is_file():
                return folder / FILE_NAME
    raise InputError(
        Problem(
            FILE_NAME, "", f"not found in {starts[0].resolve()} or above", "ablate init writes one"
        )
    )


def load_settings(path: Path) -> Settings:
    """Read ablate.toml; InputError holds every problem in it."""
    data = read_toml(path)
    data["folder"] = str(path.parent)
    settings, problems = validate(Settings, data, path.name)
    if settings and settings.profile not in settings.profiles:
        hint = did_you_mean(settings.profile, list(settings.profiles))
        problems.append(Problem(path.name, "profile", f'no profile "{settings.profile}"', hint))
    if problems or settings is None:
        raise InputError(problems)
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; InputError says where it is missing or malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise InputError(
            Problem(str(path), "", "no such file", did_you_mean(path.name, near))
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), "", f"cannot be read: {error}")) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(str(path), "", f"is no valid TOML: {error}")) from None


Model = TypeVar("Model", bound=BaseModel)


def validate(
    model: type[Model], data: dict[str, Any], where: str
) -> tuple[Model | None, list[Problem]]:
    """Read `data` as a `model`, without what is wrong in it, and list what is wrong.

    What is wrong is left out and the rest read again, so that later checks can add their own
    problems; the model is None only where something required is missing.
    """
    problems: list[Problem] = []
    while True:
        try:
            return model.model_validate(data), problems
        except ValidationError as error:
            known = {problem.key for problem in problems}
            problems += [p for p in _problems(error, model, where) if p.key not in known]
            wrong = {_entry(data, item["loc"]) for item in error.errors()}
            if () in wrong:
                return None, problems
            for path in sorted(wrong, key=len, reverse=True):
                _remove(data, path)


def _entry(data: Any, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The part of a location that is there in `data`.

    A location goes on inside the entry where it names a branch of a union, a key that is missing,
    or one written in dotted form.
    """
    path: list[int | str] = []
    for part in loc:
        if not _has(data, part) or data[part] is None:
            break
        path.append(part)
        data = data[part]
    return tuple(path)


def _remove(data: Any, path: tuple[Any, ...]) -> None:
    """Take an entry out; an item of a list becomes None, so that later ones keep their index."""
    for part in path[:-1]:
        data = data[part]
    if isinstance(data, list):
        data[path[-1]] = None
    else:
        del data[path[-1]]


def _has(holder: Any, part: int | str) -> bool:
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _problems(error: ValidationError, model: type[BaseModel], where: str) -> list[Problem]:
    found: dict[str, Problem] = {}
    for item in error.errors():
        loc = [part for part in item["loc"] if not _is_union_tag(part)]
        key, message, right = dotted(loc), item["msg"].removeprefix("Value error, "), ""
        if item["type"] == "extra_forbidden":
            message, right = "unknown key", did_you_mean(str(loc[-1]), _fields(model, loc[:-1]))
        elif item["type"] == "missing":
            message = "is missing"
        elif item["loc"][-1] in _SCALARS:
            message = f"should be a text, a number, true or false, not {_shown(item['input'])}"
        else:
            message = f"{message[:1].lower()}{message[1:]}, not {_shown(item['input'])}"
        found.setdefault(key, Problem(where, key, message, right))
    return list(found.values())


def _is_union_tag(part: int | str) -> bool:
    """Pydantic puts the names of tried types of a union into a location; no key looks like that."""
    return part in _SCALARS or (isinstance(part, str) and "[" in part)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields(model: type[BaseModel], loc: list[int | str]) -> list[str]:
    """Names of the keys allowed at `loc`, found by walking the model's annotations."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel) and isinstance(part, str):
            field = current.model_fields.get(part)
            current = _model_in(field.annotation) if field else None
        if current is None:
            return []
    return list(current.model_fields) if current else []


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None


def dotted(loc: list[int | str] | tuple[int | str, ...]) -> str:
    """("ablation", 0, "action") -> "ablation[0].action"."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """TOML reads `head.width = 1` as nested tables; parts are named by dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
