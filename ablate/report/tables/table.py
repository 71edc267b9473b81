"""The table model: what a table says, without a word on how it looks.

Layouts build it, renderers only format it. A cell keeps every number unrounded, and what is
missing and why, so that a terminal, a paper and a JSON file all print from the same source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ablate.matrix.plan import Role
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric
from ablate.statistics.paired import Mark

#: States of jobs, in the order in which they are counted.
STATES = (
    JobStatus.DONE,
    JobStatus.RUNNING,
    JobStatus.INTERRUPTED,
    JobStatus.WAITING,
    JobStatus.FAILED,
    JobStatus.DIVERGED,
    JobStatus.BLOCKED,
)
NOT_RUN = "not run"  #: a seed of the study that the row does not have
#: Why a seed is missing, worst first.
_REASONS = (*map(str, STATES[4:]), "no value", NOT_RUN, *map(str, STATES[1:4]))


class Selection(StrEnum):
    """Which epoch's result a table shows."""

    LAST = "last"
    BEST = "best"  #: chosen on the test set, hence optimistic


class Show(StrEnum):
    """Which facet of its cells a column prints."""

    VALUE = "value"  #: mean ± standard deviation
    OUTCOME = "outcome"  #: the same with arrow and, where incomplete, n: for tables without more
    N = "n"
    DIFFERENCE = "difference"  #: to the baseline, with its interval
    P = "p"
    MDE = "mde"
    QUANTITY = "quantity"  #: one number, as it is


@dataclass(frozen=True, slots=True)
class Comparison:
    """A variant against the baseline on the seeds that both have; unit of the metric."""

    n: int  #: common seeds
    mean: float | None
    std: float | None  #: sample standard deviation of the paired differences
    low: float | None  #: paired t interval at `confidence`, not adjusted
    high: float | None
    p: float | None  #: paired t test, not adjusted
    p_adjusted: float | None  #: Holm, over the family; None outside of it
    adjusted_low: float | None  #: interval that excludes zero exactly where p_adjusted < alpha
    adjusted_high: float | None
    adjusted_confidence: float | None
    mde: float | None  #: minimum detectable effect
    mark: Mark
    undefined: bool  #: two or more common seeds whose differences do not vary
    in_family: bool  #: False for reference rows: compared, but never tested
    missing: tuple[int, ...]  #: seeds that only one side has
    confidence: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One row's results on one teacher/student pair."""

    variant: str
    role: Role
    pair: str
    metric: Metric
    values: tuple[tuple[int, float], ...]  #: (seed, value), ascending seeds
    planned: int  #: seeds the study asks for
    n: int
    mean: float | None
    std: float | None
    missing: tuple[tuple[int, str], ...]  #: (seed, why): "failed", "diverged", "waiting", ...
    rank: int | None = None  #: 1 best, 2 second; None where incomplete or not ranked
    comparison: Comparison | None = None  #: None for the baseline itself

    @property
    def complete(self) -> bool:
        """Whether every planned seed has a result."""
        return self.planned > 0 and self.n == self.planned

    @property
    def states(self) -> dict[str, int]:
        """How many seeds are missing for which reason, worst first."""
        counts: dict[str, int] = {}
        for _, why in self.missing:
            counts[why] = counts.get(why, 0) + 1
        known = [why for why in _REASONS if why in counts]
        return {why: counts[why] for why in known + sorted(counts.keys() - set(known))}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number beside the study's own results: a teacher's accuracy, a published value, a count."""

    value: float | int | None
    digits: int = 2
    unit: str = ""
    published: bool = False
    signed: bool = False
    note: str = ""  #: shown instead of a value that is None, or after it


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the lines of its head, and what it prints of its cells."""

    key: str  #: name in machine-readable output
    heads: tuple[str, ...]
    show: Show


@dataclass(frozen=True, slots=True)
class Row:
    """One row, under the heading `group` if that differs from the row above."""

    label: str
    cells: tuple[Cell | Quantity | None, ...]
    role: Role | None = None  #: None for rows that are no variant: Teacher, a grid's value
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A whole table, with everything needed to read it."""

    layout: str  #: "one_part", "pairs", "grid", "costs", "power"
    study: str
    key: str  #: of the plan: the same study under other settings has another one
    title: str
    question: str
    corner: tuple[str, ...]  #: head of the label column, one line per line of the columns' heads
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footer: tuple[str, ...]
    metric: Metric | None = None
    selection: Selection = Selection.LAST
    profile: str = ""
    data: str = ""
    family: int = 0  #: comparisons that Holm adjusts for
    published: str = ""  #: source of the published values, "" where the table has none
    effect: float | None = None  #: the difference that a table on power is about

    @property
    def cells(self) -> list[tuple[Row, Cell]]:
        """Every distinct cell with its row, in reading order."""
        seen: dict[int, tuple[Row, Cell]] = {}
        for row in self.rows:
            for cell in row.cells:
                if isinstance(cell, Cell):
                    seen.setdefault(id(cell), (row, cell))
        return list(seen.values())
