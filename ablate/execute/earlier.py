"""Read what a preview needs from a results folder and this machine; never writes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ablate.errors import StoreError
from ablate.execute.launch.devices import find_devices
from ablate.execute.recovery import Past, read_past
from ablate.matrix.costs import Cost, PaidJob
from ablate.matrix.plan import Matrix
from ablate.matrix.preview import DevicesAtHand, Earlier, Preview, PreviewState, preview
from ablate.methods.lifecycle import JobStatus
from ablate.methods.session import JobConfig
from ablate.store.index import Index
from ablate.store.paid_jobs import EarlierJob, EarlierJobs, earlier_jobs
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Execution, Settings

_AT_WORK = (JobStatus.RUNNING, JobStatus.QUEUED)
_PACKED_SLOTS = 4  #: jobs at once that are reckoned with on a GPU that is packed by memory


def preview_study(
    matrix: Matrix, results: Path, settings: Settings, measured: Sequence[PaidJob] = ()
) -> Preview:
    """What `ablate run` would do with a study, and what that costs on this machine.

    `measured` are costs that count more than those of earlier runs.

    Raises:
        InputError: ablate.toml asks for a device that is not there.
    """
    earlier = read_earlier(matrix, results)
    if measured:
        earlier = replace(earlier, paid=measured)
    return preview(matrix, earlier, machine_at_hand(settings.execution))


def is_done(matrix: Matrix, results: Path) -> bool:
    """Whether every job of a study has a result, as far as a glance tells."""
    return all(RunDirectory.of(results, job).has_result_file() for job in matrix.configs)


def read_earlier(matrix: Matrix, results: Path) -> Earlier:
    """What the results folder knows of the study's jobs, and of jobs like them."""
    if not results.is_dir():
        return Earlier()
    past = read_past(matrix.configs, lambda job: RunDirectory.of(results, job))
    known = _from_index(results)
    configs: dict[str, JobConfig] = {}
    for job in known.jobs:
        try:
            configs[job.id] = RunDirectory.of(results, job.id).config()
        except StoreError:
            continue  # a damaged one tells nothing; the run says so
    paid = tuple(
        PaidJob(configs[job.id], _cost(results, job))
        for job in known.jobs
        if job.status is JobStatus.DONE and job.id in configs
    )
    at_work = {job.id for job in known.jobs if job.status in _AT_WORK}
    return Earlier(
        states=_states(matrix, past, at_work),
        configs=tuple(configs.values()),
        paid=paid,
        studies=known.studies,
        modules=known.modules,
        progress=_progress(matrix, past),
        gone=known.gone,
    )


def _from_index(results: Path) -> EarlierJobs:
    """Jobs of the index; none where it cannot be read, which hinders no run either."""
    try:
        with Index.open(results) as index:
            return earlier_jobs(index)
    except StoreError:
        return EarlierJobs()


def _states(matrix: Matrix, past: Past, at_work: set[str]) -> dict[str, PreviewState]:
    """States of jobs as a run that starts now would find them."""
    states: dict[str, PreviewState] = {}
    saved = past.saved()
    for job in matrix.configs:
        if job in past.done:
            states[job] = PreviewState.DONE
        elif job in past.failed:
            states[job] = PreviewState.FAILED
        elif job in past.resumable and job in at_work:
            states[job] = PreviewState.QUEUED
        elif job in saved:
            states[job] = PreviewState.RESUMABLE
    return states


def _progress(matrix: Matrix, past: Past) -> Mapping[str, float]:
    """Share of its epochs that a begun job has behind it."""
    shares = {}
    for job, epoch in past.epochs.items():
        total = matrix.configs[job].settings.get("epochs", 0)
        if isinstance(total, int | float) and total > 0:
            shares[job] = min(1.0, epoch / total)
    return shares


def _cost(results: Path, job: EarlierJob) -> Cost:
    return Cost(job.seconds, job.memory_bytes, _size(results / "runs" / job.id))


def _size(folder: Path) -> int:
    """Bytes of the files in a folder and the folders in it; no link is followed."""
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += _size(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return total
    return total


def machine_at_hand(execution: Execution) -> DevicesAtHand:
    """The devices that a run would use."""
    devices = find_devices(execution)
    slots = sum(device.slots or _PACKED_SLOTS for device in devices)
    names = [device.name for device in devices]
    return DevicesAtHand(slots, ", ".join(names), all(name == "cpu" for name in names))
