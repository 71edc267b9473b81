"""Checkpoints of one job: whole, checked by content, and always one more than needed.

A file's name carries its global step and the start of its content's SHA-256, so a truncated or
rotten checkpoint is found out before anything of it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ablate.store.files import CORRUPT
from ablate.store.folders import MIB, Folder, NotPlainError

KEPT = 2  #: the newest, and one to fall back on
MOST_BYTES = 64 * 1024 * MIB  #: of a checkpoint
_DEPTH = 3  #: of a job's folder of checkpoints in a results folder

_OWN = "own"
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{16})\.ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose content was found to be what was saved."""

    step: int  #: global steps done
    payload: bytes
    path: Path


def save(folder: Path, step: int, payload: bytes) -> Path:
    """Write a checkpoint durably, then drop all but the last two.

    Only the process that holds the job's lock may call this. Raises OSError as the system gives
    it (a full disk: ENOSPC); the checkpoints from before are then untouched. Where the job's own
    folder is gone, because the results were moved, none is made in its place.
    """
    Folder(folder.parent, _DEPTH - 1).make_inside(folder.name)
    place = Folder(folder, _DEPTH)
    place.remove_temporaries()  # of writers that were killed, so they don't fill the disk
    name = f"step-{step:09d}-{_digest(payload)}.ckpt"
    place.write(name, payload)
    older = [found for found in _newest_first(place) if found != name]
    for outdated in older[KEPT - 1 :]:
        with contextlib.suppress(OSError):  # one too many does no harm
            place.remove(outdated)
    return folder / name


def newest(folder: Path) -> tuple[Checkpoint | None, tuple[Path, ...]]:
    """Find the newest sound checkpoint, and name the corrupt ones that were passed over.

    Corrupt files are renamed to end in ".corrupt", so that each is reported once and none takes
    the place of a sound one.
    """
    place = Folder(folder, _DEPTH)
    rejected: list[Path] = []
    for name in _newest_first(place):
        step, digest = _parsed(name)
        try:
            payload = place.read(name, most_bytes=MOST_BYTES)
        except FileNotFoundError:  # pruned while we looked
            continue
        except NotPlainError:
            rejected.append(_set_aside(place, name))
            continue
        except OSError:  # perhaps only for now, so it keeps its name
            rejected.append(folder / name)
            continue
        if _digest(payload) == digest:
            return Checkpoint(step, payload, folder / name), tuple(rejected)
        rejected.append(_set_aside(place, name))
    return None, tuple(rejected)


def own_folder(folder: Path) -> Path:
    """Make the folder in which a program keeps checkpoints by itself, beside those kept here."""
    place = Folder(folder / _OWN, _DEPTH + 1)
    place.make()
    return place.path


def remove_all(folder: Path) -> None:
    """Remove every checkpoint of a job that ended, sound or not; the folder stays.

    What cannot be removed now does no harm, and is tried again by the next run.
    """
    place = Folder(folder, _DEPTH)
    with contextlib.suppress(OSError):
        place.remove_temporaries()
        for name in place.names():
            if name.startswith("step-") and name.endswith((".ckpt", CORRUPT)):
                with contextlib.suppress(OSError):
                    place.remove(name)
        with place.opened() as descriptor:
            shutil.rmtree(_OWN, ignore_errors=True, dir_fd=descriptor)


def _newest_first(place: Folder) -> list[str]:
    try:
        found = [name for name in place.names() if _NAME.fullmatch(name)]
    except OSError:
        return []
    return sorted(found, key=lambda name: (_parsed(name)[0], name), reverse=True)


def _parsed(name: str) -> tuple[int, str]:
    match = _NAME.fullmatch(name)
    assert match, name
    return int(match[1]), match[2]


def _set_aside(place: Folder, name: str) -> Path:
    try:
        return place.rename(name, name + CORRUPT)
    except OSError:  # a folder that cannot be written to: report it all the same
        return place.path / name


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]
