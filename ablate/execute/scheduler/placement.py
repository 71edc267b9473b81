"""Which ready job goes to which device.

A device has either a fixed number of slots, or packs by memory (`slots=None`, "auto"):

- A job of a kind whose peak is unknown gets an auto device to itself. Nothing joins it until
  the peak of its kind is measured, since nobody knows yet how much it leaves to others.
- A job of a known kind joins if its need, `SAFETY` times the measured peak, is at most the
  device's free bytes less what was reserved for jobs put there since those bytes were read.
  Older jobs reserve nothing: the reading is taken to include them. It only does if they had
  reached their peak by then, so take a reading when they have (a wrong guess costs one
  out-of-memory attempt, which is then repeated alone). Without any reading nothing is shared.
- No more than `DeviceCapacity.at_most` jobs share an auto device however small they are: processors
  run out too, and memory says nothing about those.
- A job flagged `alone` gets a whole device, whether that counts slots or bytes.
- A free-bytes reading taken while our own jobs ran says nothing once they are gone; until the
  next one an empty device takes any job. And where nothing of ours runs anywhere, waiting
  would help nobody: the first job starts where most bytes are free, fitting or not.

Order and fairness: ready jobs are offered in the study's order, and jobs that need the same
are represented by the earliest, so a full device never makes us look through the whole queue.
A job that no device can take may be overtaken. Once the first in line has been overtaken
`PATIENCE` times it claims the device with the fewest jobs: nothing else starts there until it
can, so it waits at most until that device has run empty, while the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from heapq import heappop, heappush

SAFETY = Fraction(11, 10)  #: a job's memory need is its kind's measured peak times this
PATIENCE = 8  #: launches that may overtake the first in line before it claims a device
LOOK_AHEAD = 8  #: kinds of known peak that are offered to the devices in one go


@dataclass(frozen=True)
class DeviceCapacity:
    """A device and how many jobs may share it, as the user or a launcher declares it."""

    name: str
    slots: int | None = 1  #: jobs at once; None packs by memory
    free_bytes: int | None = None  #: for packing: free before any of our jobs runs
    at_most: int = 8  #: for packing: jobs at once however small they are

    def __post_init__(self) -> None:
        if (self.slots is not None and self.slots < 1) or self.at_most < 1:
            raise ValueError(f"device {self.name}: at least one job must be allowed to run")


@dataclass(frozen=True, order=True)
class Request:
    """A ready job that wants a device; `order` is its place in the study."""

    order: int
    job: str
    kind: str
    alone: bool = False


@dataclass(frozen=True)
class Resident:
    """A job on a device, and the bytes kept for it that no reading shows yet."""

    kind: str
    alone: bool = False
    reserved: int = 0
    unread: bool = True  #: put here since the free bytes were last read


@dataclass
class Load:
    """A device with the jobs on it."""

    device: DeviceCapacity
    free_bytes: int | None
    read_when_empty: bool = True  #: no job of ours is part of the reading
    residents: dict[str, Resident] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """Free bytes that no job has reserved; 0 where they are unknown."""
        if self.free_bytes is None or self.device.slots is not None:
            return 0
        return self.free_bytes - sum(resident.reserved for resident in self.residents.values())


def need(peak: int) -> int:
    """Bytes to keep for a job whose kind has this measured peak."""
    return math.ceil(peak * SAFETY)


def fits(load: Load, request: Request, peaks: Mapping[str, int]) -> bool:
    """Whether the device can take the job now."""
    device, peak = load.device, peaks.get(request.kind)
    if not load.residents:
        trusted = device.slots is None and load.free_bytes is not None and load.read_when_empty
        return request.alone or peak is None or not trusted or need(peak) <= load.room
    if request.alone or is_closed(load, peaks):
        return False
    if device.slots is not None:
        return len(load.residents) < device.slots
    if peak is None or load.free_bytes is None:
        return False
    return len(load.residents) < device.at_most and need(peak) <= load.room


def is_closed(load: Load, peaks: Mapping[str, int]) -> bool:
    """Whether the one job on a device must not be joined, however much room there is."""
    if len(load.residents) != 1:
        return False
    (only,) = load.residents.values()
    return only.alone or (load.device.slots is None and only.kind not in peaks)


def choose(
    loads: Iterable[Load], request: Request, peaks: Mapping[str, int], held: Load | None = None
) -> Load | None:
    """Pick the least crowded device that can take the job, or None; `held` is kept for another."""
    fitting = [load for load in loads if load is not held and fits(load, request, peaks)]
    # min() keeps the first of equals, so the declared order of devices breaks ties.
    return min(fitting, key=lambda load: (len(load.residents), -load.room), default=None)


class ReadyQueue:
    """Ready jobs in the study's order, found by what they need.

    Jobs that need a whole device wait in one heap, jobs of unmeasured kinds in another: among
    those the earliest speaks for all. Jobs of each measured kind speak for themselves, so every
    kind has a heap, and `_heads` orders the measured kinds by their first job. An entry that was
    overtaken by events is dropped when it is met, which keeps every step logarithmic.
    """

    def __init__(self) -> None:
        self._alone: list[Request] = []
        self._unmeasured: list[Request] = []
        self._kinds: dict[str, list[Request]] = {}
        self._heads: list[Request] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, request: Request, peaks: Mapping[str, int]) -> None:
        """Add a job that has become ready."""
        self._size += 1
        if request.alone:
            heappush(self._alone, request)
            return
        heappush(self._kinds.setdefault(request.kind, []), request)
        heappush(self._heads if request.kind in peaks else self._unmeasured, request)

    def measured(self, kind: str) -> None:
        """Note that a kind's peak is known from now on; its jobs in `_unmeasured` are stale."""
        if self._kinds.get(kind):
            heappush(self._heads, self._kinds[kind][0])

    def candidates(self, peaks: Mapping[str, int]) -> list[Request]:
        """List, in order, the earliest job of each different need."""
        while self._unmeasured and self._unmeasured[0].kind in peaks:
            heappop(self._unmeasured)
        heads: dict[str, Request] = {}
        while self._heads and len(heads) < LOOK_AHEAD:
            head = heappop(self._heads)
            rest = self._kinds[head.kind]
            if rest and rest[0] == head:
                heads[head.kind] = head
        for head in heads.values():
            heappush(self._heads, head)
        return sorted([*self._alone[:1], *self._unmeasured[:1], *heads.values()])

    def take(self, request: Request, peaks: Mapping[str, int]) -> None:
        """Remove one of the candidates."""
        self._size -= 1
        if request.alone:
            heappop(self._alone)
            return
        rest = self._kinds[request.kind]
        heappop(rest)
        if request.kind not in peaks:
            heappop(self._unmeasured)  # the first of its kind there is the first of all
        elif rest:
            heappush(self._heads, rest[0])


class Placement:
    """The devices, what runs on them, and the ready jobs that wait for one."""

    def __init__(self, devices: Iterable[DeviceCapacity]) -> None:
        loads = [Load(device, device.free_bytes) for device in devices]
        self._loads = {load.device.name: load for load in loads}
        if not loads or len(self._loads) < len(loads):
            raise ValueError("at least one device, each with a name of its own, is needed")
        self._peaks: dict[str, int] = {}
        self._queue = ReadyQueue()
        self._where: dict[str, Load] = {}
        self._first = -1  # order of the job that was first in line last time
        self._overtaken = 0  # launches that passed it since

    @property
    def waiting(self) -> int:
        """How many ready jobs wait for a device."""
        return len(self._queue)

    def add(self, request: Request) -> None:
        """Queue a job that has become ready."""
        self._queue.push(request, self._peaks)

    def place_next(self) -> tuple[str, str] | None:
        """Put the first ready job that fits somewhere onto a device; return both, or None."""
        candidates = self._queue.candidates(self._peaks)
        if not candidates:
            return None
        first, *others = candidates
        if first.order != self._first:
            self._first, self._overtaken = first.order, 0
        if load := self._choose_for_first(first):
            return self._put(first, load)
        held = self._claim(first) if self._overtaken >= PATIENCE else None
        for request in others:
            if load := choose(self._loads.values(), request, self._peaks, held):
                self._overtaken += 1
                return self._put(request, load)
        return None

    def release(self, job: str) -> bool:
        """Take an ended job off its device; tell whether others may have shared that with it."""
        load = self._where.pop(job)
        return not load.residents.pop(job).alone and load.device.slots != 1

    def measured(self, kind: str, peak: int) -> None:
        """Learn how many bytes, in all, a job of this kind takes on its device.

        The greatest of several measurements counts, for jobs launched from then on. Nothing
        measured (0) is no measurement: taken at its word it would pack without end.
        """
        if peak <= 0:
            return
        is_new = kind not in self._peaks
        self._peaks[kind] = max(peak, self._peaks.get(kind, 0))
        if not is_new:
            return
        self._queue.measured(kind)
        for load in self._loads.values():
            if load.device.slots is None:  # then a job of this kind was there by itself
                for job, resident in load.residents.items():
                    if resident.kind == kind and resident.unread:
                        load.residents[job] = replace(resident, reserved=need(peak))

    def read(self, device: str, free_bytes: int) -> None:
        """Learn how many bytes are free on a device, with everything that runs there now."""
        if device not in self._loads:
            raise ValueError(f"unknown device {device}; known are {', '.join(self._loads)}")
        load = self._loads[device]
        load.free_bytes, load.read_when_empty = free_bytes, not load.residents
        if load.device.slots is None:
            for job, resident in load.residents.items():
                load.residents[job] = replace(resident, reserved=0, unread=False)

    def check_invariants(self, running: Mapping[str, str]) -> None:
        """Assert that every running job is on one device and no device is over-committed."""
        there = [(job, name) for name, load in self._loads.items() for job in load.residents]
        assert sorted(there) == sorted(running.items()), (there, running)
        for load in self._loads.values():
            residents, slots = list(load.residents.values()), load.device.slots
            assert len(residents) <= (load.device.at_most if slots is None else slots), load
            if len(residents) > 1:
                assert not any(resident.alone for resident in residents), load
            if slots is None and len(residents) > 1:
                assert all(resident.kind in self._peaks for resident in residents), load
                # One job may be more than a device was said to hold; then it stays the only
                # one there that was not part of a reading.
                unread = [resident for resident in residents if resident.unread]
                assert len(unread) < 2 or load.room >= 0, load

    def _choose_for_first(self, first: Request) -> Load | None:
        """Choose for the first in line, for whom an idle machine is room enough."""
        load = choose(self._loads.values(), first, self._peaks)
        if load is None and not self._where:
            return max(self._loads.values(), key=lambda load: load.room)
        return load

    def _claim(self, first: Request) -> Load | None:
        """Choose the device to keep for the first in line: the next that may run empty.

        Chosen anew each time, yet never with more jobs on it than before, since nothing joins
        the claimed one. A device too small for the job even when empty is no use to it.
        """
        useful = [
            load
            for load in self._loads.values()
            if fits(replace(load, residents={}), first, self._peaks)
        ]
        return min(useful, key=lambda load: len(load.residents), default=None)

    def _put(self, request: Request, load: Load) -> tuple[str, str]:
        self._queue.take(request, self._peaks)
        peak = self._peaks.get(request.kind)
        reserved = need(peak) if peak is not None and load.device.slots is None else 0
        load.residents[request.job] = Resident(request.kind, request.alone, reserved)
        self._where[request.job] = load
        return request.job, load.device.name
