"""Cancel attempts that outlive their orchestrator, as those on a cluster do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ablate.execute.launch.base import Launcher, read_handle
from ablate.store.rundir import RunDirectory


def cancel_attempts(jobs: Iterable[str], results: Path, launcher: Launcher) -> int:
    """Cancel the attempts of some jobs; returns how many there were.

    A handle is a note in a results folder: the launcher cancels only what its own place confirms
    to be that attempt. Raises LauncherSilent where nobody can tell.
    """
    handles = [read_handle(RunDirectory.of(results, job).path) for job in jobs]
    ours = [handle for handle in handles if handle and handle.launcher == launcher.name]
    found = launcher.find(ours) if ours else []
    launcher.kill(found)
    return len(found)
