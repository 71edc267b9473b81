"""What a reader of a report chooses: format, epoch, length of the notes, and LaTeX engine.

Importing this loads nothing else, since `ablate report` declares its options from it.
"""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What a table can be printed as."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class Selection(StrEnum):
    """Which epoch's result a table shows."""

    LAST = "last"
    BEST = "best"  #: on the validation split; without one on the test set, which is optimistic


class Notes(StrEnum):
    """How much is said below a table."""

    SHORT = "short"  #: at most four lines
    FULL = "full"


class Engine(StrEnum):
    """What compiles LaTeX."""

    PDFLATEX = "pdflatex"  #: other scripts are printed as code points
    LUALATEX = "lualatex"  #: other scripts pass through; the document's font must have them
