"""Write a report of one study: tables, a page, figures.

Each function takes an open index and the key of a study, so that `many` can do it for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import StoreError
from ablate.methods.metrics import Metric
from ablate.report.choices import Engine, Notes, Selection
from ablate.report.filenames import safe_name
from ablate.report.many import over_all
from ablate.report.tables.analysis import metric_of, plan_metrics
from ablate.store.files import atomic_write

if TYPE_CHECKING:
    from ablate.console import Line
    from ablate.matrix.plan import StudyPlan
    from ablate.report.figures.draw import PlannedFigure
    from ablate.report.tables.table import Table
    from ablate.store.find import IndexedStudy
    from ablate.store.index import Index
    from ablate.store.results import Point, StudyResults


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report shows of each study."""

    metric: str | None = None  #: name or label of the only one
    selection: Selection = Selection.LAST
    power: float | None = None  #: a half-width: the tables then say how many seeds it takes
    notes: Notes = Notes.SHORT
    engine: Engine = Engine.PDFLATEX
    captions: bool = False  #: beside the figures, not in them

    def metrics(self, plan: StudyPlan) -> tuple[Metric, ...] | None:
        """The only metric, or None for all; InputError if the plan has no such metric."""
        return None if self.metric is None else (metric_of(plan, self.metric),)


@dataclass(frozen=True, slots=True)
class Screen:
    """What tables are printed on."""

    width: int
    encoding: str
    plain: bool  #: nothing can stand out there


def tables_of(index: Index, key: str, options: ReportOptions) -> list[Table]:
    """Tables of a study, as a user of this machine sees them."""
    from ablate.store.query import study_results

    return tables_from(study_results(index, key), options)


def tables_for_others(index: Index, key: str, options: ReportOptions) -> list[Table]:
    """Tables of a study for a file, which names no folder of this machine."""
    from ablate.store.query import study_results

    return tables_from(study_results(index, key).for_others(), options)


def tables_from(results: StudyResults, options: ReportOptions) -> list[Table]:
    """Tables of a study's results."""
    from ablate.report import power_report, study_tables

    if options.power is None:
        return study_tables(results, options.metric, options.selection, options.notes)
    return [
        power_report(results, options.power, options.metric, options.selection, notes=options.notes)
    ]


def lines_from(tables: Sequence[Table], screen: Screen) -> Iterator[Line]:
    """What a terminal, a file or a pipe shows of tables."""
    from ablate.console import grids_lines
    from ablate.report.renderers.terminal import grid_of

    grids = [grid_of(table, plain=screen.plain) for table in tables]
    return grids_lines(grids, screen.width, screen.encoding)


def page_of(
    index: Index, key: str, options: ReportOptions, target: Path, names: Mapping[str, str]
) -> list[Path]:
    """Write the page of a study; returns its path.

    One study's page is `target` itself, those of several are named after it and the study. Raises
    StoreError if it cannot be written, InputError for a metric that the study does not have.
    """
    from ablate.report.figures.svg import picture
    from ablate.report.page.build import page
    from ablate.store.query import job_states, seconds_worked, study_results

    results = study_results(index, key).for_others()
    text = page(
        results,
        job_states(index, key),
        _curves(index, results.plan, options),
        options.metrics(results.plan),
        options.selection,
        partial(over_all, picture),
        seconds_worked(index),
    )
    several = len(names) > 1
    path = target.with_name(f"{target.stem}-{names[key]}{target.suffix}") if several else target
    write_text(path, text)
    return [path]


def figures_of(
    index: Index, key: str, options: ReportOptions, target: Path, names: Mapping[str, str]
) -> list[Path]:
    """Write the figures of a study into the folder `target`, as PDF and PNG; returns the paths.

    Raises as `page_of`.
    """
    from ablate.report.figures.draw import planned_figures
    from ablate.store.query import study_results

    results = study_results(index, key).for_others()
    curves = _curves(index, results.plan, options)
    selection = options.selection
    planned = planned_figures(
        results, curves, options.metrics(results.plan), selection, footer=not options.captions
    )
    paths = over_all(partial(_draw_and_write, target, names[key], options.captions), planned)
    return list(chain.from_iterable(paths))


def _draw_and_write(
    folder: Path, prefix: str, captions: bool, planned: PlannedFigure
) -> list[Path]:
    from ablate.report.figures.draw import write_figure

    return write_figure(planned.draw(), folder, prefix, captions=captions)


def pages_and_figures_from(
    results: StudyResults, options: ReportOptions, html: Path | None, figures: Path | None
) -> list[Path]:
    """Write page and figures of results that have no run folder; returns the paths."""
    from ablate.report.figures.draw import planned_figures
    from ablate.report.page.build import page

    written = []
    if html is not None:
        write_text(html, page(results, [], None, options.metrics(results.plan)))
        written.append(html)
    if figures is not None:
        name = safe_name(results.plan.name)
        metrics, footer = options.metrics(results.plan), not options.captions
        for planned in planned_figures(results, None, metrics, footer=footer):
            written += _draw_and_write(figures, name, options.captions, planned)
    return written


def file_names(found: Sequence[IndexedStudy]) -> dict[str, str]:
    """Key -> a name for the files of each study: its own, or its key where several share it.

    A paper includes figures by name, so the name does not change with the code's digest.
    """
    names = [safe_name(one.name) for one in found]
    return {
        one.key: name if names.count(name) == 1 else safe_name(one.key, 100)
        for one, name in zip(found, names, strict=True)
    }


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, and its folder if need be; StoreError if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _curves(index: Index, plan: StudyPlan, options: ReportOptions) -> list[Point]:
    from ablate.store.query import curves

    metrics = options.metrics(plan) or plan_metrics(plan)
    return curves(index, plan.key, [one.name for one in metrics if not one.cost])
