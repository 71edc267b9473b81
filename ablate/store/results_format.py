"""The version of the format on disk: format.json in every results folder.

Version 1: typed events, results with checksums and digests of artifacts, looks, leases. Folders of
earlier code have no such file; their event logs and results have other fields, so they are refused
and never half read.
"""

from __future__ import annotations

import json
from pathlib import Path

from ablate.errors import StoreError
from ablate.store import values
from ablate.store.folders import Folder

FORMAT = 1
FILE = "format.json"
_CONTENTS = ("runs", "studies", "ablate.db")
_MOST_BYTES = 4096


def check_format(results: Path) -> None:
    """Raise StoreError for a results folder in another format; a new or missing one is fine."""
    try:
        found = json.loads(Folder(results).read(FILE, most_bytes=_MOST_BYTES))
        version = found["format"]
    except FileNotFoundError:
        if not _is_new(results):
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
    if _is_new(results) and not (results / FILE).exists():
        folder = Folder(results)
        folder.make()
        folder.write(FILE, json.dumps({"format": FORMAT}).encode() + b"\n")


def _is_new(results: Path) -> bool:
    return not any((results / name).exists() for name in _CONTENTS)


def _earlier(results: Path) -> str:
    return (
        f"{results}: written by an earlier ablate (it has no {FILE}), in a format that this one "
        "does not read; use another folder (--results)"
    )
