"""Check what ablate.toml asks of a cluster before anything is submitted, all problems at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ablate.errors import InputError, Problem, did_you_mean
from ablate.execute.launch.slurm_client import (
    ClusterLimits,
    Partition,
    SlurmClient,
    SlurmRefused,
    parse_minutes,
)
from ablate.execute.launch.slurm_script import Array, array_script
from ablate.study.settings import Settings

_FILE = "ablate.toml"
_KEY = "executor.slurm."


def check_cluster(settings: Settings, client: SlurmClient, folder: Path) -> None:
    """Hold `[executor.slurm]` against the cluster.

    `sbatch --test-only` finds wrong partitions, memory, gres and array sizes; times above the
    partition's limit, and accounts or qos where no accounting knows them, pass there and are
    checked here.

    Raises InputError with every problem, SlurmUnavailable where the cluster does not answer.
    """
    partitions, limits = client.partitions(), client.limits()
    problems = list(_partition_problems(settings, partitions))
    problems += _time_problems(settings)
    problems += _account_problems(settings, limits)
    if not problems:
        problems += _refusals(settings, client, folder)
    if problems:
        raise InputError(problems)


def _partition_problems(settings: Settings, partitions: dict[str, Partition]) -> Iterator[Problem]:
    slurm = settings.executor.slurm
    for name in filter(None, slurm.partition.split(",")):
        partition = partitions.get(name)
        if partition is None:
            right = did_you_mean(name, list(partitions))
            yield Problem(_FILE, f"{_KEY}partition", f'no partition "{name}"', right)
            continue
        if not partition.up:
            yield Problem(_FILE, f"{_KEY}partition", f'partition "{name}" takes no jobs now')
        limit, minutes = partition.max_time_minutes, slurm.time and parse_minutes(slurm.time)
        if limit is not None and minutes and minutes > limit:
            text = f'{slurm.time} is above the limit of partition "{name}"'
            yield Problem(_FILE, f"{_KEY}time", text, f"at most {limit} minutes")


def _time_problems(settings: Settings) -> Iterator[Problem]:
    slurm, execution = settings.executor.slurm, settings.execution
    if slurm.cpus < execution.threads:
        text = f"{slurm.cpus} CPUs are fewer than the {execution.threads} threads of [execution]"
        yield Problem(_FILE, f"{_KEY}cpus", text, f"{execution.threads} or more")
    minutes = parse_minutes(slurm.time) if slurm.time else None
    if minutes is None:
        return
    seconds = 60 * minutes - slurm.signal_before_s
    if seconds <= 0:
        text = f"{slurm.time} ends before the warning of signal_before_s = {slurm.signal_before_s}"
        yield Problem(_FILE, f"{_KEY}time", text, "a longer time")
    amount, unit = execution.interval
    between = amount * {"minute": 60, "second": 1}.get(unit, 0)
    if 0 < seconds < between:
        text = f"{slurm.time} is below the time between checkpoints, {execution.checkpoint_every}"
        yield Problem(_FILE, f"{_KEY}time", text, "a longer time, or a shorter checkpoint_every")


def _account_problems(settings: Settings, limits: ClusterLimits) -> Iterator[Problem]:
    slurm = settings.executor.slurm
    if limits.accounting:
        return  # then sbatch itself refuses what it does not know
    for key in ("account", "qos"):
        if getattr(slurm, key):
            text = f"this cluster keeps no accounts, so {key} would be without effect"
            yield Problem(_FILE, f"{_KEY}{key}", text, f"leave {key} out")


def _refusals(settings: Settings, client: SlurmClient, folder: Path) -> Iterator[Problem]:
    slurm = settings.executor.slurm
    array = Array("0" * 16, "check", {0: folder / "order.json"})
    try:
        client.check(array_script(array, slurm, folder=folder, code=folder))
    except (SlurmRefused, ValueError) as error:
        yield Problem(_FILE, _KEY.rstrip("."), str(error), "what `sbatch --test-only` takes")
