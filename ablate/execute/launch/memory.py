"""Which readings of GPU memory the scheduler should hear of, where it packs jobs by memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ablate.execute.launch.devices import CONTEXT_BYTES
from ablate.execute.scheduler.messages import DeviceChanged
from ablate.execute.scheduler.placement import DeviceCapacity

ReadFree = Callable[[], Sequence[int]]  #: free bytes of every GPU by index


@dataclass
class _Residents:
    jobs: set[str] = field(default_factory=set)
    warm: set[str] = field(default_factory=set)  #: have finished an epoch, so reached their peak
    read: bool = True  #: with the jobs that are there now


class MemoryWatch:
    """Reads free memory when it means something: all jobs on a device have reached their peak."""

    def __init__(self, devices: Iterable[DeviceCapacity], read: ReadFree) -> None:
        """Watch those of the devices that are packed by memory."""
        self._read = read
        self._devices = {device.name: _Residents() for device in devices if device.slots is None}
        self._where: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._devices)

    def launched(self, job: str, device: str) -> None:
        """A job was put on a device."""
        if device in self._devices:
            self._where[job] = device
            self._devices[device].jobs.add(job)
            self._devices[device].read = False

    def warmed(self, job: str) -> Iterator[DeviceChanged]:
        """A job finished an epoch: a reading, if it was the last one to be waited for."""
        if (device := self._where.get(job)) is not None:
            self._devices[device].warm.add(job)
            yield from self._reading(device)

    def ended(self, job: str) -> Iterator[DeviceChanged]:
        """A job's process is gone: a reading without it, to be told before the end itself."""
        if (device := self._where.pop(job, None)) is not None:
            there = self._devices[device]
            there.jobs.discard(job)
            there.warm.discard(job)
            there.read = False
            yield from self._reading(device)

    def _reading(self, device: str) -> Iterator[DeviceChanged]:
        there = self._devices[device]
        if there.read or there.warm != there.jobs:
            return
        index = int(device.partition(":")[2])
        free = self._read()
        if index < len(free):
            there.read = True
            yield DeviceChanged(device, free[index])


def taken_bytes(peak_bytes: int) -> int:
    """Bytes that a job takes on its device in all, from the peak of what it reserved."""
    return peak_bytes + CONTEXT_BYTES if peak_bytes else 0
