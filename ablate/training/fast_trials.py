"""What trials of the fast path found, remembered for each user: never in a results folder.

A trial counts for the same job with any seed, on the same kind of GPU, driver, libraries and code.
One that did not return, since a driver took the process with it, counts as a failure: the next
attempt takes plain steps instead of dying at the same place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ablate.methods.file_digests import cache_folder
from ablate.methods.session import JobConfig
from ablate.training.device_setup import facts

_TRYING = "trying"  #: stands in the file of a trial until it returns
_NO_RETURN = "plain steps: an earlier trial of the fast path ended its process"


@dataclass(frozen=True)
class TrialFinding:
    """What a trial found."""

    fast: bool  #: the fast path may be taken
    words: str  #: for the log and the facts of the attempt


class FastPathTrial:
    """The trial of one kind of job on one kind of machine; nobody else tries it meanwhile."""

    def __init__(self, descriptor: int | None) -> None:
        """Take up the file that is open, locked; without one nothing is remembered."""
        self._descriptor = descriptor
        text = os.pread(descriptor, 2**16, 0).decode(errors="replace") if descriptor else ""
        self.earlier = _read(text)  #: what an earlier trial found
        if self.earlier is None:
            self._write(_TRYING)

    def end(self, found: TrialFinding | None) -> None:
        """Remember what was found; None where another trial may find something else."""
        self._write("" if found is None else json.dumps(asdict(found)))

    def _write(self, text: str) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)


def _read(text: str) -> TrialFinding | None:
    if text == _TRYING:
        return TrialFinding(fast=False, words=_NO_RETURN)
    try:
        return TrialFinding(**json.loads(text))
    except (ValueError, TypeError):
        return None


@contextlib.contextmanager
def trial(kind: str) -> Iterator[FastPathTrial]:
    """The trial of a kind; waits for another process that is at it."""
    descriptor = None
    try:
        folder = cache_folder() / "fast-paths"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{kind}.json", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except (OSError, RuntimeError):  # no home, a full disk, no locks: nothing is remembered
        if descriptor is not None:
            os.close(descriptor)
        descriptor = None
    try:
        yield FastPathTrial(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def kind_of(config: JobConfig, device: torch.device) -> str:
    """Names all that decides what a trial finds: the job but for its seed, machine, libraries."""
    job = {**vars(config), "seed": 0, "upstream": sorted(config.upstream)}
    machine = {**facts(device), "driver": _driver()}
    content = json.dumps([job, machine], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _driver() -> str:
    """Version of NVIDIA's driver as the kernel tells it; "" where it does not."""
    try:
        return Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return ""
