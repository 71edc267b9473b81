"""`ablate import`: from a plan in prose to study files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import DebugOption, JsonOption, complain, guarded, method_named, tell
from ablate.errors import InputError

if TYPE_CHECKING:
    from ablate.study.plan_document import PlanDocument
    from ablate.study.plan_writing import StudyDraft

_DEFAULT_METHOD = "cocord"


@guarded
def import_plan(
    documents: Annotated[
        list[Path],
        typer.Argument(metavar="DOC...", help="Plan documents: Markdown, JSON or JSON Lines."),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Folder for the study files.")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", help="Method that the plans are about."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Turn plan documents into study files, one per ablation.

    Example: ablate import plan.md --to studies

    With --json and without --to nothing is written. Exit code 1: something stayed open.
    """
    folder, writes = to or Path(), to is not None or not as_json
    found, failed = _read(documents)
    if failed and writes:
        raise InputError(problem for error in failed for problem in error.problems)
    placed = _place(found, method, folder)
    drafts = [draft for _, draft in placed]
    if writes:
        from ablate.study.plan_writing import write

        write(drafts)
    if method is None:
        tell(f"assumed: the plans are about {_DEFAULT_METHOD}; --method names another", err=True)
    for document, _ in found:
        for note in document.notes:
            tell(f"{document.name}: {note}", err=True)
    if as_json:
        records = [draft.study.to_json(path, draft.path) for path, draft in placed]
        typer.echo(json.dumps(records, indent=2))
    else:
        for line in _lines(drafts):
            tell(line)
    for error in failed:
        complain(error)
    raise typer.Exit(2 if failed else int(any(draft.study.open for draft in drafts)))


def _read(
    documents: Iterable[Path],
) -> tuple[list[tuple[PlanDocument, Path]], list[InputError]]:
    from ablate.study.plan_document import read_plan

    found, failed = [], []
    for path in documents:
        try:
            found.append((read_plan(path), path))
        except InputError as error:
            failed.append(error)
    return found, failed


def _place(
    found: Iterable[tuple[PlanDocument, Path]], name: str | None, folder: Path
) -> list[tuple[Path, StudyDraft]]:
    """Each ablation, looked up, with the path of its document."""
    from ablate.study.plan_matching import Vocabulary
    from ablate.study.plan_study import look_up
    from ablate.study.plan_writing import place

    vocabulary = Vocabulary.of(method_named(name or _DEFAULT_METHOD, "--method"))
    paths, studies = [], []
    for document, path in found:
        for ablation in document.ablations:
            paths.append(path)
            studies.append(look_up(document, ablation, vocabulary))
    return list(zip(paths, place(studies, folder), strict=True))


def _lines(drafts: Iterable[StudyDraft]) -> Iterable[str]:
    """What was written, how each ablation was understood, and what is to be decided."""
    ready = []
    for draft in drafts:
        study = draft.study
        yield f"{draft.path}{' (was there already)' if draft.exists else ''}"
        if study.part is not None:
            values = [v for v in study.values if v is not None]
            changes = ", ".join(study.part.describe(value) for value in values)
            yield f"  {study.part.name}: {changes or study.ablation.action.upper()}"
        yield from (f"  assumed: {text}" for text in study.assumed)
        yield from (f"  open: {sentence}" for sentence in study.open)
        ready += [] if study.open else [draft.path]
    if ready:
        yield f"next: `ablate run {ready[0]}`"
