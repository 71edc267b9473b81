"""Before a run: `ablate preview` tells what it would do and cost, `ablate schema` helps editors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    ProfileOption,
    ResultsOption,
    SeedsOption,
    SetOption,
    StudyArgument,
    aimed,
    guarded,
    print_json,
    results_folder,
    settings_for,
    tell,
)
from ablate.cli.study_options import StudyOptions
from ablate.console import json_text
from ablate.errors import Interrupted

if TYPE_CHECKING:
    from ablate.matrix.costs import PaidJob
    from ablate.matrix.plan import Matrix
    from ablate.study.settings import Settings

MeasureOption = Annotated[
    bool,
    typer.Option("--measure", help="Run a few steps of every row for its cost."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class SchemaOf(StrEnum):
    """Files that have a schema."""

    STUDY = "study"
    SETTINGS = "settings"


YesOption = Annotated[
    bool, typer.Option("--yes", help="Start without a question, however long the run may take.")
]

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would run, as ablate preview does, and stop.")
]


def announce(matrices: Sequence[Matrix], results: Path, settings: Settings, *, yes: bool) -> None:
    """Say what a run is about to do and cost; ask first where that is much or unknown.

    Nothing is said of studies that are done. A question is asked once per study, at a terminal
    only, and never where a study resumes.
    """
    from ablate.execute.earlier import is_done, preview_study
    from ablate.matrix.preview_words import short_preview

    for matrix in matrices:
        if is_done(matrix, results):
            continue
        found = preview_study(matrix, results, settings)
        with suppress(OSError):  # a reader that went away ends the words, not the run
            for line in short_preview(found):
                tell(aimed(line, results), err=True)
        if yes or not sys.stdin.isatty():
            continue
        if found.needs_consent(settings.execution.ask_above_hours) and not typer.confirm(
            f"Start {found.study}?", err=True
        ):
            raise typer.Exit(1)


@guarded
def preview(
    study: StudyArgument,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    measure: MeasureOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what a run would do and cost: every job, why it would run, time, memory and disk.

    Example: ablate preview studies/lpred_symmetry.toml
    """
    from ablate.execute.earlier import preview_study
    from ablate.matrix.preview_words import long_preview
    from ablate.study.parse import read_study

    settings = settings_for(study)
    options = StudyOptions.parse(settings, profile=profile, set_=set_, seeds=seeds)
    matrix = options.expand(read_study(study))
    folder = results_folder(results, settings)
    found = preview_study(matrix, folder, settings, _measured(matrix, settings) if measure else ())
    if as_json:
        print_json(found.to_json())
    else:
        tell(aimed("\n".join(long_preview(found)), folder), wrap=True)


def print_previews(
    matrices: Iterable[Matrix], results: Path, settings: Settings, *, as_json: bool
) -> None:
    """Print what a run would do with every job of some studies."""
    from ablate.execute.earlier import preview_study
    from ablate.matrix.preview_words import long_preview

    found = [preview_study(matrix, results, settings) for matrix in matrices]
    if as_json:
        print_json([one.to_json() for one in found])
    for one in () if as_json else found:
        tell(aimed("\n".join(long_preview(one)), results), wrap=True)


def _measured(matrix: Matrix, settings: Settings) -> tuple[PaidJob, ...]:
    """Costs of a few steps of each kind; Ctrl-C stops them and throws them away."""
    from ablate.cli.run import listening
    from ablate.execute.measure import measure
    from ablate.execute.stop import StopRequests

    stop = StopRequests()
    with listening(stop):
        costs = measure(matrix, settings, stop=stop)
    if stop.count:
        raise Interrupted("stopped before anything was measured")
    return costs


@guarded
def schema(
    what: Annotated[
        SchemaOf, typer.Argument(help="study: a study file; settings: ablate.toml.")
    ] = SchemaOf.STUDY,
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of study files or of ablate.toml, for editors.

    Example: ablate schema study > study.schema.json
    """
    from ablate.study.json_schema import settings_schema, study_schema

    chosen = study_schema() if what is SchemaOf.STUDY else settings_schema()
    typer.echo(json_text(chosen))
