"""Figures for a page: small SVG images that need nothing from outside, for light and for dark."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from ablate.report.figures.draw import PlannedFigure
from ablate.report.figures.style import content

#: What the palette of `figures_style` becomes on a dark page. Cells of heat maps keep their
#: colours, and so does the text in them, which has colours of its own.
_DARK = {
    "#1b1b1b": "#e6e3dc",
    "#6a6a6a": "#a3a099",
    "#d4d4d4": "#3b3d42",
    "#ffffff": "#17191c",
    "#0a4c86": "#63b4ea",
    "#d9661f": "#f0904f",
    "#b84a08": "#e8853f",
    "#009e73": "#44cf9f",
    "#d08fb8": "#e0a3cb",
    "#e0a92c": "#f0c145",
}
_COLOUR = re.compile("|".join(_DARK))
_PLACES = re.compile(r' (?:d|x|y)="[^"]*"')
_LONG_NUMBER = re.compile(r"(\.\d\d)\d+")
_DISPENSABLE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.S)


@dataclass(frozen=True)
class Picture:
    """A figure as two data URIs, and what stands around it."""

    title: str
    caption: str  #: plain text
    light: str
    dark: str
    width: int  #: CSS pixels
    height: int


def picture(planned: PlannedFigure) -> Picture:
    """Draw the figure as SVG, its text as outlines, so that it looks the same on every machine."""
    drawn = planned.draw()
    width, height = drawn.figure.get_size_inches()
    text = _DISPENSABLE.sub("", content(drawn.figure, "svg").decode())
    small = _PLACES.sub(lambda m: _LONG_NUMBER.sub(r"\1", m[0]), re.sub(r">\s+<", "><", text))
    dark = _COLOUR.sub(lambda match: _DARK[match[0]], small)
    return Picture(
        drawn.title,
        drawn.caption,
        _uri(small.strip()),
        _uri(dark.strip()),
        round(96 * width),
        round(96 * height),
    )


def _uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
