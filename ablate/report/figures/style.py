"""What all figures share: style, palette, labels in the paper's notation, caption, files.

Everything is drawn with explicit `Figure` objects under `style()`, so that neither a user's
matplotlibrc nor a figure window's state has a say. Colours differ in lightness as well as in hue,
and whatever a colour says, a marker, a line style or a hatch says too.
"""

from __future__ import annotations

import io
import logging
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from ablate.methods.metrics import Metric
from ablate.methods.parts import format_value
from ablate.report.choices import Selection
from ablate.report.figures.glyphs import font_families, in_first_font, with_lacking
from ablate.report.tables.footer import other_overrides, value_text
from ablate.report.tables.notation import Symbol, split
from ablate.store.results import StudyResults

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 3.3  #: inches, a paper's column
INK, MUTED, RULE = "#1b1b1b", "#6a6a6a", "#d4d4d4"
BETTER, WORSE = "#0a4c86", "#d9661f"

#: Colour, line style and marker of the lines in one figure; the first is the baseline's.
LINES: tuple[tuple[str, Any, str], ...] = (
    (INK, "-", "o"),
    ("#0a4c86", (0, (5, 1.5)), "s"),
    ("#b84a08", (0, (1.2, 1.2)), "^"),
    ("#009e73", (0, (5, 1.5, 1.2, 1.5)), "D"),
    ("#d08fb8", (0, (3, 1, 1, 1, 1, 1)), "v"),
    ("#e0a92c", (0, (8, 2)), "P"),
)

_TITLE_CHARACTERS, _CAPTION_CHARACTERS = 60, 77  #: of a line
_GREEK = re.compile(r"(?<![\w$])([α-ωΑ-Ω])(?![\w])")
_LONE_LETTER = re.compile(r"(?<![\w$])([A-Za-z])(?= = )")
_GREEK_LETTERS = frozenset("αβγδεζηθικλμνξοπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ")


@dataclass(frozen=True)
class NamedFigure:
    """A figure, and what stands around it."""

    name: str  #: safe as a file's stem, unique within its study
    kind: str  #: "differences", "grid", "sensitivity" or "curves"
    title: str
    caption: str  #: how to read it, and what it was measured on; plain text
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """The style of all figures, over matplotlib's defaults and not over a user's."""
    import matplotlib.style

    with (
        as_file(files("ablate.report.figures").joinpath("ablate.mplstyle")) as path,
        matplotlib.style.context(["default", path]),
        matplotlib.rc_context({"font.family": font_families()}),
        warnings.catch_warnings(),
    ):
        # A letter that no font has is drawn as a box, and the caption names it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        loggers = [logging.getLogger(f"matplotlib.{name}") for name in ("mathtext", "font_manager")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:  # what is missing, captions say
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure that arranges its own axes; to be called under `style()`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.05, h_pad=0.03, wspace=0.02, hspace=0.02)
    return figure


def steady_ticks(axis: Axis, most: int = 6) -> None:
    """Ticks that follow from the axis' range alone, for what is drawn by now.

    Matplotlib's own also depend on the axis' length: labels that the layout left no room for would
    come up after it.
    """
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(axis.get_view_interval())
    ticks = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    axis.set_ticks([tick for tick in ticks if low <= tick <= high])


def finish(figure: Figure, title: str, caption: str, *, footer: bool) -> str:
    """Title above and, unless the caption is set elsewhere, caption below; the figure grows.

    Returns the caption, which names the characters that no font here has.
    """
    caption = with_lacking(figure, title, caption)
    lines = textwrap.wrap(caption, _CAPTION_CHARACTERS) if footer else []
    titles = textwrap.wrap(title, _TITLE_CHARACTERS, break_on_hyphens=False)
    width, height = figure.get_size_inches()
    grown = height + 0.125 * len(lines) + 0.15 * len(titles)
    figure.set_size_inches(width, grown)
    heading = "\n".join(map(label, titles))
    figure.suptitle(heading, x=0.01, ha="left", fontsize=8, fontweight="bold", linespacing=1.05)
    if lines:
        text = "\n".join(map(label, lines))
        figure.supxlabel(text, x=0.01, ha="left", fontsize=7, color=MUTED, linespacing=1.15)
    # Ticks depend on the layout and the layout on ticks; frozen, it is the same in every format.
    engine: Any = figure.get_layout_engine()
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:  # the solver's last bits follow from addresses in memory
        left, bottom, width, height = axes.get_position(original=True).bounds
        axes.set_position((round(left, 6), round(bottom, 6), round(width, 6), round(height, 6)))
    return caption


def measured_on(results: StudyResults, selection: Selection | None, metric: str = "") -> str:
    """Data set, profile, epochs, overrides and seeds: what a figure must not be shown without.

    Without a selection the figure shows all epochs.
    """
    plan = results.plan
    words = [f"Data set {plan.data}"] if plan.data else []
    words.append(f"profile {plan.profile}")
    if "epochs" in plan.baseline:
        epochs = plan.baseline["epochs"]
        words.append(f"{format_value(epochs)} epoch{'s' * (epochs != 1)}")
    words += [f"{key} = {format_value(value)}" for key, value in other_overrides(plan).items()]
    if selection is not None:
        words.append(value_text(results, selection, metric))
    plural = "s" if len(plan.seeds) > 1 else ""
    words.append(f"seed{plural} {', '.join(map(str, plan.seeds))}")
    return "; ".join(words) + "."


def quantity(metric: Metric) -> str:
    """The metric's label without its unit, to stand inside a sentence."""
    name = metric.label.removesuffix(f" ({metric.unit})")
    return name if name[1:2] in ("_", "\u0303") or not name[:1].isalpha() else _lower(name)


def label(text: str) -> str:
    """Any text for matplotlib: L_pred, L̃_pred, λ, τ and "N = 512" as a paper sets them.

    Mathematics has one font: a text with characters that this one lacks is set without it.
    """
    clean = "".join(c for c in unicodedata.normalize("NFC", text) if c.isprintable() or c == " ")
    if not in_first_font(clean):
        return clean.replace("$", r"\$")
    return "".join(
        _symbol(piece) if isinstance(piece, Symbol) else _plain(piece) for piece in split(clean)
    )


def wrapped(text: str, characters: int, most: int = 3) -> str:
    """A label on at most `most` lines, an equation on one of them."""
    whole = text.replace(" = ", "\u00a0=\u00a0")
    lines = [
        line.replace("\u00a0", " ")
        for line in textwrap.wrap(whole, characters, break_on_hyphens=False)
    ] or [""]
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: characters - 1] + "…"]
    return "\n".join(map(label, lines))


def content(figure: Figure, format: str) -> bytes:  # noqa: A002
    """The figure as "pdf", "png" or "svg"; the same figure gives the same bytes."""
    metadata: dict[str, dict[str, str | None]] = {
        "pdf": {"CreationDate": None, "Creator": "ablate", "Producer": "matplotlib"},
        "png": {"Software": "ablate"},
        "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    }
    stream = io.BytesIO()
    with style():
        if format == "svg":
            from matplotlib.backends.backend_svg import FigureCanvasSVG

            # `savefig` would lay out all text once more before it draws.
            canvas: Any = FigureCanvasSVG(figure)
            canvas.print_svg(stream, metadata=metadata["svg"])
        else:
            figure.savefig(stream, format=format, metadata=metadata[format], facecolor="white")
    return stream.getvalue()


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value, with a little room; never an empty range."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or max(abs(high), 1.0) * 0.01
    return low - room, high + room


def _symbol(symbol: Symbol) -> str:
    if not (symbol.letter.isascii() or symbol.letter in _GREEK_LETTERS):
        return _plain(f"{symbol.letter}_{symbol.subscript}")
    letter = rf"\tilde{{{symbol.letter}}}" if symbol.tilde else symbol.letter
    return rf"${letter}_{{\mathrm{{{symbol.subscript}}}}}$"


def _plain(text: str) -> str:
    """Text between symbols; a dollar or a backslash of its own must not start mathematics."""
    inert = text.replace("\\", "∖").replace("$", r"\$")
    return _LONE_LETTER.sub(r"$\1$", _GREEK.sub(r"$\1$", inert))


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
