"""How files of the user are read: TOML into a pydantic model, every problem of a file at once."""

from __future__ import annotations

import datetime
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError

from ablate.errors import InputError, Problem, did_you_mean

TomlValue = str | int | float | bool
Place = tuple[int | str, ...]  #: where in a document: ("ablation", 0, "action")

_LONGEST = 60  #: characters of a value in a message
_DEEPEST = 50  #: tables within tables; nobody writes more, and pydantic and this file recurse

#: Pydantic's kind of error -> what would be right, in words of TOML.
_EXPECTED = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
}


class Strict(BaseModel):
    """A model that knows all its keys and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    #: Keys that people look for here -> where that belongs.
    elsewhere: ClassVar[Mapping[str, str]] = {}


def scalar(value: object) -> TomlValue:
    """A text, a number, true or false; ValueError for anything else."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:  # TOML's own limit
        raise ValueError("should be a number of at most 64 bits")
    if isinstance(value, str | int | float):  # bool is an int
        return value
    raise ValueError("should be a text, a number, true or false")


def _path(value: object) -> str:
    """A text without what would steer a terminal or end a path."""
    if not isinstance(value, str):
        raise ValueError("should be a text in quotes")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise ValueError("has a control character")
    return value


def clean_text(value: object) -> str:
    """A text on one line, breaks folded; ValueError for anything else."""
    return _path(" ".join(value.split()) if isinstance(value, str) else value)


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """TOML reads `head.width = 1` as nested tables; parts are named by dotted keys.

    Raises ValueError where two spellings give one key.
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        inner = flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        for name, item in ({prefix + key: value} if inner is None else inner).items():
            if name in flat:
                raise ValueError(f"has {name} twice, in quotes and without")
            flat[name] = item
    return flat


Scalar = Annotated[TomlValue, PlainValidator(scalar)]
PathText = Annotated[str, PlainValidator(_path)]
Text = Annotated[str, PlainValidator(clean_text)]  #: one line for people to read, breaks folded
#: Tables of part = value, in dotted form.
Flat = BeforeValidator(lambda table: flatten(table) if isinstance(table, dict) else table)
Values = Annotated[dict[str, Scalar], Flat]


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; InputError says where it is missing or malformed."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(Problem(str(path), "", "no such file", _near(path))) from None
    except IsADirectoryError:
        right = "".join(f'such as "{file}"' for file in _studies(path)[:1])
        raise InputError(Problem(str(path), "", "is a folder; a study is a file", right)) from None
    except UnicodeDecodeError as error:
        text = f"is no text in UTF-8, which TOML is: {error.reason} at byte {error.start}"
        raise InputError(Problem(str(path), "", text)) from None
    except OSError as error:
        raise InputError(
            Problem(str(path), "", f"cannot be read: {error.strerror or error}")
        ) from None
    except RecursionError:
        raise InputError(Problem(str(path), "", "is nested too deeply")) from None
    except ValueError as error:  # a TOMLDecodeError, or an integer of thousands of digits
        raise InputError(Problem(str(path), "", f"is no valid TOML: {error}")) from None
    if _depth(data) > _DEEPEST:
        raise InputError(Problem(str(path), "", "is nested too deeply"))
    return data


def _near(path: Path) -> str:
    """The study that a path may mean: reports know it by its name, without folder and ending."""
    studies = [*_studies(path.parent), *_studies(path.parent / "studies")]
    by_name = {name: str(file) for file in studies for name in (file.stem, file.name)}
    return did_you_mean(path.name, [str(file) for file in studies], by_name)


def _studies(folder: Path) -> list[Path]:
    """TOML files of a folder that may be studies."""
    others = ("ablate.toml", "pyproject.toml")
    return sorted(file for file in folder.glob("*.toml") if file.name not in others)


def _depth(data: object) -> int:
    """Tables and lists within each other; dotted keys make any number of them."""
    depth, level = 0, [data]
    while level:
        inner = [list(x.values()) if isinstance(x, dict) else x for x in level]
        level = [item for x in inner if isinstance(x, list) for item in x]
        depth += 1
    return depth


Model = TypeVar("Model", bound=BaseModel)


def validate(
    model: type[Model], data: dict[str, Any], where: str
) -> tuple[Model | None, list[Problem]]:
    """Read `data` as a `model`, without what is wrong in it, and list what is wrong.

    What is wrong is left out and the rest read again, so that later checks can add their own
    problems; the model is None only where something required is missing. Changes `data`.
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


def _entry(data: Any, loc: Place) -> Place:
    """The part of a location that is there in `data`.

    A location goes on inside the entry where it names a key that is missing.
    """
    path: list[int | str] = []
    for step in (step for part in loc for step in _steps(data, path, part)):
        holder = _at(data, path)
        if not _has(holder, step) or holder[step] is None:
            break
        path.append(step)
    return tuple(path)


def _steps(data: Any, path: list[int | str], part: int | str) -> Iterator[int | str]:
    """A key in dotted form may be one key of the document, or the names of nested tables."""
    if isinstance(part, int) or _has(_at(data, path), part):
        yield part
        return
    head, dot, rest = part.partition(".")
    while dot and not _has(_at(data, path), head):
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    yield head
    if dot:
        yield from _steps(data, path, rest)


def _at(data: Any, path: list[int | str]) -> Any:
    for step in path:
        data = data[step]
    return data


def _remove(data: Any, path: Place) -> None:
    """Take an entry out; an item of a list becomes None, so that later ones keep their index."""
    *outer, last = path
    holder = _at(data, outer)
    if isinstance(last, int):
        holder[last] = None
    else:
        del holder[last]


def _has(holder: Any, part: int | str) -> bool:
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _problems(error: ValidationError, model: type[BaseModel], where: str) -> list[Problem]:
    found: dict[str, Problem] = {}
    for item in error.errors():
        kind, loc, context = item["type"], item["loc"], item.get("ctx", {})
        right = ""
        if kind == "extra_forbidden":
            message, right = "unknown key", _right_key(str(loc[-1]), _model_at(model, loc[:-1]))
        elif kind == "missing":
            message = "is missing"
        elif kind == "value_error":
            message = str(context["error"])
            if message.startswith("should"):
                message += f", not {written(item['input'])}"
        elif kind == "literal_error":
            choices = context["expected"].replace("'", '"')
            message = f"should be {choices}, not {written(item['input'])}"
        else:
            expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else item["msg"]
            message = f"should be {expected}, not {written(item['input'])}"
        key = dotted(loc)
        found.setdefault(key, Problem(where, key, message, right))
    return list(found.values())


def written(value: object) -> str:
    """A value as a file writes it, or what it is where that would be long."""
    if isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list):
        text = f"[{', '.join(written(item) for item in value)}]"
        text = text if len(text) <= _LONGEST else "a list"
    elif isinstance(value, str):
        text = f'"{value}"' if len(value) < _LONGEST else f'"{value[: _LONGEST - 5]}..."'
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int) and value.bit_length() > 64:  # Python refuses to write long ones
        text = f"a number of {value.bit_length()} bits"
    elif isinstance(value, datetime.date | datetime.time):
        text = value.isoformat()
    else:
        text = str(value)
    return text


def _right_key(wrong: str, model: Any) -> str:
    """What would be right in place of a key that a model does not have."""
    if model is None:
        return ""
    return model.elsewhere.get(wrong) or did_you_mean(wrong, list(model.model_fields))


def _model_at(model: type[BaseModel], loc: Place) -> Any:
    """The model of the table at `loc`, found by walking the annotations; None if it has none."""
    current: Any = model
    in_dict = False  # the next key is a name of the user's, such as a profile's
    for part in loc:
        if isinstance(part, int):
            continue
        if in_dict:
            in_dict = False
            continue
        field = current.model_fields.get(part) if current else None
        current = _model_in(field.annotation) if field else None
        in_dict = field is not None and getattr(field.annotation, "__origin__", None) is dict
    return None if in_dict else current


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None


def dotted(loc: Place | list[int | str]) -> str:
    """("ablation", 0, "action") -> "ablation[0].action"."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
