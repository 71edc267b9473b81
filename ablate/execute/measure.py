"""Measure what jobs cost before they are run: a few steps of each kind, thrown away.

Each job is run on a small part of its training images and for two epochs, in a temporary folder.
The second epoch tells what a step and an evaluation take, the rest is what starting takes.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.execute.display import Silent
from ablate.execute.run_study import run_study
from ablate.execute.stop import StopRequests
from ablate.matrix.costs import Cost, PaidJob, epochs
from ablate.matrix.identity import job_id
from ablate.matrix.inputs import DATA, data_inputs
from ablate.matrix.plan import Matrix, PlannedJob
from ablate.methods.catalog import data_info, known_data
from ablate.methods.session import JobConfig
from ablate.store.events import EpochEnded, Finished, Started
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Settings

_EPOCHS = 2
_STEPS = 10  #: of an epoch
_BATCH = 64  #: where a method has no setting of that name


def measure(
    matrix: Matrix, settings: Settings, *, stop: StopRequests | None = None
) -> tuple[PaidJob, ...]:
    """What jobs of each kind take, by running a few steps of one seed of every row.

    Kinds that cannot be cut short, since their method knows no epochs, are left out.
    """
    small, originals = reduced(matrix)
    if not originals:
        return ()
    with tempfile.TemporaryDirectory(prefix="ablate-measure-") as folder:
        results = Path(folder) / "results"
        run_study(small, results, settings, Silent(), stop=stop)
        measured = [
            (original, cost_of(RunDirectory.of(results, job), small.configs[job], original))
            for job, original in originals.items()
        ]
    return tuple(PaidJob(original, cost) for original, cost in measured if cost is not None)


@dataclass(frozen=True)
class Reduction:
    """How short a job is made."""

    epochs: int = _EPOCHS
    steps: int = _STEPS  #: of an epoch


MEASURED = Reduction()


def reduced(matrix: Matrix, reduction: Reduction = MEASURED) -> tuple[Matrix, dict[str, JobConfig]]:
    """A matrix of short jobs, one of each kind, and what each of them stands for.

    Returns the matrix and: id of a short job -> config of the job in the study.
    """
    first = matrix.plan.seeds[0]
    kept = {job.id for job in matrix.plan.jobs if job.variant is None or job.seed == first}
    ids: dict[str, str] = {}
    configs: dict[str, JobConfig] = {}
    originals: dict[str, JobConfig] = {}
    for identifier, config in matrix.configs.items():  # upstream first
        missing = any(upstream not in ids for upstream in config.upstream.values())
        short = None if missing or identifier not in kept else _shortened(config, reduction)
        if short is None:
            continue
        upstream = {role: ids[needed] for role, needed in config.upstream.items()}
        short = replace(short, upstream=upstream)
        ids[identifier] = job_id(short)
        configs[job_id(short)] = short
        originals[job_id(short)] = config
    planned = tuple(_planned(matrix.plan.jobs, ids, configs))
    plan = replace(matrix.plan, jobs=planned, seeds=(first,), seed_rule=None)
    return replace(matrix, plan=plan, configs=configs), originals


def _planned(
    jobs: Iterable[PlannedJob], ids: dict[str, str], configs: dict[str, JobConfig]
) -> Iterable[PlannedJob]:
    for job in jobs:
        if job.id in ids:
            upstream = tuple(dict.fromkeys(configs[ids[job.id]].upstream.values()))
            yield replace(job, id=ids[job.id], upstream=upstream)


def _shortened(config: JobConfig, reduction: Reduction) -> JobConfig | None:
    """The same job with few images and epochs; None where it cannot be cut short."""
    data = known_data(config.data) if config.data else None
    has_epochs = "epochs" in config.settings
    if data is not None:
        images = min(data.train, max(data.classes, _batch(config) * reduction.steps))
        name = f"{config.data.partition('[')[0]}[{images}]"
        inputs = {**config.inputs, DATA: data_inputs(data_info(name))[DATA]}
        config = replace(config, data=name, inputs=inputs)
    elif not has_epochs:
        return None
    if has_epochs:
        return config.with_settings({"epochs": min(reduction.epochs, epochs(config))})
    return config


def _batch(config: JobConfig) -> int:
    batch = config.settings.get("batch_size", _BATCH)
    return int(batch) if isinstance(batch, int | float) else _BATCH


def cost_of(run: RunDirectory, short: JobConfig, original: JobConfig) -> Cost | None:
    """What the original job takes, from the events of a short one; None if that did not end."""
    events = run.events().events
    result = run.result()
    started = [e.time for e in events if isinstance(e, Started) and e.time is not None]
    ended = [e.time for e in events if isinstance(e, Finished) and e.time is not None]
    if result is None or not started or not ended:
        return None
    scale = _images(original) / max(1, _images(short))
    whole = ended[-1] - started[-1]
    ends = [e for e in events if isinstance(e, EpochEnded) and e.time is not None]
    if len(ends) < _EPOCHS or ends[-1].time is None or ends[-2].time is None:
        seconds = whole * scale * epochs(original) / epochs(short)
    else:
        epoch = ends[-1].time - ends[-2].time
        training = max(0.0, ends[-1].trained_s - ends[-2].trained_s - ends[-1].evaluation_s)
        training = min(epoch, training)
        start = max(0.0, whole - _EPOCHS * epoch)
        seconds = start + epochs(original) * (training * scale + epoch - training)
    return Cost(seconds, result.peak_bytes or None, _size(run.path))


def _images(config: JobConfig) -> int:
    data = known_data(config.data) if config.data else None
    return data.train if data else 1


def _size(folder: Path) -> int:
    """Bytes of the files in a folder that this process made."""
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files)
