"""A part: one named, ablatable setting of a method, with the values it may take.

Studies are data because parts are: a part knows its baseline, what is allowed in its place, what
REMOVE means for it, and how a paper would print each value.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Self

from ablate.errors import did_you_mean

Value = str | int | float | bool
Values = Mapping[str, Value]  #: dotted part name -> value

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_RESERVED = ("data",)  #: --set data=... chooses the data set


@dataclass(frozen=True)
class Choice:
    """A closed set of values."""

    values: tuple[Value, ...]

    def parse(self, value: object, labels: Sequence[str] = ()) -> Value:
        """Return `value` if it is one of the set (`True` is not 1); ValueError says what is.

        `labels` are other words for its values, one of which may have been meant.
        """
        for allowed in self.values:
            if same(allowed, value):
                return allowed
        also = {label: label for label in labels}
        raise ValueError(did_you_mean(str(value), [format_value(v) for v in self.values], also))

    def __str__(self) -> str:
        return "one of: " + ", ".join(shown(v) for v in self.values)


@dataclass(frozen=True)
class Range:
    """All numbers from `low` to `high`; bounds belong to it unless `open_low`."""

    low: float
    high: float = math.inf
    whole: bool = False
    open_low: bool = False

    def parse(self, value: object) -> Value:
        """Return `value` as int (whole) or float; ValueError says which numbers are allowed."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(str(self))
        inside = self.low < value if self.open_low else self.low <= value
        if not (inside and value <= self.high) or value in (math.inf, -math.inf):
            raise ValueError(str(self))
        try:
            number = float(value) + 0.0  # -0.0 becomes 0.0, so that equal values have equal ids
        except OverflowError:
            raise ValueError(str(self)) from None
        if not self.whole:
            return number
        if value != int(value):
            raise ValueError(str(self))
        return int(value)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = f"{'above' if self.open_low else 'from'} {format_value(self.low)}"
        high = "" if math.isinf(self.high) else f" to {format_value(self.high)}"
        return f"{kind} {low}{high}"


@dataclass(frozen=True)
class Part:
    """One ablatable part of a method."""

    name: str  #: dotted, as study files write it: "prediction.direction"
    label: str  #: as a paper's text names it: "direction of the prediction loss"
    symbol: str  #: as a paper's formula writes it: "L_pred", "τ"; used in "τ = 0.2"
    baseline: Value
    allowed: Choice | Range
    value_labels: Mapping[Value, str] = field(default_factory=dict)  #: "pred" -> "L_pred only"
    off: Value | None = None  #: what REMOVE sets; None where removing has no meaning
    off_label: str = ""  #: "w/o prediction loss"
    on: Value | None = None  #: what ADD sets; None where the baseline already has the part
    help: str = ""
    aliases: tuple[str, ...] = ()  #: other words for the part, as plans and papers use them
    value_aliases: Mapping[Value, tuple[str, ...]] = field(default_factory=dict)
    source: str = ""  #: where its publication ablates or defines it: "section 4.3.2 (Table 6)"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise ValueError(f'"{self.name}" cannot name a part: a-z, 0-9, "_", dots between words')
        for role in ("baseline", "off", "on"):
            value = getattr(self, role)
            if value is not None:
                object.__setattr__(self, role, self._own(role, value))
        for value in (*self.value_labels, *self.value_aliases):
            self._own("value_labels", value)

    def _own(self, role: str, value: Value) -> Value:
        """Check and convert a value that the declaration itself gives."""
        try:
            return self.allowed.parse(value)
        except ValueError as error:
            text = f"part {self.name}: {role} = {shown(value)} is not allowed ({error})"
            raise ValueError(text) from None

    def parse(self, value: object) -> Value:
        """Read a value as a study file or an option writes it, or by its paper label.

        Raises ValueError whose text says what would be right.
        """
        if isinstance(value, str):
            for known, label in self.value_labels.items():
                if plain(value) in map(plain, (label, *self.value_aliases.get(known, ()))):
                    return self.allowed.parse(known)
            if isinstance(self.allowed, Choice):
                return self.allowed.parse(value, tuple(self.value_labels.values()))
        return self.allowed.parse(value)

    def words(self) -> Iterator[str]:
        """All words for the part besides its name: "τ", "tau", "temperature of the ..."."""
        yield from filter(None, (self.symbol, spelled(self.symbol), self.label, *self.aliases))

    def describe(self, value: Value) -> str:
        """Label of this part at `value`, as a table's row prints it."""
        if value in self.value_labels:
            return self.value_labels[value]
        if self.off_label and same(value, self.off):
            return self.off_label
        return f"{self.symbol or self.label} = {format_value(value)}"


def declared(name: str, baseline: Value, allowed: Choice | Range, **words: Any) -> Any:
    """A field of a typed config that is a part; `words` are the other fields of `Part`.

    >>> class Config(Declared):
    ...     lr: float = declared("lr", 0.05, Range(0, 100), label="learning rate")
    """
    part = Part(name, words.pop("label"), words.pop("symbol", ""), baseline, allowed, **words)
    return field(default=part.baseline, metadata={"part": part})


class Declared:
    """Base of typed configs whose every field is `declared`: the one place of a part's default.

    The planner reads the parts, the training reads the values; neither needs torch.
    """

    @classmethod
    def parts(cls) -> tuple[Part, ...]:
        """All parts, in the order of the fields."""
        return tuple(one.metadata["part"] for one in fields(cls))  # type: ignore[arg-type]

    @classmethod
    def part(cls, name: str) -> Part:
        """The part of this dotted name."""
        return next(part for part in cls.parts() if part.name == name)

    @classmethod
    def from_settings(cls, settings: Values) -> Self:
        """Read a job's settings, whose values were checked; it may have other parts, too."""
        return cls(**{field_name: settings[name] for field_name, name in _names(cls)})  # type: ignore[arg-type]


@cache
def _names(config: type[Declared]) -> tuple[tuple[str, str], ...]:
    """(field, name of its part) of a typed config."""
    return tuple((one.name, one.metadata["part"].name) for one in fields(config))  # type: ignore[arg-type]


def spelled(symbol: str) -> str:
    """A symbol with its Greek letters by name, as Unicode spells them: "lamda_pred"."""
    greek = "GREEK SMALL LETTER "
    names = [(letter, unicodedata.name(letter, "")) for letter in symbol]
    return "".join(
        name.removeprefix(greek).lower() if name.startswith(greek) else letter
        for letter, name in names
    )


def plain(label: str) -> str:
    """Fold a label for comparison: case, spacing, underscores and the spelling of a tilde."""
    folded = label.casefold().replace("l̃", "l~")
    return re.sub(r"[\s_{}$\\]", "", folded)


def format_value(value: Value) -> str:
    """Write a value as study files do: shortest exact digits, TOML booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}" if float(f"{value:.10g}") == value else repr(value)
    return str(value)


def shown(value: object) -> str:
    """Write a value as a message quotes it: text in quotes, numbers and booleans as in TOML."""
    if isinstance(value, str):
        return f'"{value}"'
    return format_value(value) if isinstance(value, int | float) else str(value)


def same(one: object, other: object) -> bool:
    """Whether two values are equal: 1 and 1.0 are, 1 and true are not."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
