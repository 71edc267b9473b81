"""Pages and figures as files: what `ablate report --html` and `--figures` write."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import StoreError
from ablate.methods.metrics import Metric
from ablate.report.analysis import metric_of, plan_metrics
from ablate.report.filenames import safe_name
from ablate.report.table import Selection
from ablate.store.files import atomic_write
from ablate.store.results import StudyResults

if TYPE_CHECKING:
    import pandas as pd

    from ablate.store.index import Index


def write_pages(
    index: Index,
    studies: Sequence[StudyResults],
    file: Path,
    metric: str | None = None,
    selection: str = "last",
) -> list[Path]:
    """Write a page per study; returns the paths.

    One study's page is `file` itself, those of several are named after it and the study. Raises
    StoreError if a file cannot be written, InputError for a metric that a study does not have.
    """
    from ablate.report.page import page
    from ablate.store.query import job_states

    paths = []
    for results, name in zip(studies, _names(studies), strict=True):
        path = file if len(studies) == 1 else file.with_name(f"{file.stem}-{name}{file.suffix}")
        with _collector_paused():
            text = page(
                results,
                job_states(index, results.plan.key),
                _curves(index, results, metric),
                _metrics(results, metric),
                Selection(selection),
            )
        write_text(path, text)
        paths.append(path)
    return paths


def write_all_figures(
    index: Index,
    studies: Sequence[StudyResults],
    folder: Path,
    metric: str | None = None,
    selection: str = "last",
) -> list[Path]:
    """Write the figures of each study, named after it, as PDF and PNG; returns the paths.

    Raises as `write_pages`.
    """
    from ablate.report.figures import figures, write_figures

    paths: list[Path] = []
    for results, name in zip(studies, _names(studies), strict=True):
        curves = _curves(index, results, metric)
        drawn = figures(results, curves, _metrics(results, metric), Selection(selection))
        paths += write_figures(drawn, folder, name)
    return paths


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, and its folder if need be; StoreError if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No garbage collection while a page is made: it takes a seventh of the time for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _metrics(results: StudyResults, metric: str | None) -> tuple[Metric, ...] | None:
    return None if metric is None else (metric_of(results.plan, metric),)


def _curves(index: Index, results: StudyResults, metric: str | None) -> pd.DataFrame:
    from ablate.store.query import curves

    wanted = _metrics(results, metric) or plan_metrics(results.plan)
    return curves(index, results.plan.key, [one.name for one in wanted if not one.cost])


def _names(studies: Sequence[StudyResults]) -> list[str]:
    """A name for the files of each study: its own, or its key where several share the name.

    A paper includes figures by name, so the name does not change with the code's digest.
    """
    names = [safe_name(results.plan.name) for results in studies]
    return [
        name if names.count(name) == 1 else safe_name(results.plan.key, 100)
        for name, results in zip(names, studies, strict=True)
    ]
