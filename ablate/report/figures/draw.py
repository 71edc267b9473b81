"""Figures of a study: which fit it, drawn in one style, and their files.

differences   an interval per comparison with a dot per seed
grid          heat map of a two-part ablation
sensitivity   curve over the values of a numeric part
curves        training curves per variant

Costs have no figures: machines decide them. Of a metric that rows measure differently, only its
curves are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import StoreError
from ablate.methods.metrics import Metric
from ablate.report.choices import Selection
from ablate.report.figures import curves as curve_figures
from ablate.report.figures import differences, heatmap, sensitivity
from ablate.report.figures.style import NamedFigure, content, measured_on, quantity, style
from ablate.report.filenames import safe_name
from ablate.report.renderers.tex import tex
from ablate.report.tables.analysis import Analysis, analyse, plan_metrics
from ablate.report.tables.grid import find_grids
from ablate.store.files import atomic_write
from ablate.store.results import Point, StudyResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "NamedFigure", "PlannedFigure", "figures", "planned_figures", "write_figure"]

FORMATS = ("pdf", "png")

_Draw = Callable[[str], tuple["Figure", str]]  #: title -> figure and caption


@dataclass(frozen=True)
class PlannedFigure:
    """A figure that fits a study; drawing it takes a tenth of a second."""

    name: str
    kind: str
    metric: Metric
    title: str
    drawing: _Draw

    def draw(self) -> NamedFigure:
        """Draw it."""
        with style():
            figure, caption = self.drawing(self.title)
        return NamedFigure(self.name, self.kind, self.title, caption, figure)


def figures(
    results: StudyResults,
    curves: Sequence[Point] | None = None,
    metrics: Sequence[Metric] | None = None,
    selection: Selection = Selection.LAST,
) -> list[NamedFigure]:
    """All figures that fit the study, for its metrics or for some; see `planned_figures`."""
    return [one.draw() for one in planned_figures(results, curves, metrics, selection)]


def planned_figures(
    results: StudyResults,
    curves: Sequence[Point] | None = None,
    metrics: Sequence[Metric] | None = None,
    selection: Selection = Selection.LAST,
    *,
    footer: bool = True,
) -> list[PlannedFigure]:
    """The figures to draw for each metric, those that answer the study's question first.

    `curves` is what `ablate.store.query.curves` gives. Without `footer`, captions are left to
    whoever shows the figures.
    """
    used: set[str] = set()
    found = []
    chosen = plan_metrics(results.plan) if metrics is None else tuple(metrics)
    shown = [metric for metric in chosen if not metric.cost]
    for metric in shown:
        measure = f", {quantity(metric)}" if len(shown) > 1 else ""
        analysis = analyse(results, metric, selection)
        for kind, words, title, drawing in _planned(results, analysis, curves, footer):
            name = safe_name("-".join([kind, metric.name, *words]), 100)
            found.append(PlannedFigure(_unique(name, used), kind, metric, title + measure, drawing))
    return found


def write_figure(
    drawn: NamedFigure, folder: Path, prefix: str, *, captions: bool = False
) -> list[Path]:
    """Write a figure as `<prefix>-<name>.pdf` and `.png`, atomically; returns the paths.

    With `captions` its caption is written beside it, for LaTeX (`.tex`) and as text (`.txt`).
    Raises StoreError if the folder cannot be made or written.
    """
    stem = f"{safe_name(prefix)}-{drawn.name}"
    paths = [folder / f"{stem}.{format}" for format in FORMATS]  # noqa: A001
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, format in zip(paths, FORMATS, strict=True):  # noqa: A001
            atomic_write(path, content(drawn.figure, format))
        if captions:
            caption = f"{drawn.title}. {drawn.caption}"
            for ending, text in (("tex", tex(caption)), ("txt", caption)):
                paths.append(folder / f"{stem}.{ending}")
                atomic_write(paths[-1], f"{text}\n".encode())
    except OSError as error:
        raise StoreError(f"{folder}: figures cannot be written: {error.strerror}") from error
    return paths


def _planned(
    results: StudyResults, analysis: Analysis, curves: Sequence[Point] | None, footer: bool
) -> Iterator[tuple[str, list[str], str, _Draw]]:
    """(kind, words of its name, title, how to draw it) of each figure for one metric."""
    plan, metric = results.plan, analysis.metric
    measured = measured_on(results, analysis.selection, analysis.metric.name)
    several = len(plan.pairs) > 1

    def place(pair: str) -> list[str]:
        return [pair] if several else []

    pages = differences.pages(analysis)
    for index, rows in enumerate(pages, start=1):
        words = [str(index)] if len(pages) > 1 else []
        part = f" ({index} of {len(pages)})" if len(pages) > 1 else ""
        where = "" if several else f", {plan.pairs[0]}"
        title = f"{plan.title}{where}{part}"
        yield "differences", words, title, partial(
            differences.differences, analysis, rows, measured=measured, footer=footer
        )  # fmt: skip
    for shape in find_grids(plan) if metric.comparable else ():
        for pair in plan.pairs:
            yield "grid", [shape.group, *place(pair)], f"{plan.title}{shape.name}, {pair}", partial(
                heatmap.heat_map, analysis, shape, pair, measured=measured, footer=footer
            )  # fmt: skip
    for sweep in sensitivity.find_sweeps(plan) if metric.comparable else ():
        symbol = plan.part_labels.get(sweep.part, sweep.part)
        for pair in plan.pairs:
            title = f"Sensitivity to {symbol}, {pair}"
            yield "sensitivity", [symbol, *place(pair)], title, partial(
                sensitivity.sensitivity, analysis, sweep, pair,
                measured=measured, footer=footer,
            )  # fmt: skip
    if curves is not None:
        for panel in curve_figures.find_panels(results, curves, metric):
            words = [*([panel.group] if panel.group else []), *place(panel.pair)]
            heading = f": {panel.group}" if panel.group else ""
            yield "curves", words, f"Training{heading}, {panel.pair}{panel.part}", partial(
                curve_figures.training_curves, panel, metric,
                measured=measured_on(results, None), footer=footer,
            )  # fmt: skip


def _unique(name: str, used: set[str]) -> str:
    """The name, with a number if it is taken: different texts may read the same in ASCII."""
    found, count = name, 1
    while found in used:
        count += 1
        found = f"{name}-{count}"
    used.add(found)
    return found
