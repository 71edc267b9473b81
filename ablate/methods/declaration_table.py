"""A table of a TOML file read key by key; every problem is kept, with its file and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from ablate.errors import Problem, did_you_mean

Kind = TypeVar("Kind", bound=StrEnum)
Made = TypeVar("Made")


@dataclass
class Table:
    """One table; tables within it share its list of problems."""

    path: Path
    content: Mapping[str, Any]
    key: str = ""  #: of the table in the file
    problems: list[Problem] = field(default_factory=list)
    read: set[str] = field(default_factory=set)  #: keys that were asked for

    def problem(self, key: str, message: str, right: str = "") -> None:
        """Note what is wrong with a key."""
        place = ".".join(filter(None, (self.key, key)))
        self.problems.append(Problem(str(self.path), place, message, right))

    def get(self, key: str, kind: type, right: str, *, required: bool = False) -> Any:
        """The value of a key if it has the right type; else None and, where wrong, a problem."""
        self.read.add(key)
        value = self.content.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing", right)
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.problem(key, "has the wrong type", right)
            return None
        return value

    def text(self, key: str, *, required: bool = False) -> str:
        """A text, "" where there is none."""
        found = self.get(key, str, "a text", required=required)
        if found == "" and required:
            self.problem(key, "is empty", "a text")
        return found or ""

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...] | None:
        """A list of texts; None where the key is absent or wrong."""
        found = self.get(key, list, "a list of texts", required=required)
        if found is not None and not all(isinstance(one, str) for one in found):
            self.problem(key, "has the wrong type", "a list of texts")
            return None
        if found == [] and required:
            self.problem(key, "is empty", "a list of texts")
        return None if found is None else tuple(found)

    def choice(self, key: str, kind: type[Kind]) -> Kind | None:
        """One of an enum's values; None where there is none."""
        value = self.text(key)
        try:
            return kind(value) if value else None
        except ValueError:
            self.problem(key, f'"{value}" is none of them', did_you_mean(value, [*kind]))
            return None

    def tables(self, key: str) -> list[Table]:
        """The tables of a list, each with its place as key."""
        found: Sequence[Any] = self.get(key, list, f"[[{key}]]") or []
        if not all(isinstance(one, dict) for one in found):
            self.problem(key, "has the wrong type", f"[[{key}]]")
            return []
        places = (".".join(filter(None, (self.key, f"{key}[{i}]"))) for i in range(len(found)))
        return [
            Table(self.path, one, place, self.problems)
            for one, place in zip(found, places, strict=True)
        ]

    def made(self, make: Callable[[], Made]) -> Made | None:
        """What is made of the table; None and a problem where that is refused."""
        try:
            return make()
        except ValueError as error:
            self.problem("", str(error))
            return None

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.content.keys() - self.read:
            self.problem(key, "is not known here", did_you_mean(key, sorted(self.read)))
