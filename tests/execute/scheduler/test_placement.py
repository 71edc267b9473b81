"""Placement: who gets which device, who may join whom, and that nobody waits for ever."""

from __future__ import annotations

from itertools import count

import pytest

from ablate.execute.scheduler import placement
from ablate.execute.scheduler.placement import (
    LOOK_AHEAD,
    PATIENCE,
    DeviceCapacity,
    Load,
    Placement,
    ReadyQueue,
    Request,
    Resident,
    choose,
    fits,
    need,
)

GPU = DeviceCapacity("gpu0", slots=None, free_bytes=1000)
PEAKS = {"small": 100, "large": 800}


def request(kind: str = "small", order: int = 0, alone: bool = False) -> Request:
    return Request(order, f"{kind}{order}", kind, alone)


def load(device: DeviceCapacity = GPU, *residents: Resident, empty_reading: bool = True) -> Load:
    there = {f"r{n}": resident for n, resident in enumerate(residents)}
    return Load(device, device.free_bytes, empty_reading, there)


def filled(
    devices: list[DeviceCapacity], *requests: Request, peaks: dict[str, int] = PEAKS
) -> Placement:
    pool = Placement(devices)
    for kind, peak in peaks.items():
        pool.measured(kind, peak)
    for each in requests:
        pool.add(each)
    return pool


def launches(pool: Placement) -> list[tuple[str, str]]:
    return list(iter(pool.place_next, None))


def test_slots_count() -> None:
    pool = filled([DeviceCapacity("cpu", slots=2)], *(request(order=n) for n in range(3)), peaks={})
    assert launches(pool) == [("small0", "cpu"), ("small1", "cpu")]
    pool.release("small0")
    assert launches(pool) == [("small2", "cpu")]


def test_the_least_crowded_device_comes_first_then_the_declared_order() -> None:
    pool = filled(
        [DeviceCapacity("b", slots=2), DeviceCapacity("a", slots=2)],
        *(request(order=n) for n in range(4)),
    )
    assert [device for _, device in launches(pool)] == ["b", "a", "b", "a"]


def test_among_ready_jobs_the_earliest_in_order_is_first_whatever_its_kind() -> None:
    orders = [5, 3, 8, 1]
    kinds = ["small", "new", "other", "small"]
    pool = filled([DeviceCapacity("d", slots=9)], *map(request, kinds, orders))
    assert [job for job, _ in launches(pool)] == ["small1", "new3", "small5", "other8"]


def test_an_unmeasured_kind_has_an_auto_device_to_itself_until_it_is_measured() -> None:
    pool = filled([GPU], *(request("new", n) for n in range(3)), request("small", 3))
    assert launches(pool) == [("new0", "gpu0")]
    pool.measured("new", 320)
    assert launches(pool) == [("new1", "gpu0"), ("small3", "gpu0")]  # 352 + 352 + 110 <= 1000


def test_an_unmeasured_kind_joins_nobody() -> None:
    assert not fits(load(GPU, Resident("small", reserved=110)), request("new"), PEAKS)
    assert fits(load(GPU), request("new"), PEAKS)
    assert fits(load(DeviceCapacity("d", slots=2), Resident("small")), request("new"), PEAKS)


def test_a_known_kind_joins_up_to_its_margin_and_not_a_byte_more() -> None:
    crowd = load(GPU, Resident("small", reserved=890))
    assert need(100) == 110
    assert fits(crowd, request("small"), PEAKS)
    crowd.free_bytes = 999
    assert not fits(crowd, request("small"), PEAKS)


def test_a_reading_replaces_what_was_reserved_before_it() -> None:
    pool = filled([GPU], *(request("large", n) for n in range(2)), request("small", 2))
    assert launches(pool) == [("large0", "gpu0"), ("small2", "gpu0")]  # 880 + 110
    pool.read("gpu0", 900)  # they take little so far
    assert launches(pool) == [("large1", "gpu0")]
    pool.add(request("small", 3))
    assert launches(pool) == []  # 900 - 880 leaves 20


def test_a_measurement_after_the_reading_reserves_nothing_twice() -> None:
    pool = filled([GPU], request("new", 0), request("new", 1))
    assert launches(pool) == [("new0", "gpu0")]
    pool.read("gpu0", 500)
    assert launches(pool) == []
    pool.measured("new", 450)
    assert launches(pool) == [("new1", "gpu0")]  # 495 <= 500, as new0 is part of the reading


def test_without_a_reading_nothing_is_shared() -> None:
    pool = filled([DeviceCapacity("gpu0", slots=None)], request(order=0), request(order=1))
    assert launches(pool) == [("small0", "gpu0")]
    pool.read("gpu0", 500)
    assert launches(pool) == [("small1", "gpu0")]


@pytest.mark.parametrize("device", [GPU, DeviceCapacity("cpu", slots=4)])
def test_alone_means_a_whole_device(device: DeviceCapacity) -> None:
    assert not fits(load(device, Resident("small")), request(alone=True), PEAKS)
    assert not fits(load(device, Resident("small", alone=True)), request(), PEAKS)
    assert fits(load(device), request(alone=True), PEAKS)


def test_memory_is_not_the_only_limit_of_an_auto_device() -> None:
    device = DeviceCapacity("gpu0", slots=None, free_bytes=10**12, at_most=3)
    pool = filled([device], *(request(order=n) for n in range(9)))
    assert len(launches(pool)) == 3


def test_the_greatest_measurement_counts_and_none_is_none() -> None:
    pool = filled([GPU], request("new", 0), request("new", 1), peaks={})
    assert launches(pool) == [("new0", "gpu0")]
    pool.measured("new", 0)
    assert launches(pool) == []
    pool.measured("new", 500)
    pool.measured("new", 200)
    assert launches(pool) == []  # 550 + 550 > 1000, whatever the later job took


def test_a_job_goes_where_it_fits_rather_than_where_nothing_runs() -> None:
    crowded_by_others = load(DeviceCapacity("gpu0", slots=None, free_bytes=50))
    shared = load(
        DeviceCapacity("gpu1", slots=None, free_bytes=900), Resident("small", reserved=110)
    )
    assert choose([crowded_by_others, shared], request(), PEAKS) is shared
    assert choose([crowded_by_others, shared], request(), PEAKS, held=shared) is None


def test_equally_crowded_devices_are_taken_by_free_bytes() -> None:
    devices = [DeviceCapacity("gpu0", None, 500), DeviceCapacity("gpu1", None, 900)]
    assert launches(filled(devices, request("new")))[0][1] == "gpu1"


def test_a_reading_made_while_our_jobs_ran_does_not_keep_the_empty_device_idle() -> None:
    assert not fits(load(DeviceCapacity("d", None, 50)), request(), PEAKS)
    assert fits(load(DeviceCapacity("d", None, 50), empty_reading=False), request(), PEAKS)


def test_a_job_too_large_for_every_device_runs_once_nothing_else_does() -> None:
    devices = [DeviceCapacity("gpu0", None, 300), DeviceCapacity("gpu1", None, 400)]
    pool = filled(devices, request("large", 0), request("small", 1))
    # Nothing ran when it came up: waiting would not have helped.
    assert launches(pool) == [("large0", "gpu1"), ("small1", "gpu0")]
    pool.add(request("large", 2))
    pool.release("large0")
    assert launches(pool) == []
    pool.release("small1")
    assert launches(pool) == [("large2", "gpu1")]


def overtakers(pool: Placement, head: str, running: dict[str, str]) -> list[str]:
    """Let small jobs come without end, the oldest running one ending at a time; stop at `head`."""
    passed: list[str] = []
    orders = count(100)
    for _ in range(50):
        while pool.waiting < 4:
            pool.add(request("small", next(orders)))
        for job, device in launches(pool):
            if job == head:
                return passed
            running[job] = device
            passed.append(job)
        oldest = next(iter(running))
        del running[oldest]
        pool.release(oldest)
    raise AssertionError(f"{head} starves")


@pytest.mark.parametrize("device", [GPU, DeviceCapacity("cpu", slots=3)])
def test_a_job_that_wants_a_whole_device_is_overtaken_for_a_while_but_not_for_ever(
    device: DeviceCapacity,
) -> None:
    pool = filled([device], *(request("small", n) for n in range(10, 13)))
    running = dict(launches(pool))
    pool.add(request("large", 0, alone=True))
    assert 0 < len(overtakers(pool, "large0", running)) <= PATIENCE


def test_a_large_job_is_not_starved_by_small_ones() -> None:
    pool = filled([GPU], *(request("small", n) for n in range(10, 13)))
    running = dict(launches(pool))
    pool.add(request("large", 0))  # may join one small job, not two
    assert 0 < len(overtakers(pool, "large0", running)) <= PATIENCE


def test_unmeasured_kinds_neither_block_a_measured_one_nor_starve() -> None:
    pool = filled([GPU], request("small", 0))
    running = dict(launches(pool))
    for each in (request("new", 1), request("newer", 2), request("small", 3)):
        pool.add(each)
    running |= launches(pool)
    assert list(running) == ["small0", "small3"]
    assert 0 < len(overtakers(pool, "new1", running)) <= PATIENCE


def test_one_device_is_claimed_while_the_others_go_on() -> None:
    pool = filled(
        [DeviceCapacity("a", slots=2), DeviceCapacity("b", slots=2)],
        *map(request, ["small"] * 4, range(10, 14)),
    )
    running = dict(launches(pool))
    pool.add(request("large", 0, alone=True))
    passed, devices = [], []
    for order in range(20, 60):
        pool.add(request("small", order))
        oldest = next(job for job, device in running.items() if device == "b")
        del running[oldest]
        pool.release(oldest)
        for job, device in launches(pool):
            passed.append(job)
            devices.append(device)
            running[job] = device
        if "large0" in passed:
            break
    # PATIENCE launches on b overtook it, then b ran empty; a was never disturbed.
    assert passed[-1] == "large0"
    assert devices == ["b"] * (PATIENCE + 1)
    oldest = next(job for job, device in running.items() if device == "a")
    pool.release(oldest)
    assert [device for _, device in launches(pool)] == ["a"]


def test_others_start_beside_a_claimed_device() -> None:
    devices = [DeviceCapacity("a", slots=1), DeviceCapacity("b", slots=3)]
    pool = filled(devices, *map(request, ["small"] * 4, range(10, 14)))
    running = dict(launches(pool))
    pool.add(request("large", 0, alone=True))
    pool._first, pool._overtaken = 0, PATIENCE  # the claim holds a, with its single job
    on_b = next(job for job, device in running.items() if device == "b")
    pool.release(on_b)
    pool.add(request("small", 20))
    assert launches(pool) == [("small20", "b")]
    pool.release(next(job for job, device in running.items() if device == "a"))
    assert launches(pool) == [("large0", "a")]


def test_a_device_too_small_is_not_claimed() -> None:
    devices = [DeviceCapacity("tiny", None, 120), DeviceCapacity("gpu", None, 1000)]
    pool = filled(devices, *(request("small", n) for n in range(10, 13)))
    running = dict(launches(pool))
    assert list(running.values()) == ["gpu", "tiny", "gpu"]
    claimed = pool._claim(request("large", 0))
    assert claimed is not None
    assert claimed.device.name == "gpu"  # though tiny has fewer jobs


def test_many_measured_kinds_are_looked_at_a_few_at_a_time() -> None:
    queue = ReadyQueue()
    peaks = {f"k{n}": 1 for n in range(100)}
    for n in range(100):
        queue.push(request(f"k{n}", n), peaks)
    assert [each.order for each in queue.candidates(peaks)] == list(range(LOOK_AHEAD))
    for n in range(100):
        head = queue.candidates(peaks)[0]
        assert head.order == n
        queue.take(head, peaks)
    assert len(queue) == 0 and queue.candidates(peaks) == []


def test_a_full_house_is_not_searched_for_every_ready_job(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count()
    original = placement.fits

    def counted(*args: object) -> bool:
        next(calls)
        return original(*args)  # type: ignore[arg-type]

    pool = filled([DeviceCapacity("d")], *(request("small", n) for n in range(5000)))
    launches(pool)
    monkeypatch.setattr(placement, "fits", counted)
    assert launches(pool) == []
    assert next(calls) <= 2


def test_what_cannot_be_a_device() -> None:
    for bad in ({"slots": 0}, {"at_most": 0}):
        with pytest.raises(ValueError, match="at least one job"):
            DeviceCapacity("d", **bad)
    for devices in ([], [DeviceCapacity("d"), DeviceCapacity("d")]):
        with pytest.raises(ValueError, match="at least one device"):
            Placement(devices)
    with pytest.raises(ValueError, match="unknown device d2; known are d"):
        Placement([DeviceCapacity("d")]).read("d2", 1)
