"""Two-part grids as heat maps: every cell says its number, the shade only helps to find it.

Shades are differences to the baseline, which is white; a bar says which is which. Full colour is at
least twice the widest half of an interval, whose ends the bar marks: differences no larger than the
noise stay pale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.matrix.plan import Role
from ablate.methods.metrics import Metric
from ablate.report.figures.style import (
    INK,
    MUTED,
    WIDTH,
    finish,
    label,
    new_figure,
    steady_ticks,
    wrapped,
)
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.grid import Grid, part_text
from ablate.report.tables.table import Cell
from ablate.report.tables.text import MINUS, amount, arrow, count_text, number, reasons

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE, _CHARACTER = 0.125, 0.056  #: inches that a line is high, and a character wide
_HEAD = 12  #: characters that a column's head has at least
_NEUTRAL = (0.965, 0.965, 0.955)
#: Colours half way and in full; they differ in lightness as well as in hue.
_BETTER = ((0.42, 0.68, 0.88), (0.03, 0.23, 0.47))
_WORSE = ((0.96, 0.66, 0.38), (0.62, 0.20, 0.02))
_NOISES = 2  #: halves of the widest interval that full colour is at least
_UNTESTED = 3  #: largest differences that it is where nobody knows how large noise is
_DARK_INK = "#1c1c1c"  #: on the map's own colours, which are the same on a dark page
_STEPS = 64  #: of the colour bar


def heat_map(
    analysis: Analysis, shape: Grid, pair: str, title: str, measured: str, *, footer: bool
) -> tuple[Figure, str]:
    """One figure, and its caption."""
    rows, columns = shape.row_values, shape.column_values
    cells = {
        (rows.index(spot[0]), columns.index(spot[1])): analysis.cells[name, pair]
        for spot, name in shape.labels.items()
        if (name, pair) in analysis.cells
    }
    words = {spot: _lines(cell) for spot, cell in cells.items()}
    plan = analysis.plan
    heads = [part_text(plan, shape.column_part, value) for value in columns]
    head = max([_HEAD, *(len(word) for text in heads for word in text.split())])
    figure = new_figure(*_size(words, len(rows), len(columns), head))
    axes = figure.add_subplot()
    full = _full(list(cells.values()))
    for y in range(len(rows)):
        for x in range(len(columns)):
            _draw(axes, x, y, cells.get((y, x)), words.get((y, x), ["not run"]), full)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), [wrapped(text, head) for text in heads])
    axes.set_yticks(
        range(len(rows)), [wrapped(part_text(plan, shape.row_part, value), 16) for value in rows]
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if full:
        _bar(figure, axes, analysis.metric, full, _widest(list(cells.values())))
    complete = len(cells) == len(rows) * len(columns)
    caption = f"{_caption(analysis, list(cells.values()), full, complete=complete)} {measured}"
    return figure, finish(figure, title, caption, footer=footer)


def _size(
    words: Mapping[tuple[int, int], Sequence[str]], rows: int, columns: int, head: int
) -> tuple[float, float]:
    """Height and width in inches that give every cell room for its words."""
    longest = max([head - 2, *(len(line) for own in words.values() for line in own)])
    # All rows are as high as the one with most to say: a heat map has cells of one size.
    height = max(0.42, 0.1 + _LINE * max(map(len, words.values()), default=0))
    width = max(0.62, 0.1 + _CHARACTER * longest)
    return 0.85 + height * rows, max(WIDTH, 1.0 + width * columns)


def _draw(axes: Axes, x: int, y: int, cell: Cell | None, words: Sequence[str], full: float) -> None:
    from matplotlib.patches import Rectangle

    text = "\n".join(map(label, words))
    if cell is None or cell.mean is None:
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor="none",
                                 edgecolor=MUTED, hatch="////", linewidth=0.4))  # fmt: skip
        axes.text(x, y, text, ha="center", va="center", fontsize=7,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0})  # fmt: skip
    else:
        colour = _mix(_shade(cell, full))
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, linewidth=0,
                                 facecolor=colour))  # fmt: skip
        axes.text(x, y, text, ha="center", va="center", fontsize=7.5, color=_ink(colour),
                  linespacing=1.15)  # fmt: skip
    if cell is not None and cell.role is Role.BASELINE:
        axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, facecolor="none",
                                 edgecolor=INK, linewidth=1.6))  # fmt: skip


def _bar(figure: Figure, axes: Axes, metric: Metric, full: float, half: float) -> None:
    """The colours below the map, in the metric's unit, with lines at the ends of the noise."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    better = 1 if metric.higher_is_better else -1
    shades = [better * (2 * step / (_STEPS - 1) - 1) for step in range(_STEPS)]
    colours = ListedColormap([_mix(shade) for shade in shades])
    bar: Any = figure.colorbar(
        ScalarMappable(Normalize(-full, full), colours), ax=axes, location="bottom",
        fraction=0.08, aspect=36, pad=0.04,
    )  # fmt: skip
    bar.solids.set_edgecolor("face")  # or pale seams show between the steps
    bar.outline.set_linewidth(0.4)
    bar.ax.tick_params(length=2, pad=1.5)
    steady_ticks(bar.ax.xaxis)
    bar.ax.xaxis.set_major_formatter(lambda value, _: _tick(value))
    unit = {"%": "points", "": "difference"}.get(metric.unit, metric.unit)
    bar.set_label(label(f"{unit} from the baseline"), fontsize=7, labelpad=1.5)
    for end in (-half, half) if half else ():
        bar.ax.axvline(end, color=_DARK_INK, linewidth=0.9)


def _tick(value: float) -> str:
    return f"{value:+.6g}".replace("-", MINUS) if abs(value) > 1e-12 else "0"


def _lines(cell: Cell) -> list[str]:
    """What a cell says: mean, deviation, and what is missing."""
    if cell.mean is None:
        return list(reasons(cell)) or ["not run"]
    digits, sign = cell.metric.digits, arrow(cell.comparison)
    mean = number(cell.mean, digits)
    lines = [f"{sign} {mean}" if sign else mean]
    if cell.sd is not None:
        lines.append(f"± {number(cell.sd, digits)}")
    if not cell.complete:
        lines += [f"n = {count_text(cell)}", *reasons(cell)]
    return lines


def _full(cells: Sequence[Cell]) -> float:
    """The difference to the baseline that has full colour."""
    sizes = [abs(one.mean) for cell in cells if (one := cell.comparison) and one.mean is not None]
    half = _widest(cells)
    # Without an interval nobody knows how large noise is: all shades are pale.
    return max(max(sizes, default=0.0) * (1 if half else _UNTESTED), _NOISES * half)


def _widest(cells: Sequence[Cell]) -> float:
    """Half of the widest interval, 0 where there is none."""
    halves = [
        (one.high - one.low) / 2
        for cell in cells
        if (one := cell.comparison) and one.low is not None and one.high is not None
    ]
    return max(halves, default=0.0)


def _shade(cell: Cell, full: float) -> float:
    """From -1, worse than the baseline in full colour, to 1, better."""
    if cell.comparison is None or cell.comparison.mean is None or not full:
        return 0.0
    share = cell.comparison.mean / full
    return share if cell.metric.higher_is_better else -share


def _mix(shade: float) -> tuple[float, ...]:
    """The colour of a shade: from white to the half-way colour, and from there to the full one."""
    middle, end = _BETTER if shade > 0 else _WORSE
    size = 2 * abs(shade)
    start, stop, share = (_NEUTRAL, middle, size) if size < 1 else (middle, end, size - 1)
    return tuple(a + (b - a) * share for a, b in zip(start, stop, strict=True))


def _ink(background: Sequence[float]) -> str:
    """Black or white, whichever stands out more (relative luminance of WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in background]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#fefefe" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else _DARK_INK


def _caption(analysis: Analysis, cells: Sequence[Cell], full: float, *, complete: bool) -> str:
    metric = analysis.metric
    sentences = [f"{metric.label}: mean ± standard deviation over seeds. Framed: the baseline."]
    if full:
        half = _widest(cells)
        noise = (
            f"lines on the bar: the widest interval of a cell is ±{amount(metric, half)}"
            if half
            else "pale, as nothing is tested"
        )
        sentences.append(
            f"Blue: better than the baseline; orange: worse; full colour: {amount(metric, full)}; "
            f"{noise}."
        )
    if any(arrow(cell.comparison) for cell in cells):
        sentences.append(
            "Arrow: higher or lower than the baseline, by a simultaneous 95 % interval."
        )
    if not complete or any(cell.mean is None for cell in cells):
        sentences.append("Hatched: no result.")
    return " ".join(sentences)
