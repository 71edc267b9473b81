"""Where the jobs of a run go: to processes of this machine, or to a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ablate.execute.launch.base import Launcher
from ablate.execute.launch.devices import find_devices
from ablate.execute.launch.local import LocalLauncher
from ablate.execute.launch.slurm import FOLDER, SlurmLauncher
from ablate.execute.launch.slurm_checks import check_cluster
from ablate.execute.launch.slurm_client import SlurmClient
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.study.settings import Settings


def choose_devices(settings: Settings, results: Path) -> list[DeviceCapacity]:
    """What jobs can be placed on, as ablate.toml says; a cluster is one place with many slots.

    Raises InputError for what is not there, or what a cluster would refuse, and LauncherSilent
    where a cluster does not answer.
    """
    if settings.executor.kind == "local":
        return find_devices(settings.execution)
    slurm = settings.executor.slurm
    check_cluster(settings, SlurmClient(), results / FOLDER)
    return [DeviceCapacity("cuda" if slurm.has_gpu else "cpu", slots=slurm.max_submitted)]


def choose_launcher(settings: Settings, results: Path, preload: Iterable[str]) -> Launcher:
    """What starts attempts; `preload`: modules that workers of this machine will need."""
    if settings.executor.kind == "local":
        return LocalLauncher(preload)
    return SlurmLauncher(settings.executor.slurm, results)
