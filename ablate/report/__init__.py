"""Index to records, statistics, tables, figures and page; tidy frames for other tools.

Importing this package loads neither pandas nor scipy; the functions do when they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablate.report.choices import Notes, Selection
from ablate.report.formats import render

if TYPE_CHECKING:
    from ablate.report.tables.table import Table
    from ablate.store.results import StudyResults

__all__ = ["power_report", "render", "study_tables", "verdicts"]


def study_tables(
    results: StudyResults,
    metric: str | None = None,
    selection: Selection = Selection.LAST,
    notes: Notes = Notes.SHORT,
) -> list[Table]:
    """Tables that fit the study, for one metric (by name or label) or all of its plan.

    Raises InputError for a metric that the plan does not have.
    """
    from ablate.report.tables.analysis import metric_of
    from ablate.report.tables.layouts import choose

    metrics = None if metric is None else (metric_of(results.plan, metric),)
    return choose(results, metrics, selection, notes)


def power_report(
    results: StudyResults,
    half_width: float,
    metric: str | None = None,
    selection: Selection = Selection.LAST,
    notes: Notes = Notes.SHORT,
) -> Table:
    """Per comparison: how many seeds give intervals of this half-width, in the metric's unit.

    The metric defaults to the plan's first. Raises InputError for a half-width that is not positive
    and for a metric that the plan does not have.
    """
    from ablate.report.tables.analysis import metric_of
    from ablate.report.tables.power_table import power_table

    chosen = metric_of(results.plan, metric or results.plan.metrics[0].name)
    return power_table(results, half_width, chosen, selection, notes)


def verdicts(
    results: StudyResults, metric: str | None = None, selection: Selection = Selection.LAST
) -> tuple[str, ...]:
    """What the study found: its headline, then a sentence per comparison if there are several."""
    from ablate.report.tables.analysis import analyse, metric_of
    from ablate.report.tables.findings import headline, sentences

    chosen = metric_of(results.plan, metric or results.plan.metrics[0].name)
    analysis = analyse(results, chosen, selection)
    each = sentences(analysis)
    return (*headline(analysis), *(each if len(each) > 1 else ()))
