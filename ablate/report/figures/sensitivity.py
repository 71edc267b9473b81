"""Sensitivity to one numeric part: τ, N, a momentum, a weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ablate.matrix.plan import Role, StudyPlan
from ablate.methods.parts import Value, format_value
from ablate.report.figures.style import BETTER, INK, MUTED, finish, label, new_figure, steady_ticks
from ablate.report.tables.analysis import Analysis, baseline_label
from ablate.report.tables.table import Cell
from ablate.report.tables.text import reasons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST_VALUES = 3  #: two points make a table, not a curve
_LOG = 4.0  #: ratio of largest to smallest from which an axis is logarithmic if that spreads them
_CRAMMED = 1 / 25  #: of the axis: neighbours closer than this would hide each other
_TICK = 1 / 10  #: of the axis, that a tick's label takes


@dataclass(frozen=True)
class Sweep:
    """The variants that set one numeric part, and nothing else, to several values."""

    part: str
    labels: Mapping[float, str]  #: value -> variant, the baseline's included; ascending
    baseline: float


def find_sweeps(plan: StudyPlan) -> list[Sweep]:
    """Groups of variants that change the same numeric part to three or more values in all."""
    groups: dict[tuple[str, str], dict[float, str]] = {}
    for variant in plan.variants:
        if variant.role is Role.VARIANT and len(variant.changes) == 1:
            [(part, value)] = variant.changes.items()
            if _is_number(value) and _is_number(plan.baseline.get(part)):
                groups.setdefault((variant.group, part), {})[float(value)] = variant.label
    sweeps = []
    for (_, part), found in groups.items():
        base = float(plan.baseline[part])
        labels = {**found, base: baseline_label(plan)}
        if len(labels) >= _FEWEST_VALUES:
            sweeps.append(Sweep(part, dict(sorted(labels.items())), base))
    return sweeps


def sensitivity(
    analysis: Analysis, sweep: Sweep, pair: str, title: str, measured: str, *, footer: bool
) -> tuple[Figure, str]:
    """One figure, and its caption."""
    cells = {value: analysis.cells[name, pair] for value, name in sweep.labels.items()}
    scale, places = _places(list(cells))
    figure = new_figure(2.0)
    axes = figure.add_subplot()
    if scale == "log":
        axes.set_xscale("log")
    _draw(axes, [(places[value], cell) for value, cell in cells.items()], places[sweep.baseline])
    _ticks(axes, scale, places, sweep.baseline)
    steady_ticks(axes.yaxis)
    symbol = analysis.plan.part_labels.get(sweep.part, sweep.part)
    note = " (values not to scale)" if scale == "even" else ""
    axes.set_xlabel(_alone(symbol) + note)
    axes.set_ylabel(label(analysis.metric.label))
    caption = f"{_caption(analysis, sweep, list(cells.values()))} {measured}"
    return figure, finish(figure, title, caption, footer=footer)


def _draw(axes: Axes, points: Sequence[tuple[float, Cell]], baseline: float) -> None:
    nothing = math.nan  # leaves a gap in line and band
    xs = [x for x, _ in points]
    means = [nothing if cell.mean is None else cell.mean for _, cell in points]
    stds = [nothing if cell.sd is None else cell.sd for _, cell in points]
    axes.grid(axis="y")
    axes.fill_between(xs, [m - s for m, s in zip(means, stds, strict=True)],
                      [m + s for m, s in zip(means, stds, strict=True)],
                      color=BETTER, alpha=0.18, linewidth=0)  # fmt: skip
    for x, mean, std in _alone_with_spread(xs, means, stds):  # between gaps there is no band
        axes.plot([x, x], [mean - std, mean + std], color=BETTER, alpha=0.35, linewidth=3,
                  solid_capstyle="butt", zorder=1)  # fmt: skip
    axes.axvline(baseline, color=INK, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.plot(xs, means, "-", color=BETTER, zorder=3)
    for x, cell in points:
        if cell.mean is None:
            axes.plot([x], [0.03], "x", color=INK, transform=axes.get_xaxis_transform(),
                      markersize=5)  # fmt: skip
            continue
        axes.plot([x] * cell.n, [value for _, value in cell.values], "o", color=MUTED,
                  markersize=2.4, markerfacecolor="none", markeredgewidth=0.6,
                  zorder=2)  # fmt: skip
        face = BETTER if cell.complete else "white"
        axes.plot([x], [cell.mean], "s", color=BETTER, markerfacecolor=face, zorder=4)
        if x == baseline:
            axes.plot([x], [cell.mean], "o", color=INK, markerfacecolor="none", markersize=8.5,
                      zorder=5)  # fmt: skip


def _alone_with_spread(
    xs: Sequence[float], means: Sequence[float], stds: Sequence[float]
) -> Iterator[tuple[float, float, float]]:
    """Points whose neighbours on the curve are missing."""
    known = [False, *(math.isfinite(std) for std in stds), False]
    for index, point in enumerate(zip(xs, means, stds, strict=True), start=1):
        if known[index] and not (known[index - 1] or known[index + 1]):
            yield point


def _places(values: Sequence[float]) -> tuple[str, dict[float, float]]:
    """Where the values stand: at themselves, or one after the other where they would collide."""
    linear = _closest(values)
    if (
        values[0] > 0
        and values[-1] / values[0] >= _LOG
        and linear < _closest([math.log(value) for value in values])
    ):
        return "log", {value: value for value in values}
    if linear >= _CRAMMED:
        return "linear", {value: value for value in values}
    return "even", {value: float(i) for i, value in enumerate(values)}


def _closest(values: Sequence[float]) -> float:
    """Smallest distance of neighbours as a share of the axis."""
    return min(b - a for a, b in pairwise(values)) / (values[-1] - values[0])


def _ticks(axes: Axes, scale: str, places: Mapping[float, float], baseline: float) -> None:
    """A tick at the baseline and at every other value that was run and has room for one."""
    from matplotlib.ticker import NullLocator

    stand = math.log if scale == "log" else float
    at = {value: stand(place) for value, place in places.items()}
    room = _TICK * (max(at.values()) - min(at.values()))
    shown = [baseline]
    for value, place in at.items():
        if all(abs(place - at[other]) >= room for other in shown):
            shown.append(value)
    shown.sort()
    axes.set_xticks([places[v] for v in shown], [format_value(_whole(v)) for v in shown])
    axes.xaxis.set_minor_locator(NullLocator())


def _whole(value: float) -> Value:
    return int(value) if value == int(value) else value


def _alone(symbol: str) -> str:
    """A symbol of its own, so that a lone letter is a variable."""
    lone = len(symbol) == 1 and symbol.isascii() and symbol.isalpha()
    return f"${symbol}$" if lone else label(symbol)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _caption(analysis: Analysis, sweep: Sweep, cells: Sequence[Cell]) -> str:
    better = "higher" if analysis.metric.higher_is_better else "lower"
    ringed = f"ringed: the baseline, {format_value(_whole(sweep.baseline))}"
    if max((cell.n for cell in cells), default=0) > 1:
        how = (
            "Squares and line: mean over seeds; band: ± standard deviation; small circles: seeds; "
            f"{ringed}"
        )
    else:
        how = f"Squares and line: one seed, which says nothing about chance; {ringed}"
    sentences = [f"{how}; {better} is better."]
    gaps = [f"{cell.variant} ({', '.join(reasons(cell))})" for cell in cells if not cell.complete]
    if gaps:
        sentences.append(f"Open square: seeds are missing; ×: all are. Missing: {'; '.join(gaps)}.")
    return " ".join(sentences)
