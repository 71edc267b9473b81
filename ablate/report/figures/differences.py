"""Differences to the baseline: an interval for each comparison, and a dot for every seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.report.figures.style import (
    BETTER,
    INK,
    MUTED,
    WORSE,
    finish,
    label,
    new_figure,
    quantity,
    steady_ticks,
    wrapped,
)
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.table import Cell, Comparison, Tested
from ablate.report.tables.text import arrow, number, reasons
from ablate.statistics.verdict import DIFFERENT, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ROWS = 20  #: of one figure, which then fills a page's height
_ROW = 0.33  #: inches that a row is high at least
_LINE = 0.19  #: inches for a line of a label, with a subscript in it
_SPACING = 1.25  #: keeps a line's subscripts off a tilde on the line below
_LABEL_CHARACTERS = 21
_MOST_LINES = 8

_UNTESTED = {
    Tested.WAITING: "not tested yet",
    Tested.FEW: "fewer than 3 seeds",
    Tested.CONSTANT: "no spread, no interval",
}


@dataclass(frozen=True)
class _Row:
    """A comparison, or the heading of a pair."""

    cell: Cell | None
    heading: str = ""


def pages(analysis: Analysis) -> list[list[_Row]]:
    """The comparisons of a study, cut into figures of a page's height at most.

    A pair that goes on over the page has its heading there again; none ends a page.
    """
    found: list[list[_Row]] = []
    several = len(analysis.plan.pairs) > 1
    of_pair: dict[str, list[_Row]] = {}
    for cell in analysis.comparisons:
        of_pair.setdefault(cell.pair, []).append(_Row(cell))
    for pair in (pair for pair in analysis.plan.pairs if pair in of_pair):
        heading = [_Row(None, pair)] * several
        for index, row in enumerate(of_pair[pair]):
            above = heading if index == 0 else []
            if not found or len(found[-1]) + len(above) + 1 > _MOST_ROWS:
                found.append([])
                above = heading
            found[-1] += [*above, row]
    return found


def differences(
    analysis: Analysis, rows: Sequence[_Row], title: str, measured: str, *, footer: bool
) -> tuple[Figure, str]:
    """One figure, and its caption."""
    limits = _limits(analysis, [row.cell for row in rows if row.cell])
    names = _names([row.cell for row in rows if row.cell])
    lines = max(name.count("\n") + 1 for name in names)
    figure = new_figure(0.45 + max(_ROW, _LINE * lines) * len(rows))
    axes = figure.add_subplot()
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(*limits)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    axes.grid(axis="x", zorder=0)
    axes.set_axisbelow(True)
    for y, row in enumerate(rows):
        if row.cell is None:
            axes.text(0, y + 0.1, label(row.heading), transform=axes.get_yaxis_transform(),
                      fontsize=7.5, va="center", fontstyle="italic")  # fmt: skip
        else:
            _draw(axes, y, row.cell, dict(analysis.cells[analysis.baseline, row.cell.pair].values))
    marked = [(y, row.cell) for y, row in enumerate(rows) if row.cell]
    axes.set_yticks([y for y, _ in marked], names, linespacing=_SPACING)
    steady_ticks(axes.xaxis, 5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    unit = {"%": " (points)", "": ""}.get(analysis.metric.unit, f" ({analysis.metric.unit})")
    axes.set_xlabel(label(f"Difference in {quantity(analysis.metric)}{unit}"))
    caption = f"{_caption(analysis, [cell for _, cell in marked])} {measured}"
    return figure, finish(figure, title, caption, footer=footer)


def _names(cells: Sequence[Cell]) -> list[str]:
    """Labels of rows, cut no shorter than tells them apart."""
    different = len({cell.variant for cell in cells})
    for lines in range(2, _MOST_LINES):
        names = [wrapped(cell.variant, _LABEL_CHARACTERS, most=lines) for cell in cells]
        if len(set(names)) == different:
            break
    return names


def _draw(axes: Axes, y: int, cell: Cell, baseline: dict[int, float]) -> None:
    """Interval above, seeds below; what is known of n to the right."""
    one = cell.comparison
    if one is None or one.mean is None:
        why = ", ".join(reasons(cell)) or "no common seed"
        axes.text(1.02, y, "no result\n" + wrapped(why, 24), transform=axes.get_yaxis_transform(),
                  fontsize=7, va="center", color=MUTED, linespacing=1.1)  # fmt: skip
        return
    colour = {Verdict.BETTER: BETTER, Verdict.WORSE: WORSE}.get(one.verdict, INK)
    untested = one.tested is not Tested.YES
    if one.low is not None and one.high is not None:
        axes.plot([one.low, one.high], [y - 0.14] * 2, color=colour, linewidth=1.6,
                  solid_capstyle="butt", zorder=3)  # fmt: skip
    face = "white" if untested else colour
    axes.plot([one.mean], [y - 0.14], "D", color=colour, markerfacecolor=face, zorder=4)
    dots = sorted(value - baseline[seed] for seed, value in cell.values if seed in baseline)
    heights = [y + 0.2 + off for off in _stacked(dots, axes.get_xlim())]
    axes.plot(dots, heights, "o", color=MUTED, markerfacecolor="none",
              markersize=3.2, markeredgewidth=0.7, zorder=3)  # fmt: skip
    axes.text(1.02, y, _beside(cell, one), transform=axes.get_yaxis_transform(), fontsize=7,
              va="center", linespacing=1.1)  # fmt: skip


def _stacked(dots: Sequence[float], limits: tuple[float, float]) -> list[float]:
    """For dots in ascending order, how far off their row they stand so that none hides another."""
    near = (limits[1] - limits[0]) / 80
    heaps: list[list[float]] = []
    for dot in dots:
        if heaps and dot - heaps[-1][0] < near:
            heaps[-1].append(dot)
        else:
            heaps.append([dot])
    offsets = []
    for heap in heaps:
        step = min(0.12, 0.36 / len(heap))
        offsets += [step * (place - (len(heap) - 1) / 2) for place in range(len(heap))]
    return offsets


def _beside(cell: Cell, one: Comparison) -> str:
    size = number(one.mean or 0.0, cell.metric.digits, signed=True)
    n = f"n = {one.n}" if one.n == cell.planned else f"n = {one.n} of {cell.planned}"
    # No mathematics: it takes ten times as long to set, and every row has a text of its own.
    first = " ".join(word for word in (arrow(one), f"{size}, {n}") if word)
    lost = f"\n{cell.diverged} of {cell.planned} diverged" if cell.diverged else ""
    return first + lost + (f"\n{_UNTESTED[one.tested]}" if one.tested in _UNTESTED else "")


def _limits(analysis: Analysis, cells: Sequence[Cell]) -> tuple[float, float]:
    """Range of the axis, with zero in it."""
    shown = [0.0]
    for cell in cells:
        baseline = dict(analysis.cells[analysis.baseline, cell.pair].values)
        shown += [value - baseline[seed] for seed, value in cell.values if seed in baseline]
        if cell.comparison and cell.comparison.low is not None:
            shown += [cell.comparison.low, cell.comparison.high or 0.0]
    low, high = min(shown), max(shown)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _caption(analysis: Analysis, cells: Sequence[Cell]) -> str:
    side = "right" if analysis.metric.higher_is_better else "left"
    better = f"; better is to the {side}" if analysis.metric.comparable else ""
    tested = [c for c in cells if c.comparison and c.comparison.tested is Tested.YES]
    drawn = " with simultaneous 95 % interval," if tested else ""
    sentences = [
        f"Difference to the baseline, {analysis.baseline}, on common seeds: mean (diamond){drawn} "
        f"and a circle per seed{better}."
    ]
    if any(c.comparison and c.comparison.verdict in DIFFERENT for c in tested):
        sentences.append("Coloured, with an arrow: the interval excludes zero.")
    if any(c.comparison and c.comparison.mean is not None and c not in tested for c in cells):
        sentences.append("Open diamond: not tested.")
    return " ".join(sentences)
