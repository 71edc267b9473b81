"""What `import ablate` offers to notebooks and scripts: studies, runs and results in a few names.

import ablate

matrix = ablate.expand("studies/lpred_symmetry.toml", profile="quick")
ablate.run(matrix)
with ablate.open_results() as results:
    results.frame()                        # a row per study, job and metric
    print(results.table("lpred_symmetry"))
    results.numbers("lpred_symmetry")      # what the tables say, as plain types
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ablate.errors import InputError, Problem
from ablate.matrix.plan import Matrix
from ablate.methods.method import Method
from ablate.methods.metrics import Better, Metric
from ablate.methods.parts import Choice, Part, Range, Value
from ablate.study.parse import Study
from ablate.study.parse import read_study as read_study_file
from ablate.study.settings import Settings, find_settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from ablate.execute.summary import Summary
    from ablate.store.index import Index

__all__ = [
    "Better",
    "Choice",
    "Method",
    "Metric",
    "Part",
    "Range",
    "Results",
    "expand",
    "open_results",
    "read_study",
    "run",
]


def read_study(path: str | Path) -> Study:
    """Read a study file; what is wrong with it is in `.problems`, or told by `expand`.

    >>> ablate.read_study("studies/lpred_symmetry.toml").file.title

    Raises:
        InputError: there is no such file, it is no TOML, or it names no method.
    """
    return read_study_file(Path(path))


def expand(
    study: str | Path | Study,
    profile: str | None = None,
    *,
    overrides: Mapping[str, Value] | None = None,
    seeds: Sequence[int] | None = None,
    settings: str | Path | None = None,
) -> Matrix:
    """All jobs of a study under a profile of ablate.toml.

    >>> matrix = ablate.expand("studies/tau.toml", "quick", overrides={"epochs": 2}, seeds=range(5))
    >>> len(matrix.configs), matrix.plan.pairs

    `settings` is the ablate.toml to use; without it, the one above the working directory or above
    the study.

    Raises:
        InputError: with every problem of the study, the profile and the overrides.
    """
    from ablate.matrix.expand import expand as expand_study

    read = study if isinstance(study, Study) else read_study(study)
    chosen = _settings(settings, read.path.parent)
    name = chosen.profile if profile is None else profile
    return expand_study(read, chosen, name, overrides, None if seeds is None else list(seeds))


def run(
    matrix: Matrix, results: str | Path | None = None, *, settings: str | Path | None = None
) -> Summary:
    """Carry out what is left of a study; the same call goes on where it was interrupted.

    >>> summary = ablate.run(matrix, "results")

    Raises:
        InputError: a device of ablate.toml is not there.
        BusyError: another run holds the results folder.
        StoreError: the results folder cannot be used.
    """
    from ablate.execute.display import Silent
    from ablate.execute.run_study import run_study

    chosen = _settings(settings, Path())
    folder = chosen.path(chosen.results) if results is None else Path(results)
    return run_study(matrix, folder, chosen, Silent())


def open_results(
    results: str | Path | None = None, *, settings: str | Path | None = None
) -> Results:
    """Open a results folder for reading, which never writes into it.

    >>> with ablate.open_results("results") as results:
    ...     results.studies()

    Raises:
        InputError: there is no such folder.
        StoreError: it cannot be read.
    """
    from ablate.store.index import Index

    if results is None:
        chosen = _settings(settings, Path())
        results = chosen.path(chosen.results)
    folder = Path(results)
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "", "no such results folder", "ablate.run makes it"))
    return Results(Index.open(folder))


class Results:
    """An open results folder: its studies, their records, frames, tables and numbers."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._index.close()

    def studies(self) -> list[str]:
        """Keys of all studies that ran here: name, profile, and a digest of their settings."""
        from ablate.store.query import studies

        return [summary.plan.key for summary in studies(self._index)]

    def records(self, study: str | None = None) -> list[dict[str, Any]]:
        """A record per job: id, studies, variant, pair, seed, status, metrics and more."""
        from ablate.store.study_records import export

        return export(self._index, study)

    def frame(self, study: str | None = None) -> pd.DataFrame:
        """A row per study, job and metric, for pandas.

        >>> results.frame().query("metric == 'top1'").groupby("variant").value.mean()
        """
        from ablate.report.exports.frame import frame

        return frame(self.records(study))

    def table(
        self, study: str, metric: str | None = None, *, style: str = "markdown", epoch: str = "last"
    ) -> str:
        """The study's tables as text: "terminal", "markdown", "latex", "csv", "json" or "html".

        >>> print(results.table("lpred_symmetry", style="latex"))

        Raises:
            InputError: no study of that name ran here, or it has no such metric.
        """
        from ablate.report import render, study_tables
        from ablate.report.choices import Selection
        from ablate.store.study_records import study_results

        found = study_results(self._index, self._index.find_study(study))
        return render(study_tables(found, metric, Selection(epoch)), style)

    def numbers(self, study: str, metric: str | None = None, *, epoch: str = "last") -> Any:
        """What `ablate report --format json` prints: means, differences, intervals and verdicts.

        >>> results.numbers("lpred_symmetry")
        """
        import json

        return json.loads(self.table(study, metric, style="json", epoch=epoch))


def _settings(path: str | Path | None, *starts: Path) -> Settings:
    return load_settings(Path(path) if path is not None else find_settings(Path(), *starts))
