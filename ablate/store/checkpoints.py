"""Checkpoints of one job: whole, checked by content, and always one more than needed.

A file's name carries its global step and the start of its content's SHA-256, so a truncated or
rotten checkpoint is found out before anything of it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ablate.store.files import CORRUPT, atomic_write, remove_temporaries

KEPT = 2  #: the newest, and one to fall back on

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
    it (a full disk: ENOSPC); the checkpoints from before are then untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder)  # of writers that were killed, so they don't fill the disk
    path = folder / f"step-{step:09d}-{_digest(payload)}.ckpt"
    atomic_write(path, payload)
    older = [found for found in _newest_first(folder) if found != path]
    for outdated in older[KEPT - 1 :]:
        with contextlib.suppress(OSError):  # one too many does no harm
            outdated.unlink()
    return path


def newest(folder: Path) -> tuple[Checkpoint | None, tuple[Path, ...]]:
    """Find the newest sound checkpoint, and name the corrupt ones that were passed over.

    Corrupt files are renamed to end in ".corrupt", so that each is reported once and none takes
    the place of a sound one.
    """
    rejected: list[Path] = []
    for path in _newest_first(folder):
        step, digest = _parsed(path)
        try:
            payload = path.read_bytes()
        except FileNotFoundError:  # pruned while we looked
            continue
        except OSError:  # perhaps only for now, so it keeps its name
            rejected.append(path)
            continue
        if _digest(payload) == digest:
            return Checkpoint(step, payload, path), tuple(rejected)
        rejected.append(_set_aside(path))
    return None, tuple(rejected)


def remove_all(folder: Path) -> None:
    """Remove every checkpoint of a job that ended, sound or not; the folder stays.

    What cannot be removed now does no harm, and is tried again by the next run.
    """
    with contextlib.suppress(OSError):
        remove_temporaries(folder)
        for path in [*folder.glob("step-*.ckpt"), *folder.glob(f"step-*{CORRUPT}")]:
            with contextlib.suppress(OSError):
                path.unlink()


def _newest_first(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step-*.ckpt") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (_parsed(path)[0], path.name), reverse=True)


def _parsed(path: Path) -> tuple[int, str]:
    match = _NAME.fullmatch(path.name)
    assert match, path
    return int(match[1]), match[2]


def _set_aside(path: Path) -> Path:
    aside = path.with_name(path.name + CORRUPT)
    try:
        return path.replace(aside)
    except OSError:  # a folder that cannot be written to: report it all the same
        return path


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]
