"""The table model: the content of a table, independent of how it looks.

Layouts build it, renderers only format it. A cell keeps every number unrounded, and what is
missing and why, so that a terminal, a paper and a JSON file all print from the same source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ablate.matrix.plan import Role
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric
from ablate.report.choices import Selection
from ablate.statistics.verdict import Diverged, Verdict

if TYPE_CHECKING:
    from ablate.report.tables.analysis import Analysis

#: States of jobs, in the order in which they are counted.
STATES = (
    JobStatus.DONE,
    JobStatus.RUNNING,
    JobStatus.INTERRUPTED,
    JobStatus.ERRED,
    JobStatus.WAITING,
    JobStatus.FAILED,
    JobStatus.DIVERGED,
    JobStatus.BLOCKED,
)
NOT_RUN = "not run"  #: a seed of the study that the row does not have
DIVERGED = str(JobStatus.DIVERGED)
#: Why a seed is missing: outcomes first, then what the machine is to blame for.
_REASONS = (
    DIVERGED,
    *map(str, (JobStatus.FAILED, JobStatus.BLOCKED)),
    "no value",
    NOT_RUN,
    *map(str, STATES[1:5]),
)


class Show(StrEnum):
    """Which facet of its cells a column prints."""

    VALUE = "value"  #: mean ± standard deviation
    OUTCOME = "outcome"  #: the same with arrow and, where incomplete, n: for tables without more
    N = "n"
    DIFFERENCE = "difference"  #: to the baseline, with its simultaneous interval
    P = "p"
    CONCLUSION = "conclusion"  #: what the interval says, in words with numbers
    QUANTITY = "quantity"  #: one number, as it is


class Tested(StrEnum):
    """Whether a comparison has an interval, and if not, why."""

    YES = "yes"
    WAITING = "waiting"  #: seeds of its family are still to come
    FEW = "few"  #: fewer than three common seeds
    CONSTANT = "constant"  #: the differences of the family do not vary over seeds
    EMPTY = "empty"  #: no common seed
    NEVER = "never"  #: a metric that rows do not share, such as a sum of other terms


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row against the baseline on the seeds that both have, or a contrast; unit of the metric.

    `low`, `high` and `p` are simultaneous over the family: what is printed is what is tested.
    """

    n: int  #: common seeds
    mean: float | None
    sd: float | None  #: sample standard deviation of the paired differences
    low: float | None
    high: float | None
    p: float | None
    df: float | None
    verdict: Verdict
    tested: Tested
    within_margin: bool = False  #: the interval lies inside the study's margin
    on_all_seeds: bool = True  #: neither row has a seed with a value that the other lacks
    diverged: Diverged = Diverged()  # noqa: RUF009 - frozen
    plain_low: float | None = None  #: paired t interval of this row alone, not adjusted
    plain_high: float | None = None
    plain_p: float | None = None
    family: str = ""  #: its name: "variants", "other methods", "contrasts", ...


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
    sd: float | None
    missing: tuple[tuple[int, str], ...]  #: (seed, why): "failed", "diverged", "waiting", ...
    rank: int | None = None  #: 1 best, 2 second; None where incomplete or not ranked
    comparison: Comparison | None = None  #: None for the baseline itself

    @property
    def complete(self) -> bool:
        """Whether every planned seed has a result."""
        return self.planned > 0 and self.n == self.planned

    @property
    def diverged(self) -> int:
        """How many seeds diverged."""
        return self.states.get(DIVERGED, 0)

    @property
    def states(self) -> dict[str, int]:
        """How many seeds are missing for which reason, diverged ones first, then worst first."""
        counts: dict[str, int] = {}
        for _, why in self.missing:
            counts[why] = counts.get(why, 0) + 1
        known = [why for why in _REASONS if why in counts]
        return {why: counts[why] for why in known + sorted(counts.keys() - set(known))}


@dataclass(frozen=True, slots=True)
class Effect:
    """A contrast of rows, an average over pairs, or an effect in a grid."""

    name: str
    pair: str  #: or the name of a group of pairs
    metric: Metric
    comparison: Comparison


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
class TableRow:
    """One row, under the heading `group` if that differs from the row above."""

    label: str
    cells: tuple[Cell | Effect | Quantity | None, ...]
    role: Role | None = None  #: None for rows that are no variant: Teacher, a grid's value
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A whole table, with everything needed to read it."""

    layout: str  #: "one_part", "pairs", "grid", "contrasts", "costs", "power"
    study: str
    key: str  #: of the plan: the same study under other settings has another one
    title: str
    question: str
    corner: tuple[str, ...]  #: head of the label column, one line per line of the columns' heads
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    footer: tuple[str, ...]
    headline: tuple[str, ...] = ()  #: the answer, above the first table of a metric
    metric: Metric | None = None
    selection: Selection = Selection.LAST
    profile: str = ""
    data: str = ""
    analyses: tuple[Analysis, ...] = ()  #: where the numbers come from
    published: str = ""  #: source of the published values, "" where the table has none
    half_width: float | None = None  #: that a table on seeds needed is about

    @property
    def cells(self) -> list[tuple[TableRow, Cell]]:
        """Every distinct cell with its row, in reading order."""
        seen: dict[int, tuple[TableRow, Cell]] = {}
        for row in self.rows:
            for cell in row.cells:
                if isinstance(cell, Cell):
                    seen.setdefault(id(cell), (row, cell))
        return list(seen.values())
