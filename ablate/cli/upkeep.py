"""`ablate forget`, `ablate clean` and `ablate merge`: keep a results folder tidy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ResultsOption,
    aimed,
    data_folder,
    existing_results,
    guarded,
    in_command,
    print_json,
    results_folder,
    tell,
)
from ablate.errors import InputError, Remedy

if TYPE_CHECKING:
    from ablate.store.tidying import Waste


@guarded
def forget(
    study: Annotated[str, typer.Argument(help="Name of a study, or its key.")],
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Forget a study that nobody wants any more; its jobs' results stay until `ablate clean`.

    Example: ablate forget tau
    """
    from ablate.store import tidying
    from ablate.store.index import Index
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.rebuild import check_results

    folder = existing_results(results)
    check_results(folder)
    with (
        FolderLock(orchestrator_lock(folder), "ablate forget"),
        Index.open(folder, writable=True) as index,
    ):
        keys = tidying.forget(index, study)
    if as_json:
        print_json({"forgotten": keys})
        return
    for key in keys:
        lists = f"forgot {key}; `{Remedy('clean')}` lists what no study needs any more"
        tell(aimed(lists, folder))


@guarded
def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Remove it.")] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="Also decoded images in data_dir, which folders share.")
    ] = False,
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List what no study needs and how large it is; remove it with --yes.

    With --maps also image folders decoded into data_dir that no study of this results folder uses.
    Other results folders may share them; their next job decodes them again.

    Example: ablate clean --yes
    """
    from ablate.store import tidying
    from ablate.store.rebuild import check_results
    from ablate.store.results_format import check_format

    folder = existing_results(results)
    check_results(folder)
    check_format(folder)
    waste = tidying.find_waste(folder)
    unused = _unused_maps(folder, needed=maps)
    listed = waste + (unused if maps else [])
    if as_json:
        rows = [{"path": str(one.path), "what": one.what, "bytes": one.size} for one in listed]
        print_json(rows)
    else:
        for one in listed:
            tell(f"{_mib(one.size)}  {one.path}  ({one.what})")
    if yes and listed:
        _remove(folder, unused if maps else [])
    total = _mib(sum(one.size for one in listed)).strip()
    words = f"{total} in all" if listed else "nothing that no study needs"
    remedies = (Remedy("clean", ("--maps",) * maps + ("--yes",)),) if listed and not yes else ()
    done = "; removed" if listed and yes else "; to remove it" if remedies else ""
    tell(in_command(f"{words}{done}", remedies, folder), err=as_json)
    if unused and not maps:
        size = _mib(sum(one.size for one in unused)).strip()
        words = f"{size} of decoded images that no study of this results folder uses; to list them"
        tell(in_command(words, (Remedy("clean", ("--maps",)),), folder), err=as_json)


def _remove(results: Path, unused: Iterable[Waste]) -> None:
    """Remove what no study needs now that the folder is locked, and decoded images."""
    from ablate.store import tidying
    from ablate.store.index import Index
    from ablate.store.locks import FolderLock, orchestrator_lock

    with FolderLock(orchestrator_lock(results), "ablate clean"):
        for one in tidying.find_waste(results):
            tidying.remove(one, results)
        for one in unused:
            tidying.remove_map(one)
        Index.open(results, writable=True).close()


def _unused_maps(results: Path, *, needed: bool) -> list[Waste]:
    """Decoded images that no study here uses; InputError of ablate.toml only if they are needed."""
    from ablate.store import tidying

    try:
        return tidying.find_unused_maps(results, data_folder())
    except InputError:
        if needed:
            raise
    return []


def _mib(count: int) -> str:
    return f"{count / 2**20:10,.1f} MiB"


@guarded
def merge(
    other: Annotated[Path, typer.Argument(help="The other results folder.")],
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take over finished jobs, studies and looks of another results folder.

    Nothing here is overwritten, and nothing there is changed; a folder that is missing here is
    made. Exit code 1 if something was not taken over.

    Example: ablate merge /mnt/other/results
    """
    from ablate.store.index import make_folder
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.merging import merge_results
    from ablate.store.rebuild import check_results
    from ablate.store.results_format import check_format

    folder = results_folder(results)
    check_results(other)  # before the folder here is made, where there is none
    check_format(other)
    make_folder(folder)
    with FolderLock(orchestrator_lock(folder), "ablate merge"):
        merged = merge_results(folder, other)
    for sentence in merged.refused:
        tell(f"not taken over: {sentence}", err=True)
    if as_json:
        print_json(asdict(merged))
    else:
        tell(
            f"{folder}: {merged.jobs} jobs taken over, {merged.known} known already, "
            f"{merged.unfinished} not finished there, {merged.studies} studies added or extended"
        )
    raise typer.Exit(1 if merged.refused else 0)
