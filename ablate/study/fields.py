"""The values that a user's file may hold: texts, paths, numbers, tables of part = value."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WithJsonSchema

TomlValue = str | int | float | bool

MOST_LETTERS = 100_000  #: of one text; longer ones belong in a document of their own
MOST_LINE_LETTERS = 1_000  #: of a title or a label, which stand in tables


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
    """A text without control characters and null bytes."""
    if not isinstance(value, str):
        raise ValueError("should be a text in quotes")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise ValueError("has a control character")
    return value


def clean_text(value: object) -> str:
    """A text on one line, breaks folded; ValueError for anything else."""
    text = _path(" ".join(value.split()) if isinstance(value, str) else value)
    if len(text) > MOST_LETTERS:
        raise ValueError(f"has {len(text):,} letters, and at most {MOST_LETTERS:,} are read")
    return text


def clean_line(value: object) -> str:
    """A title or a label: a text short enough for a table; ValueError for anything else."""
    text = clean_text(value)
    if len(text) > MOST_LINE_LETTERS:
        raise ValueError(f"has {len(text):,} letters; a line of a table has {MOST_LINE_LETTERS:,}")
    return text


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


Scalar = Annotated[
    TomlValue,
    PlainValidator(scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
PathText = Annotated[str, PlainValidator(_path), WithJsonSchema({"type": "string"})]
#: One line for people to read, breaks folded.
Text = Annotated[
    str, PlainValidator(clean_text), WithJsonSchema({"type": "string", "maxLength": MOST_LETTERS})
]
#: A title or a label.
Line = Annotated[
    str,
    PlainValidator(clean_line),
    WithJsonSchema({"type": "string", "maxLength": MOST_LINE_LETTERS}),
]


def _flat(table: object) -> object:
    return flatten(table) if isinstance(table, dict) else table


#: Tables of part = value, in dotted form.
Values = Annotated[
    dict[str, Scalar],
    BeforeValidator(_flat),
    WithJsonSchema({"type": "object", "description": "part = value"}),
]
