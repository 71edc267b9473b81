"""`ablate import`: from a plan in prose to study files."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    complain,
    guarded,
    method_named,
    print_json,
    tell,
)
from ablate.cli.imported import Imported, StudyCheck
from ablate.errors import InputError

if TYPE_CHECKING:
    from ablate.study.plan_document import PlanDocument
    from ablate.study.plan_files import StudyDraft

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
    replaces: Annotated[
        bool,
        typer.Option("--replace", help="Write anew what an earlier import wrote, edited or not."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Turn plan documents into study files, one per ablation.

    Example: ablate import plan.md --to studies

    With --json and without --to nothing is written. Exit code 1: something stayed open, or
    cannot run under the profile of ablate.toml.
    """
    from ablate.study.plan_files import write

    folder, writes = to or Path(), to is not None or not as_json
    found, failed = _read(documents)
    if failed and writes:
        raise InputError(problem for error in failed for problem in error.problems)
    check = StudyCheck.of(folder)
    paths, drafts = _place(found, method, folder, replaces=replaces)
    imported = [Imported(draft, *check.accepted(draft)) for draft in drafts]
    if writes:
        write(drafts)
    _tell_notes(found, method)
    if as_json:
        print_json([one.to_json(path) for one, path in zip(imported, paths, strict=True)])
    for line in [] if as_json else _lines(imported, check):
        tell(line)
    for error in failed:
        complain(error)
    raise typer.Exit(2 if failed else int(not all(one.is_ready for one in imported)))


def _tell_notes(found: Iterable[tuple[PlanDocument, Path]], method: str | None) -> None:
    """What was assumed, and what of each document was passed over."""
    if method is None:
        tell(f"assumed: the plans are about {_DEFAULT_METHOD}; --method names another", err=True)
    for document, _ in found:
        for note in document.notes:
            tell(f"{document.name}: {note}", err=True)


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
    found: Iterable[tuple[PlanDocument, Path]], name: str | None, folder: Path, *, replaces: bool
) -> tuple[list[Path], list[StudyDraft]]:
    """The document of each ablation, and its study, looked up."""
    from ablate.study.plan_files import place
    from ablate.study.plan_matching import Vocabulary
    from ablate.study.plan_study import look_up

    vocabulary = Vocabulary.of(method_named(name or _DEFAULT_METHOD, "--method"))
    paths, studies = [], []
    for document, path in found:
        for ablation in document.ablations:
            paths.append(path)
            studies.append(look_up(document, ablation, vocabulary))
    return paths, place(studies, folder, replaces=replaces)


def _lines(imported: Sequence[Imported], check: StudyCheck) -> Iterable[str]:
    """What was written, how each ablation was understood, and what is to be decided."""
    for one in imported:
        yield one.headline
        yield from one.details
        if one.problems:
            yield from (f"  refused under profile {check.profile}: {p}" for p in one.problems)
    begin = "" if check.settings else "`ablate init`, then "
    ready = next((one for one in imported if one.is_ready), None)
    if ready is not None:
        yield f"next: {begin}`ablate run {shlex.quote(str(ready.draft.path))}`"
        return
    other = next((one for one in imported if one.other_profile), None)
    if other is not None:
        path = shlex.quote(str(other.draft.path))
        yield f"next: `ablate run {path} --profile {shlex.quote(other.other_profile)}`"
