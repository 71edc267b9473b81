"""What the shell offers after the tab key: studies, parts, jobs and profiles.

A completion never fails: where nothing can be read, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path

_OTHERS = ("ablate.toml", "pyproject.toml")
_MOST_JOBS = 200  #: that a shell lists without asking


def _offers(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    @wraps(names)
    def complete(incomplete: str) -> list[str]:
        with suppress(Exception):
            return [name for name in names() if name.startswith(incomplete)]
        return []

    del complete.__wrapped__  # typer looks at the parameters of what it calls
    complete.__annotations__ = {"incomplete": str, "return": list[str]}
    return complete


@_offers
def study_files() -> Iterator[str]:
    """Study files of this folder and of studies/."""
    for folder in (Path(), Path("studies")):
        yield from (str(path) for path in sorted(folder.glob("*.toml")) if path.name not in _OTHERS)


@_offers
def study_names() -> Iterator[str]:
    """Names of studies that have results, and of study files."""
    from ablate.cli.common import results_folder
    from ablate.store import query
    from ablate.store.index import Index

    with suppress(Exception), Index.open(results_folder(None)) as index:
        yield from dict.fromkeys(summary.plan.name for summary in query.studies(index))
    yield from study_files("")


@_offers
def jobs() -> Iterator[str]:
    """Short ids of jobs."""
    from ablate.cli.common import results_folder
    from ablate.matrix.identity import short

    runs = results_folder(None) / "runs"
    yield from (short(path.name) for path in sorted(runs.glob("*/"))[:_MOST_JOBS])


@_offers
def profiles() -> Iterator[str]:
    """Profiles of ablate.toml."""
    from ablate.study.settings import find_settings, load_settings

    yield from load_settings(find_settings(Path())).profiles


@_offers
def methods() -> Iterator[str]:
    """Installed methods."""
    from ablate.methods.registry import installed

    yield from (method.name for method in installed())


@_offers
def parts() -> Iterator[str]:
    """Parts of all installed methods."""
    from ablate.methods.registry import installed

    yield from dict.fromkeys(part.name for method in installed() for part in method.parts)
