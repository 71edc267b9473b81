"""Training curves: per variant the mean over finished seeds with a band, other seeds as lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.matrix.plan import Role, StudyPlan
from ablate.methods.metrics import Metric
from ablate.report.figures.style import (
    LINES,
    finish,
    new_figure,
    spread,
    steady_ticks,
    wrapped,
)
from ablate.report.tables.analysis import baseline_label
from ablate.report.tables.comparisons import OTHER_METHODS
from ablate.store.results import Point, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_ABREAST = len(LINES) - 1  #: variants beside the baseline that one figure can tell apart
_HALF = 27  #: characters of names that stand two abreast in the legend
_MARKERS = 8  #: along a curve
_SETTLED = 20  #: epochs from which on the first ones don't decide the axis
_ENDED = {"failed", "diverged"}

_Curve = dict[int, float]  #: epoch -> value


@dataclass(frozen=True)
class Seed:
    """One job's curve, and how the job stands."""

    status: str
    values: Mapping[int, float]


@dataclass(frozen=True)
class Panel:
    """The curves of one figure: the baseline and a few variants on one pair."""

    pair: str
    group: str
    part: str  #: " (1 of 2)", where the group fills several figures
    curves: Mapping[str, Sequence[Seed]]  #: variant -> planned seeds, the baseline first


def find_panels(results: StudyResults, curves: Sequence[Point], metric: Metric) -> Iterator[Panel]:
    """Panels of a study for one metric: per pair and group as many as its lines need."""
    known: dict[tuple[str, str, int], _Curve] = {}
    for point in curves:
        if point.metric == metric.name and math.isfinite(point.value):
            own = known.setdefault((point.variant, point.pair, point.seed), {})
            own[point.epoch] = point.value
    seeds: dict[tuple[str, str], list[Seed]] = {}
    for run in results.runs:
        values = known.get((run.variant, run.pair, run.seed), {})
        seeds.setdefault((run.variant, run.pair), []).append(Seed(run.status.value, values))
    for pair in results.plan.pairs:
        for group, part, labels in _lots(results.plan):
            lines = {name: seeds.get((name, pair), []) for name in labels}
            if any(len(seed.values) > 1 for many in lines.values() for seed in many):
                yield Panel(pair, group, part, lines)


def _lots(plan: StudyPlan) -> Iterator[tuple[str, str, list[str]]]:
    """(group, part of it, variants that share a figure), each with the baseline on top."""
    baseline = baseline_label(plan)
    groups: dict[str, list[str]] = {}
    for variant in plan.variants:
        if variant.role is not Role.BASELINE:
            heading = OTHER_METHODS if variant.role is Role.REFERENCE else variant.group
            groups.setdefault(heading, []).append(variant.label)
    if not groups:
        yield "", "", [baseline]
    if sum(map(len, groups.values())) <= _ABREAST:
        groups = {"": [name for names in groups.values() for name in names]} if groups else {}
    for group, names in groups.items():
        starts = range(0, len(names), _ABREAST)
        for index, start in enumerate(starts, start=1):
            part = f" ({index} of {len(starts)})" if len(starts) > 1 else ""
            yield group, part, [baseline, *names[start : start + _ABREAST]]


def training_curves(
    panel: Panel, metric: Metric, title: str, measured: str, *, footer: bool
) -> tuple[Figure, str]:
    """One figure, and its caption."""
    names = [_name(name, seeds) for name, seeds in panel.curves.items()]
    columns = 2 if max(map(len, names)) <= _HALF and len(names) > 1 else 1
    names = [wrapped(name, 56, most=2) for name in names]
    lines = sum(name.count("\n") + 1 for name in names) / columns + 0.5
    paired = _paired(panel) if metric.comparable else {}
    heights = [1.85, *[1.15] * bool(paired), 0.14 * lines]
    figure = new_figure(sum(heights))
    axes, *differences, below = figure.subplots(len(heights), 1, height_ratios=heights)
    axes.grid(axis="y")
    cut = _limits(axes, panel)
    handles = [
        _draw(axes, place, len(panel.curves), seeds)
        for place, seeds in enumerate(panel.curves.values())
    ]
    steady_ticks(axes.yaxis)
    axes.set_ylabel(wrapped(metric.label, 26))
    for one in differences:
        _draw_differences(one, axes, panel, paired)
    [axes, *differences][-1].set_xlabel("Epoch")
    below.set_axis_off()
    below.legend(handles, names, loc="upper left", ncols=columns, columnspacing=1.5)
    below_it = " Below: the same minus the baseline, seed by seed." if paired else ""
    caption = f"{_caption(metric, panel, cut=cut)}{below_it} {measured}"
    return figure, finish(figure, title, caption, footer=footer)


def _name(variant: str, seeds: Sequence[Seed]) -> str:
    done = sum(seed.status == "done" for seed in seeds)
    count = f"n = {done}" if done == len(seeds) else f"n = {done} of {len(seeds)}"
    return f"{variant} ({count})"


def _draw(axes: Axes, place: int, places: int, seeds: Sequence[Seed]) -> Line2D:
    """The curves of one variant; returns what stands for them in the legend."""
    colour, style, marker = LINES[place]
    finished = [seed.values for seed in seeds if seed.status == "done" and seed.values]
    epochs, means, stds = _mean_curve(finished)
    if len(finished) > 1:
        axes.fill_between(epochs, [m - s for m, s in zip(means, stds, strict=True)],
                          [m + s for m, s in zip(means, stds, strict=True)],
                          facecolor=(colour, 0.13), edgecolor=(colour, 0.4), linestyle=style,
                          linewidth=0.4)  # fmt: skip
    for seed in seeds:
        if seed.status != "done" and seed.values:
            xs = sorted(seed.values)
            ys = [seed.values[x] for x in xs]
            axes.plot(xs, ys, color=colour, linewidth=0.6, linestyle=style)
            if seed.status in _ENDED:  # at the edge, if it got away
                low, high = axes.get_ylim()
                axes.plot([xs[-1]], [min(max(ys[-1], low), high)], "x", color=colour, markersize=5,
                          clip_on=False)  # fmt: skip
    every = max(1, len(epochs) // _MARKERS)
    first = place * every // max(1, places)  # so that markers of equal curves don't coincide
    [line] = axes.plot(epochs, means, color=colour, linestyle=style, marker=marker,
                       markevery=(min(first, max(0, len(epochs) - 1)), every),
                       markerfacecolor="white", markersize=3.2,
                       zorder=4 if place == 0 else 3)  # fmt: skip
    return line


def _paired(panel: Panel) -> dict[str, list[dict[int, float]]]:
    """Variant -> for each seed that it and the baseline finished, epoch -> difference."""
    (_, base), *others = panel.curves.items()
    found: dict[str, list[dict[int, float]]] = {}
    for name, seeds in others:
        for own, of_base in zip(seeds, base, strict=False):
            if own.status == of_base.status == "done":
                common = sorted(own.values.keys() & of_base.values.keys())
                curve = {epoch: own.values[epoch] - of_base.values[epoch] for epoch in common}
                found.setdefault(name, []).extend([curve] if curve else [])
    return {name: curves for name, curves in found.items() if curves}


def _draw_differences(
    axes: Axes, above: Axes, panel: Panel, paired: Mapping[str, Sequence[_Curve]]
) -> None:
    """Means and bands of the differences, in the lines of the curves above."""
    axes.grid(axis="y")
    axes.axhline(0, color=LINES[0][0], linewidth=0.8)
    ends: list[float] = [0.0]
    last = max(epoch for curves in paired.values() for curve in curves for epoch in curve)
    for place, name in enumerate(panel.curves):
        if name not in paired:
            continue
        colour, style, _ = LINES[place]
        epochs, means, stds = _mean_curve(paired[name])
        low = [m - s for m, s in zip(means, stds, strict=True)]
        high = [m + s for m, s in zip(means, stds, strict=True)]
        axes.plot(epochs, means, color=colour, linestyle=style, zorder=3)
        if len(paired[name]) > 1:
            axes.fill_between(epochs, low, high, facecolor=(colour, 0.13), linewidth=0)
        settled = last // 4 if last >= _SETTLED else 0
        ends += [end for x, *both in zip(epochs, low, high, strict=True) if x > settled
                 for end in both]  # fmt: skip
    axes.set_ylim(*spread(ends))
    axes.set_xlim(above.get_xlim())
    axes.set_xticks(above.get_xticks())
    steady_ticks(axes.yaxis, 4)
    axes.set_ylabel("minus the baseline")


def _mean_curve(
    curves: Sequence[Mapping[int, float]],
) -> tuple[list[int], list[float], list[float]]:
    """Epochs that all curves have, with mean and standard deviation at each."""
    epochs = sorted(set.intersection(*map(set, curves))) if curves else []
    columns = [[values[epoch] for values in curves] for epoch in epochs]
    means = [math.fsum(column) / len(column) for column in columns]
    stds = [_std(column, mean) for column, mean in zip(columns, means, strict=True)]
    return epochs, means, stds


def _std(column: Sequence[float], mean: float) -> float:
    if len(column) < 2:
        return 0.0
    return math.sqrt(math.fsum((value - mean) ** 2 for value in column) / (len(column) - 1))


def _limits(axes: Axes, panel: Panel) -> bool:
    """Set the axes' range by what finished; whether something lies outside.

    In long trainings the first epochs leave the axis, or the rest would be one flat line; so would
    it be beside a seed that diverged.
    """
    from matplotlib.ticker import MaxNLocator

    seeds = [seed for many in panel.curves.values() for seed in many if seed.values]
    finished = [seed for seed in seeds if seed.status == "done"] or seeds
    everything = [point for seed in seeds for point in seed.values.items()]
    points = [point for seed in finished for point in seed.values.items()]
    last = max(epoch for epoch, _ in points)
    start = last // 4 if last >= _SETTLED else 0
    settled = [value for epoch, value in points if epoch > start] or [v for _, v in points]
    low, high = spread(settled)
    axes.set_ylim(low, high)
    epochs = [epoch for epoch, _ in everything]
    first, end = min(epochs), max(epochs)
    margin = 0.02 * (end - first)  # room for markers
    axes.set_xlim(first - margin, end + margin)
    ticks = MaxNLocator(integer=True).tick_values(first, end)
    axes.set_xticks([tick for tick in ticks if first <= tick <= end])
    return any(not low <= value <= high for _, value in everything)


def _caption(metric: Metric, panel: Panel, *, cut: bool) -> str:
    better = "higher is better" if metric.higher_is_better else "lower is better"
    if not metric.comparable:
        better = "rows may sum other terms"
    seeds = [seed for many in panel.curves.values() for seed in many]
    band = ""
    if any(sum(seed.status == "done" for seed in many) > 1 for many in panel.curves.values()):
        band = " band: ± standard deviation;"
    sentences = [f"Mean over finished seeds;{band} {better}."]
    if any(seed.status != "done" and seed.values for seed in seeds):
        sentences.append("Thin: a seed that has not finished; ×: failed or diverged there.")
    if cut:
        sentences.append("Not drawn: what lies beyond the axis, such as the first epochs.")
    return " ".join(sentences)
