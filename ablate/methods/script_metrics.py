"""The numbers of a script: from its output line by line, and from the files that it leaves."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import JobError
from ablate.methods.metrics import Metric
from ablate.methods.script import Measure, Source, Take

_VALUE = "value"  #: the group of a pattern that holds the number, where it has several
_MOST_BYTES = 64 << 20  #: of a file of metrics


def chosen(metric: Metric, measure: Measure, values: Iterable[float]) -> float | None:
    """The last or the best of some values; None of none."""
    kept: float | None = None
    for value in values:
        if measure.take is Take.LAST or kept is None or metric.improves(value, on=kept):
            kept = value
    return kept


@dataclass
class Readings:
    """What the lines of an output said so far."""

    metrics: Mapping[str, Metric]
    measures: Mapping[str, Measure]
    progress: str = ""
    kept: dict[str, float] = field(default_factory=dict)  #: metric -> its last or best value
    epoch: int = 0  #: the epoch that the output last named; 0 before the first
    current: dict[str, float] = field(default_factory=dict)  #: last values since it was named
    seen: dict[str, int] = field(default_factory=dict)  #: metric -> epoch of its last value
    fresh: set[str] = field(default_factory=set)  #: metrics that this attempt has printed
    gaps: set[str] = field(default_factory=set)  #: metrics of which values may be missing

    def read(self, line: str) -> tuple[int, dict[str, float]] | None:
        """Take up a line; returns an epoch and its metrics once the output names the next one."""
        ended = self._named(line)
        for name, measure in self.measures.items():
            if measure.source is not Source.PATTERN:
                continue
            for found in re.finditer(measure.place, line):
                value = self._number(name, found)
                self._note(name)
                self.current[name] = value
                before = [self.kept[name]] if name in self.kept else []
                value_kept = chosen(self.metrics[name], measure, [*before, value])
                assert value_kept is not None, "there is one value at least"
                self.kept[name] = value_kept
        return ended

    def _note(self, name: str) -> None:
        """Note which epoch a value is of: after a resumption, none may be missing in between."""
        first = name not in self.fresh
        if first and name in self.seen and not 0 < self.epoch <= self.seen[name] + 1:
            self.gaps.add(name)
        self.fresh.add(name)
        self.seen[name] = self.epoch

    def afresh(self) -> Readings:
        """Readings of the same metrics that have read nothing."""
        return Readings(self.metrics, self.measures, self.progress)

    def incomplete(self) -> bool:
        """Whether a resumed attempt cannot know a metric: what was printed before a kill is lost.

        The last value has to be printed anew; of the best, no epoch may be missing.
        """
        printed = {n: m for n, m in self.measures.items() if m.source is Source.PATTERN}
        best = {name for name, measure in printed.items() if measure.take is Take.BEST}
        return not printed.keys() <= self.fresh or bool(self.gaps & best)

    def _named(self, line: str) -> tuple[int, dict[str, float]] | None:
        found = re.search(self.progress, line) if self.progress else None
        if found is None or not (found["epoch"] or "").isdecimal():
            return None
        epoch = int(found["epoch"])
        if epoch == self.epoch:
            return None
        ended = (self.epoch, self.current) if self.epoch else None
        self.epoch, self.current = epoch, {}
        return ended

    def _number(self, name: str, found: re.Match[str]) -> float:
        text = found[_VALUE] if _VALUE in found.re.groupindex else found[1]
        return _number(text, f"the pattern of {name} found")


def in_files(
    metrics: Mapping[str, Metric], measures: Mapping[str, Measure], path: Callable[[str], Path]
) -> dict[str, float]:
    """Values of all metrics that stand in files; `path` finds a file by its declared place.

    Raises JobError for the first that is not there, or is no number.
    """
    readers = {Source.JSON: _in_json, Source.CSV: _in_csv}
    found = {}
    for name, measure in measures.items():
        if measure.source in readers:
            file = path(measure.place)
            values = readers[measure.source](file, measure.key)
            value = chosen(metrics[name], measure, values)
            if value is None:
                raise JobError(f"{file}: {measure.key} has no value")
            found[name] = value
    return found


def _in_json(file: Path, key: str) -> list[float]:
    try:
        found: Any = json.loads(_text(file))
        for name in key.split("."):
            found = found[name]
    except ValueError as error:
        raise JobError(f"{file} is no JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise JobError(f"{file} has no {key}") from error
    values = found if isinstance(found, list) else [found]
    return [_number(value, f"{file}: {key} is") for value in values]


def _in_csv(file: Path, column: str) -> list[float]:
    rows = csv.DictReader(_text(file).splitlines())
    if column not in (rows.fieldnames or ()):
        raise JobError(f"{file} has no column {column}")
    return [_number(row[column], f"{file}: {column} is") for row in rows if row[column]]


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise JobError(f"the script left no {file}") from error
    if len(content) > _MOST_BYTES:
        raise JobError(f"{file} has more than {_MOST_BYTES >> 20} MiB")
    return content.decode("utf-8-sig", errors="replace")


def _number(value: object, where: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise JobError(f"{where} {value!r}, which is no number") from None
