"""Which characters the fonts of figures have, and which text would lose some.

The first three families come with matplotlib, so that the same data give the same file on every
machine; those of other scripts are the machine's own, and only text that needs them sees them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WITH_MATPLOTLIB = ("STIXGeneral", "DejaVu Serif", "DejaVu Sans")
#: Names of font files.
_OTHER_SCRIPTS = (
    "NotoSerifCJK-Regular", "NotoSansCJK-Regular", "SourceHanSerif-Regular", "wqy-zenhei",
    "ipaexm", "PingFang", "Hiragino Sans GB", "NotoSansArabic-Regular", "NotoSansHebrew-Regular",
    "NotoSansDevanagari-Regular", "NotoSansThai-Regular", "Arial Unicode",
)  # fmt: skip
_MOST_NAMED = 12


@cache
def font_families() -> tuple[str, ...]:
    """Families of figures, the first for all that it has; those of this machine come last."""
    from matplotlib.font_manager import findSystemFonts, fontManager, get_font

    # Not from matplotlib's list of fonts: it may be older than a font.
    files = {Path(path).stem: path for path in sorted(findSystemFonts())}
    here = []
    for path in (files[name] for name in _OTHER_SCRIPTS if name in files):
        fontManager.addfont(path)
        here.append(get_font(path).family_name)
    return (*_WITH_MATPLOTLIB, *here)


def in_first_font(text: str) -> bool:
    """Whether the font of mathematics has every character, or the text is ASCII."""
    return text.isascii() or all(ord(one) in _characters(_WITH_MATPLOTLIB[0]) for one in text)


def with_lacking(figure: Figure, title: str, caption: str) -> str:
    """The caption, and a sentence on the characters of the figure that no font here has."""
    from matplotlib.text import Text

    shown = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    used = dict.fromkeys(one for text in (title, caption, *shown) for one in text)
    lacking = [one for one in used if one.isprintable() and not _has(one)]
    if not lacking:
        return caption
    codes = ", ".join(f"U+{ord(one):04X}" for one in lacking[:_MOST_NAMED])
    more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    return f"{caption} Boxes stand for characters that no font here has: {codes}{more}."


def _has(character: str) -> bool:
    return character.isascii() or any(
        ord(character) in _characters(family) for family in font_families()
    )


@cache
def _characters(family: str) -> frozenset[int]:
    """Code points that a family has."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(family)).get_charmap())
