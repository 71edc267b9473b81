"""Parsed TOML into a pydantic model, every problem of a file at once and in words of TOML."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ablate.errors import Problem, did_you_mean

Place = tuple[int | str, ...]  #: where in a document: ("ablation", 0, "action")

MOST_PROBLEMS = 100  #: that are told at once
_LONGEST = 60  #: characters of a value in a message

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
            message, right = (
                "unknown key",
                _right_key(str(loc[-1]), _model_at(model, loc[:-1]), model),
            )
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


def _right_key(wrong: str, model: Any, root: type[BaseModel]) -> str:
    """What would be right in place of a key that a model does not have."""
    if model is None:
        return ""
    names = list(model.model_fields)
    plain = re.sub(r"\W+", "_", wrong.strip()).casefold()
    if wrong in model.elsewhere:
        return str(model.elsewhere[wrong])
    if plain in names:
        return f'did you mean "{plain}"?'
    if model is not root and plain in root.model_fields:
        return f"it belongs to the whole file; write it above the first [table]: {plain} = ..."
    return did_you_mean(wrong, names)


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
