"""The options that make a study the one that it is: profile, overrides and seeds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.cli.common import profile_of
from ablate.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ablate.matrix.plan import Matrix
    from ablate.study.parse import Study
    from ablate.study.settings import Settings, TomlValue

_NUMBER = re.compile(r"[+-]?(?:\.\d+|\d+\.)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class StudyOptions:
    """Settings, and what the command line changes in them for every study that it names."""

    settings: Settings
    profile: str
    overrides: Mapping[str, TomlValue]
    seeds: Sequence[int] | None  #: None: those of the study

    @classmethod
    def parse(
        cls,
        settings: Settings,
        *,
        profile: str | None,
        set_: list[str] | None,
        seeds: str | None,
    ) -> StudyOptions:
        """Read --profile, --set and --seeds as a user writes them; InputError if one is wrong."""
        name = profile_of(profile, settings)
        return cls(settings, name, parse_overrides(set_), parse_seeds(seeds))

    def expand(self, study: Study, seeds: Sequence[int] | None = None) -> Matrix:
        """All jobs of a study under these options, with other `seeds` if some are named.

        Raises:
            InputError: the study or an option is wrong.
        """
        from ablate.matrix.expand import expand

        chosen = self.seeds if seeds is None else seeds
        chosen = None if chosen is None else list(chosen)
        return expand(study, self.settings, self.profile, self.overrides, chosen)


def parse_overrides(texts: list[str] | None) -> dict[str, TomlValue]:
    """--set options as a table; values are TOML, and bare words are text."""
    values: dict[str, TomlValue] = {}
    problems = []
    for text in texts or []:
        key, equals, value = text.partition("=")
        name = key.strip()
        if not equals or not name:
            problems.append(Problem("--set", text, "is no setting", "key=value"))
        elif len(text.splitlines()) > 1:  # TOML would take what follows for other keys
            problems.append(Problem("--set", name, "has a line break in it", "one line"))
        elif name in values:
            problems.append(Problem("--set", name, "is set twice", "each key once"))
        else:
            values[name] = _toml_value(value)
    if problems:
        raise InputError(problems)
    return values


def _toml_value(text: str) -> TomlValue:
    number = _NUMBER.fullmatch(text.strip())
    if number:  # .01 and 1. are numbers everywhere but in TOML
        return float(text)
    try:
        value: TomlValue = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, or a number of thousands of digits
        return text.strip()
    return value


def parse_seeds(text: str | None) -> list[int] | None:
    """--seeds as numbers; InputError if it is anything else, or one number that may be a count."""
    if text is None:
        return None
    from ablate.study.seeds import parse_seed_text

    try:
        seeds = parse_seed_text(text)
    except ValueError as error:
        raise InputError(Problem("--seeds", "", str(error))) from None
    if text.strip().isdecimal() and seeds != [0]:
        (number,) = seeds
        count = f"0-{number - 1} for {number} seeds" if number > 1 else "0 for one seed"
        message = f'"{number}" may be a seed or a number of seeds'
        raise InputError(Problem("--seeds", "", message, f"{count}; {number}, for seed {number}"))
    return seeds
