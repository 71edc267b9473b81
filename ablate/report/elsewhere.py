"""Read results of other tools: a table of seeds and metrics becomes the results of a study.

Columns: `variant` and `seed`, one per metric, and where they are needed `pair`, `group` and
`status` ("done" or "diverged"). Everything that follows, statistics, tables, figures and page, is
what a study of this package gets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem, did_you_mean
from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import CLASSIFICATION, Better, Metric, find_metric
from ablate.report.table_files import Line, read_lines
from ablate.store.results import MeasuredRun, StudyResults

RESERVED = ("variant", "seed", "pair", "group", "status")
NEEDED = ("variant", "seed")
_STATUSES = {"": JobStatus.DONE, "done": JobStatus.DONE, "diverged": JobStatus.DIVERGED,
             "failed": JobStatus.FAILED}  # fmt: skip
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Reading:
    """How a file is to be read."""

    baseline: str = ""  #: label of the reference row; "" for the first in the file
    metrics: tuple[str, ...] = ()  #: "name:unit:higher"; none for all columns of numbers
    columns: Mapping[str, str] = field(default_factory=dict)  #: what it is -> its name in the file


@dataclass
class _Read:
    """Rows as they are read, and what is wrong with them."""

    path: Path
    runs: list[MeasuredRun] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)  #: variant -> group
    seen: dict[tuple[str, str, int], int] = field(default_factory=dict)  #: -> line
    problems: list[Problem] = field(default_factory=list)

    def problem(self, line: int, message: str, right: str = "") -> None:
        """Note what is wrong in a line."""
        self.problems.append(Problem(str(self.path), f"line {line}", message, right))


def read_elsewhere(path: Path, reading: Reading = Reading()) -> StudyResults:
    """The results in a CSV, Parquet or JSON-lines file; the first row's variant is the baseline.

    Raises InputError for all that is wrong with it at once: columns that are missing, text among
    the numbers, a seed twice in a row, a baseline that is not there.
    """
    lines = [(number, _renamed(row, reading.columns)) for number, row in read_lines(path)]
    if not lines:
        raise InputError(Problem(str(path), "", "has no rows", "a head and a line per run"))
    names = list(dict.fromkeys(name for _, row in lines for name in row))
    missing = [name for name in NEEDED if name not in names]
    if missing:
        right = f"it has {', '.join(names)}; say which with --column {missing[0]}=NAME"
        raise InputError(Problem(str(path), "", f"has no column {' and '.join(missing)}", right))
    metrics, ignored = _metrics(path, lines, names, reading.metrics)
    found = _Read(path)
    for number, row in lines:
        _read_row(found, number, row, metrics)
    variants = _variants(found, reading.baseline)
    _raise(found.problems)
    return StudyResults(_plan(path, found, variants, metrics, ignored), tuple(found.runs), (), {})


def parse_metric(text: str) -> Metric:
    """A metric as an option declares it: "macro F1:%:higher", "perplexity::lower", "top1".

    A name that the package knows keeps its label, unit and direction where none is given. Raises
    InputError for a direction that is neither higher nor lower.
    """
    name, *rest = (word.strip() for word in text.split(":"))
    unit, direction = (*rest, "", "")[:2]
    if len(rest) > 2 or not name or direction not in ("", "higher", "lower"):
        right = '"NAME", "NAME:UNIT" or "NAME:UNIT:higher" (or lower)'
        raise InputError(Problem("--metric", "", f'"{text}" declares no metric', right))
    known = find_metric(name, CLASSIFICATION)
    if known is not None and known.name == name and not rest:
        return known
    label = name if not unit or f"({unit})" in name else f"{name} ({unit})"
    better = Better(direction) if direction else None
    return Metric(name, label, unit, better, undirected=better is None)


def parse_columns(texts: Iterable[str]) -> dict[str, str]:
    """--column options, such as "variant=run_name", as what it is -> its name in the file."""
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        what, equals, name = text.partition("=")
        if what not in RESERVED or not equals or not name:
            right = f"one of {', '.join(RESERVED)}, then = and its name in the file"
            problems.append(Problem("--column", "", f'"{text}" names no column', right))
        elif what in found:
            problems.append(Problem("--column", "", f"{what} is given several times", "once"))
        found[what] = name
    _raise(problems)
    return found


def _renamed(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    names = {name: what for what, name in columns.items()}
    taken = {what for what in columns if what in row}  # the file's own column of that name goes
    return {names.get(name, name): cell for name, cell in row.items()
            if name in names or name not in taken}  # fmt: skip


def _metrics(
    path: Path, lines: Sequence[Line], names: Sequence[str], declared: Sequence[str]
) -> tuple[tuple[Metric, ...], list[str]]:
    """The metrics, and the columns that are ignored for having no numbers."""
    if declared:
        chosen = [parse_metric(text) for text in declared]
        by_name = {name: name for name in names}
        problems = [
            Problem(str(path), "", f'has no column "{metric.name}"',
                    did_you_mean(metric.name, [n for n in by_name if n not in RESERVED]))
            for metric in chosen if metric.name not in by_name
        ]  # fmt: skip
        _raise(problems)
        return tuple(chosen), []
    others = [name for name in names if name not in RESERVED]
    numeric = [name for name in others if _has_numbers(lines, name)]
    if not numeric:
        raise InputError(Problem(str(path), "", "has no column of numbers", "one per metric"))
    found = tuple(parse_metric(name.replace(":", " ")) for name in numeric)
    renamed = zip(found, numeric, strict=True)
    return (
        tuple(metric if metric.name == name else Metric(name, name, undirected=True)
              for metric, name in renamed),
        [name for name in others if name not in numeric],
    )  # fmt: skip


def _has_numbers(lines: Sequence[Line], name: str) -> bool:
    return any(_number(row.get(name)) is not None for _, row in lines)


def _number(cell: Any) -> float | None:
    """The cell as a number, None where it is none; NaN where the cell is empty."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return float(cell)
    try:
        return float(cell.strip()) if isinstance(cell, str) and cell.strip() else None
    except ValueError:
        return None


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _read_row(found: _Read, line: int, row: Mapping[str, Any], metrics: Sequence[Metric]) -> None:
    """Read one run; what is wrong with it goes to the problems."""
    variant, pair = _words(row.get("variant")), _words(row.get("pair"))
    seed, status = _seed(row.get("seed")), _words(row.get("status")).lower()
    if not variant:
        found.problem(line, "has no variant")
    if seed is None:
        found.problem(line, f'seed "{row.get("seed")}" is no whole number')
    if status not in _STATUSES:
        found.problem(line, f'status "{status}" is unknown', "done, diverged or failed")
    values = {}
    for metric in metrics:
        cell = row.get(metric.name)
        value = _number(cell)
        if value is not None:
            values[metric.name] = value
        elif not _is_empty(cell):
            found.problem(line, f'{metric.name}: "{cell}" is no number')
    if seed is None or not variant:
        return
    if (before := found.seen.setdefault((variant, pair, seed), line)) != line:
        where = f" on {pair}" if pair else ""
        found.problem(line, f"{variant}{where} has seed {seed} in line {before} already")
    group = _words(row.get("group"))
    if found.groups.setdefault(variant, group) != group:
        found.problem(line, f'{variant} is in group "{found.groups[variant]}" and in "{group}"')
    known = _STATUSES.get(status, JobStatus.DONE)
    found.runs.append(MeasuredRun(variant, pair, seed, f"line {line}", known, values, values))


def _words(cell: Any) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _seed(cell: Any) -> int | None:
    number = _number(cell)
    if number is None or not math.isfinite(number) or number != int(number) or number < 0:
        return None
    return int(cell) if isinstance(cell, int) else int(number)


def _variants(found: _Read, baseline: str) -> tuple[Variant, ...]:
    """Rows in the order of the file, the baseline first."""
    labels = list(found.groups)
    chosen = baseline or next(iter(labels), "")
    if baseline and baseline not in labels:
        right = did_you_mean(baseline, labels)
        message = f'no row "{baseline}" in {found.path.name}'
        found.problems.append(Problem("--baseline", "", message, right))
    return (
        Variant(chosen, Role.BASELINE, "", {}, ""),
        *(
            Variant(label, Role.VARIANT, "", {}, found.groups[label])
            for label in labels
            if label != chosen
        ),
    )


def _plan(
    path: Path,
    found: _Read,
    variants: tuple[Variant, ...],
    metrics: tuple[Metric, ...],
    ignored: Sequence[str],
) -> StudyPlan:
    note = f"Columns without numbers were ignored: {', '.join(ignored)}"
    return StudyPlan(
        name=path.stem,
        title=path.stem,
        question="",
        answers="",
        profile="",
        data=f"results from {path.name}",
        metrics=metrics,
        pairs=tuple(dict.fromkeys(run.pair for run in found.runs)),
        seeds=tuple(sorted({run.seed for run in found.runs})),
        baseline={},
        overrides={},
        variants=variants,
        jobs=(),
        footnotes=(note,) if ignored else (),
    )


def _raise(problems: Sequence[Problem]) -> None:
    """Raise the problems, if there are any: the first of them and a count of the others."""
    if not problems:
        return
    shown = list(problems[:_MOST_PROBLEMS])
    if (rest := len(problems) - len(shown)) > 0:
        shown.append(Problem(problems[0].where, "", f"and {rest} more problems"))
    raise InputError(shown)
