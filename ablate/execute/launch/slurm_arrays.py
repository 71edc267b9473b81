"""Gather orders into arrays and submit each array once, whatever dies or is silent in between."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import ablate
from ablate.execute.launch.slurm_address import Address
from ablate.execute.launch.slurm_client import (
    QueueTask,
    SlurmClient,
    SlurmRefused,
    SlurmUnavailable,
)
from ablate.execute.launch.slurm_script import Array, array_script
from ablate.study.slurm_settings import Slurm

#: Slurm's name of the task of an upstream job: "" if it has its result, None before it has a name.
TaskOf = Callable[[str], str | None]


@dataclass
class _Unsubmitted:
    """An array that Slurm has not confirmed."""

    array: Array
    upstream: tuple[str, ...]  #: jobs that must have succeeded first
    jobs: dict[int, str] = field(default_factory=dict)  #: index -> job
    tried: bool = False  #: Slurm may have it: look for its comment before submitting it again

    def takes(self, kind: str, upstream: tuple[str, ...], most: int) -> bool:
        """Whether one more task of this kind may join."""
        alike = (self.array.kind, self.upstream) == (kind, upstream)
        return alike and not self.tried and len(self.jobs) < most


@dataclass(frozen=True)
class Submitted:
    """Slurm has an array: its tasks have names now."""

    array: str  #: id that Slurm gave
    token: str
    jobs: Mapping[int, str]  #: index -> job


@dataclass(frozen=True)
class Refused:
    """Slurm will not take an array."""

    jobs: tuple[str, ...]
    why: str


class Arrays:
    """Arrays that wait to be submitted."""

    def __init__(self, settings: Slurm, client: SlurmClient, folder: Path) -> None:
        """`folder` takes what tasks print before their logs are open."""
        self._settings, self._client, self._folder = settings, client, folder
        self._unsubmitted: dict[str, _Unsubmitted] = {}  #: by token
        self._largest = 0  #: array that the cluster allows; 0 before it has said

    def gather(self, job: str, order: Path, *, kind: str, upstream: tuple[str, ...]) -> Address:
        """Put an order into an array that is still open; returns where it will be."""
        most = self._most()
        unsubmitted = self._unsubmitted.values()
        found = next((one for one in unsubmitted if one.takes(kind, upstream, most)), None)
        if found is None:
            found = _Unsubmitted(Array(secrets.token_hex(8), kind, {}), upstream)
            self._unsubmitted[found.array.token] = found
        index = max(found.array.orders, default=-1) + 1
        found.jobs[index] = job
        found.array = replace(found.array, orders={**found.array.orders, index: order})
        return Address(found.array.token, index)

    def take_back(self, address: Address) -> bool:
        """Leave an attempt out of an array; False if Slurm may have it already."""
        found = self._unsubmitted.get(address.token)
        if found is None or found.tried:
            return False
        del found.jobs[address.index]
        kept = {i: path for i, path in found.array.orders.items() if i in found.jobs}
        found.array = replace(found.array, orders=kept)
        if not kept:
            del self._unsubmitted[address.token]
        return True

    def submit(
        self, task_of: TaskOf, queue: Callable[[], Mapping[str, QueueTask]], room: int
    ) -> Iterator[Submitted | Refused]:
        """Submit what can be submitted now: at most `room` tasks, and what waits for tasks later.

        An array whose submission was not answered is looked for by its comment before it is
        submitted again; where the controller is silent, it stays for the next call.
        """
        for one in list(self._unsubmitted.values()):
            after = [task_of(job) for job in one.upstream]
            if len(one.jobs) > room or None in after:
                continue
            try:
                names = tuple(name for name in after if name)
                identifier = self._submit(one, names, queue)
            except SlurmUnavailable:
                continue
            except SlurmRefused as refused:
                yield Refused(tuple(one.jobs.values()), str(refused))
            else:
                room -= len(one.jobs)
                yield Submitted(identifier, one.array.token, one.jobs)
            del self._unsubmitted[one.array.token]

    def _submit(
        self,
        one: _Unsubmitted,
        after: tuple[str, ...],
        queue: Callable[[], Mapping[str, QueueTask]],
    ) -> str:
        if one.tried:
            found = Address(one.array.token, 0).in_queue(queue())
            if found is not None:
                return found.array
        self._folder.mkdir(exist_ok=True)
        code = Path(ablate.__file__).parents[1]
        array = replace(one.array, after=after)
        script = array_script(array, self._settings, folder=self._folder, code=code)
        one.tried = True
        return self._client.submit(script)

    def _most(self) -> int:
        """Tasks of one array: what the settings and the cluster allow."""
        if not self._largest:
            try:
                self._largest = self._client.limits().max_array_size
            except (SlurmUnavailable, SlurmRefused):
                return self._settings.max_array
        return min(self._settings.max_array, self._largest)
