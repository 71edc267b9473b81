"""The version of the format on disk: format.json in every results folder.

Version 1: typed events, results with checksums and digests of artifacts, looks, leases. Folders of
earlier code have no such file; their event logs and results have other fields, so they are refused
and never half read.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from ablate.errors import InputError, Problem, StoreError
from ablate.store import values
from ablate.store.folders import Folder

FORMAT = 1
FILE = "format.json"
DATABASE = "ablate.db"  #: the index, which can be made anew
_MOST_BYTES = 4096

#: What a results folder holds besides its index: folder -> names in it. A project has `studies`,
#: too, of TOML files, and may have `runs` of other tools.
_CONTENTS = {
    "runs": re.compile(r"[0-9a-f]{8,}"),
    "studies": re.compile(r"[^.].*-[0-9a-f]{4,}\.json"),
}


def check_format(results: Path) -> None:
    """Raise StoreError for a results folder in another format; a new or missing one is fine."""
    try:
        found = json.loads(Folder(results).read(FILE, most_bytes=_MOST_BYTES))
        version = found["format"]
    except FileNotFoundError:
        if holds_results(results):
            raise StoreError(_earlier(results)) from None
        return
    except OSError as error:
        raise StoreError(f"{results / FILE}: {error.strerror}") from error
    except values.MISSHAPEN:
        version = None
    if type(version) is not int or version < 1:
        raise StoreError(f'{results / FILE}: damaged; it should say {{"format": {FORMAT}}}')
    if version != FORMAT:
        raise StoreError(
            f"{results}: written in format {version} by a newer ablate; this one reads "
            f"format {FORMAT}: update ablate, or use another folder (--results)"
        )


def write_format(results: Path) -> None:
    """Mark a folder in which nothing was run yet; OSError as the system gives it."""
    if not (results / FILE).exists() and not holds_results(results):
        folder = Folder(results)
        folder.make()
        folder.write(FILE, json.dumps({"format": FORMAT}).encode() + b"\n")


def holds_results(folder: Path) -> bool:
    """Whether something was run in a folder, by any ablate."""
    return (folder / DATABASE).exists() or any(
        _has(folder / name, pattern) for name, pattern in _CONTENTS.items()
    )


def _has(folder: Path, pattern: re.Pattern[str]) -> bool:
    with suppress(OSError):
        return any(map(pattern.fullmatch, Folder(folder, depth=1).names()))
    return False


def refuse_parent(folder: Path) -> None:
    """Raise InputError for a folder without results whose results lie in a folder below it."""
    if not (folder / FILE).exists() and not holds_results(folder):
        for pattern in (f"*/{FILE}", f"*/*/{FILE}"):
            below = next(filter(holds_results, map(_parent, sorted(folder.glob(pattern)))), None)
            if below is not None:
                message = "nothing has been run here"
                raise InputError(Problem(str(folder), "", message, f"did you mean {below}?"))


def _parent(file: Path) -> Path:
    return file.parent


def _earlier(results: Path) -> str:
    return (
        f"{results}: written by an earlier ablate (it has no {FILE}), in a format that this one "
        "does not read; use another folder (--results)"
    )
