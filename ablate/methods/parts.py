"""A part: one named, ablatable setting of a method, with the values it may take.

Studies are data because parts are: a part knows its baseline, what is allowed in its place, what
REMOVE means for it, and how a paper would print each value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ablate.errors import did_you_mean

Value = str | int | float | bool
Values = Mapping[str, Value]  #: dotted part name -> value


@dataclass(frozen=True)
class Choice:
    """A closed set of values."""

    values: tuple[Value, ...]

    def parse(self, value: object) -> Value:
        """Return `value` if it is one of the set (`True` is not 1); ValueError says what is."""
        for allowed in self.values:
            if type(allowed) is type(value) and allowed == value:
                return allowed
        shown = [format_value(v) for v in self.values]
        raise ValueError(did_you_mean(str(value), shown))

    def __str__(self) -> str:
        return " | ".join(format_value(v) for v in self.values)


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
            raise ValueError(f"a number {self}")
        inside = self.low < value if self.open_low else self.low <= value
        if not (inside and value <= self.high) or not math.isfinite(value):
            raise ValueError(f"a number {self}")
        if not self.whole:
            return float(value)
        if value != int(value):
            raise ValueError(f"a whole number {self}")
        return int(value)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.open_low else f"from {self.low:g}"
        return low if math.isinf(self.high) else f"{low} to {self.high:g}"


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

    def parse(self, value: object) -> Value:
        """Read a value as a study file or an option writes it, or by its paper label.

        Raises ValueError whose text says what would be right.
        """
        if isinstance(value, str):
            for known, label in self.value_labels.items():
                if plain(label) == plain(value):
                    return known
        return self.allowed.parse(value)

    def describe(self, value: Value) -> str:
        """Label of this part at `value`, as a table's row prints it."""
        if value in self.value_labels:
            return self.value_labels[value]
        if value == self.off and self.off_label:
            return self.off_label
        return f"{self.symbol or self.label} = {format_value(value)}"


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
