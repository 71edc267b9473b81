"""Estimate what jobs cost from earlier jobs of the same kind; pure functions over lists."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ablate.methods.catalog import known_data
from ablate.methods.session import JobConfig

#: Images shown in training from which a job is no quick check: 100 epochs of CIFAR.
LARGE_TRAINING = 5_000_000

Kind = tuple[object, ...]


@dataclass(frozen=True)
class Cost:
    """What one job took, or is expected to take; None where it is not known."""

    seconds: float | None = None
    memory_bytes: int | None = None  #: the most that it held on its device
    disk_bytes: int | None = None


@dataclass(frozen=True)
class PaidJob:
    """A finished job and what it took."""

    config: JobConfig
    cost: Cost


class CostTable:
    """Costs of earlier jobs, by what they ran."""

    def __init__(self, paid: Iterable[PaidJob]) -> None:
        """Sort them by their exact settings, and by method, networks, data and batch size."""
        self._exact: dict[Kind, list[PaidJob]] = {}
        self._alike: dict[Kind, list[PaidJob]] = {}
        for job in paid:
            self._exact.setdefault(_exact_kind(job.config), []).append(job)
            self._alike.setdefault(_alike_kind(job.config), []).append(job)

    def cost(self, config: JobConfig) -> Cost:
        """What a job is expected to take: the median of its like, in proportion to its epochs."""
        exact = self._exact.get(_exact_kind(config))
        jobs = exact or self._alike.get(_alike_kind(config), [])
        times = [
            job.cost.seconds / epochs(job.config) * epochs(config)
            for job in jobs
            if job.cost.seconds is not None
        ]
        memory = [job.cost.memory_bytes for job in jobs if job.cost.memory_bytes]
        disk = [job.cost.disk_bytes for job in jobs if job.cost.disk_bytes is not None]
        return Cost(
            median(times) if times else None,
            max(memory) if memory else None,
            max(disk) if disk else None,
        )


def epochs(config: JobConfig) -> int:
    """Epochs of a job; 1 where its method has no such setting."""
    value = config.settings.get("epochs", 1)
    return max(1, int(value)) if isinstance(value, int | float) else 1


def images_shown(config: JobConfig) -> int:
    """Images that a job trains on in all; 0 where its data set is not of the catalogue."""
    data = known_data(config.data) if config.data else None
    return data.train * epochs(config) if data else 0


def _exact_kind(config: JobConfig) -> Kind:
    settings = sorted((n, repr(v)) for n, v in config.settings.items() if n != "epochs")
    return (*_alike_kind(config), *settings)


def _alike_kind(config: JobConfig) -> Kind:
    batch = config.settings.get("batch_size")
    return config.kind, config.method, config.pair, config.data, batch


def wall_clock(
    seconds: Mapping[str, float], upstream: Mapping[str, Sequence[str]], slots: int
) -> float:
    """Time from the first start to the last end, jobs taken in order by whichever slot is free.

    `seconds`: job -> how long it takes, upstream jobs first. `upstream`: job -> those it waits
    for; what is not in `seconds` is done already.
    """
    free = [0.0] * max(1, slots)
    ends: dict[str, float] = {}
    for job, duration in seconds.items():
        ready = max((ends.get(other, 0.0) for other in upstream.get(job, ())), default=0.0)
        start = max(heapq.heappop(free), ready)
        ends[job] = start + duration
        heapq.heappush(free, ends[job])
    return max(ends.values(), default=0.0)
