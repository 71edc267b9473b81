"""The suite mirrors the package: tests of `ablate/<room>/<module>.py` are in `tests/<room>/`.

Helpers are modules of these packages; a process that imports them starts in the repository.
"""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
