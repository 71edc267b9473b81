"""Which GPUs are ours, read from a driver that is faked; its errors end no run that has begun."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ablate.errors import InputError
from ablate.execute.launch import devices
from ablate.execute.launch.devices import find_devices, free_gpu_bytes, visible_name
from ablate.execute.worker.main import EXIT_FAILED, attempt
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import StopFlag
from ablate.methods.device import Device
from ablate.methods.session import Machine
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Execution
from tests.execute.fake_launcher import make_matrix

FREE = {"GPU-a": 100, "GPU-b": 200, "GPU-c": 300}  #: by their place on the bus


class NVMLError(Exception):
    """What every call of the driver's library may raise."""


class NotFoundError(NVMLError):
    pass


class InvalidArgumentError(NVMLError):
    pass


class LibraryNotFoundError(NVMLError):
    pass


class DriverNotLoadedError(NVMLError):
    pass


def driver(**calls: object) -> SimpleNamespace:
    """The driver's library with three GPUs."""

    def by_index(index: int) -> str:
        if index >= len(FREE):
            raise InvalidArgumentError("Invalid Argument")
        return list(FREE)[index]

    def by_uuid(name: str) -> str:
        if name not in FREE:
            raise NotFoundError("Not Found")
        return name

    usual = {
        "NVMLError": NVMLError,
        "NVMLError_NotFound": NotFoundError,
        "NVMLError_InvalidArgument": InvalidArgumentError,
        "NVMLError_LibraryNotFound": LibraryNotFoundError,
        "NVMLError_DriverNotLoaded": DriverNotLoadedError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(FREE),
        "nvmlDeviceGetHandleByIndex": by_index,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": lambda handle: handle,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=FREE[handle]),
    }
    return SimpleNamespace(**{**usual, **calls})


def broken(*_: object) -> object:
    raise NVMLError("GPU is lost")


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", driver())
    monkeypatch.setattr(devices, "torch_has_cuda", lambda: True)


@pytest.mark.parametrize(
    ("visible", "ours"),
    [
        (None, ["0", "1", "2"]),
        ("2,0", ["2", "0"]),
        (" 1 , GPU-c ", ["1", "GPU-c"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,-1,0", ["1"]),
        ("0,7,1", ["0"]),
        ("0,,1", ["0"]),
        ("GPU-b,GPU-x,0", ["GPU-b"]),
        ("0,0", ["0"]),
        ("2,GPU-c,1", ["2", "1"]),
    ],
)
def test_the_list_of_gpus_ends_at_the_first_that_is_none(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, ours: list[str]
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    free = {"0": 100, "1": 200, "2": 300, **FREE}
    assert free_gpu_bytes() == [free[name] for name in ours]
    assert [visible_name(index) for index in range(len(ours))] == ours
    names = [device.name for device in find_devices(Execution())]
    assert names == ([f"cuda:{index}" for index in range(len(ours))] or ["cpu"])


@pytest.mark.parametrize("asked", ["auto", ["cuda:0"], ["cuda:0", "cpu"]], ids=str)
@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("nvmlInit", "the GPUs"),
        ("nvmlDeviceGetCount", "the GPUs"),
        ("nvmlDeviceGetHandleByIndex", "cuda:0"),
        ("nvmlDeviceGetMemoryInfo", "cuda:0"),
    ],
)
def test_a_driver_that_cannot_tell_does_not_mean_the_cpu(
    monkeypatch: pytest.MonkeyPatch, call: str, what: str, asked: Any
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(**{call: broken}))
    assert free_gpu_bytes() == [], "a look in passing"
    with pytest.raises(InputError) as told:
        find_devices(Execution(devices=asked, jobs_per_device="auto"))
    for word in ("execution.devices", what, "GPU is lost", 'devices = ["cpu"]'):
        assert word in str(told.value)


@pytest.mark.parametrize("visible", [None, "0,1,2", "GPU-a,GPU-b"])
def test_a_lost_gpu_is_missed_unless_it_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, visible: str | None
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    whole = driver()

    def lost(name: object) -> str:
        if name in (1, "GPU-b"):
            raise NVMLError("GPU is lost")
        found = whole.nvmlDeviceGetHandleByIndex if isinstance(name, int) else str
        return str(found(name))

    calls = dict.fromkeys(["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByUUID"], lost)
    monkeypatch.setitem(sys.modules, "pynvml", driver(**calls))
    for asked in ("auto", ["cuda:1"]):
        with pytest.raises(InputError, match="cannot tell of cuda:1: GPU is lost"):
            find_devices(Execution(devices=asked))
    (device,) = find_devices(Execution(devices=["cuda:0"], jobs_per_device="auto"))
    assert device.free_bytes == FREE["GPU-a"]


@pytest.mark.parametrize("error", [LibraryNotFoundError, DriverNotLoadedError])
def test_without_a_driver_there_is_the_cpu(
    monkeypatch: pytest.MonkeyPatch, error: type[NVMLError]
) -> None:
    def missing() -> None:
        raise error

    monkeypatch.setitem(sys.modules, "pynvml", driver(nvmlInit=missing))
    assert [device.name for device in find_devices(Execution())] == ["cpu"]
    with pytest.raises(InputError, match='no device "cuda:0"'):
        find_devices(Execution(devices=["cuda:0"]))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert [device.name for device in find_devices(Execution())] == ["cpu"]


def test_a_run_on_the_cpu_does_not_ask_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setitem(sys.modules, "pynvml", driver(nvmlInit=lambda: asked.append(None)))
    assert [device.name for device in find_devices(Execution(devices=["cpu"]))] == ["cpu"]
    assert not asked


def test_a_worker_counts_gpus_as_the_orchestrator_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On the bus, not the fastest first as CUDA would."""
    monkeypatch.setattr(os, "environ", {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})
    ((job, config),) = make_matrix(1).configs.items()
    run = RunDirectory.of(tmp_path, job).create(config)
    order = replace(Order(run.path, 1, Machine("cuda:0"), {}), device=Device.parse("cuda:1"))
    assert attempt(order, StopFlag()) == EXIT_FAILED, "there is no such program"
    assert os.environ == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}


LONG = {"GPU-5a1b-aaaa": 100, "GPU-5a1b-bbbb": 200, "GPU-77": 300}


def test_a_short_uuid_is_the_gpu_that_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "FREE", LONG)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a1b-b,GPU-7")
    assert [device.name for device in find_devices(Execution())] == ["cuda:0", "cuda:1"]
    assert [visible_name(0), visible_name(1)] == ["GPU-5a1b-bbbb", "GPU-77"]
    assert free_gpu_bytes() == [200, 300]


def test_a_short_uuid_that_fits_two_gpus_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "FREE", LONG)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-5a1b")
    with pytest.raises(InputError) as told:
        find_devices(Execution())
    for word in ("CUDA_VISIBLE_DEVICES", "GPU-5a1b-aaaa", "GPU-5a1b-bbbb"):
        assert word in str(told.value)


def test_memory_is_asked_only_where_jobs_are_packed_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(nvmlDeviceGetMemoryInfo=broken))
    assert len(find_devices(Execution())) == 3, "one job per GPU needs no reading"
    with pytest.raises(InputError, match="jobs_per_device"):
        find_devices(Execution(jobs_per_device="auto"))


@pytest.mark.parametrize("asked", ["auto", ["cuda:0"]], ids=str)
def test_gpus_that_torch_cannot_use_are_an_error(
    monkeypatch: pytest.MonkeyPatch, asked: Any
) -> None:
    monkeypatch.setattr(devices, "torch_has_cuda", lambda: False)
    with pytest.raises(InputError) as told:
        find_devices(Execution(devices=asked))
    for word in ("execution.devices", "without CUDA", "cuda:0", 'devices = ["cpu"]'):
        assert word in str(told.value)
    assert [device.name for device in find_devices(Execution(devices=["cpu"]))] == ["cpu"]


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("cuda: Optional[str] = '12.4'\nhip: Optional[str] = None\n", True),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2'\n", True),
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", False),
        ("", None),
    ],
)
def test_how_torch_was_built_is_read_without_importing_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, built: bool | None
) -> None:
    monkeypatch.undo()
    (tmp_path / "version.py").write_text(text)
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(devices, "find_spec", lambda _: found)
    assert devices.torch_has_cuda() is built
