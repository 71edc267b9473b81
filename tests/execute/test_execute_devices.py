"""Which GPUs are ours, read from a driver that is faked; its errors end no run."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_launcher import make_matrix

from ablate.errors import InputError
from ablate.execute.devices import find_devices, free_gpu_bytes, visible_name
from ablate.execute.session import Order, StopFlag
from ablate.execute.worker import EXIT_FAILED, attempt
from ablate.methods.session import Machine
from ablate.settings import Execution
from ablate.store.rundir import RunDirectory

FREE = {"GPU-a": 100, "GPU-b": 200, "GPU-c": 300}  #: by their place on the bus


class NVMLError(Exception):
    """What every call of the driver's library may raise."""


def driver(**calls: object) -> SimpleNamespace:
    """The driver's library with three GPUs."""

    def by_index(index: int) -> str:
        if index >= len(FREE):
            raise NVMLError("Invalid Argument")
        return list(FREE)[index]

    def by_uuid(name: str) -> str:
        if name not in FREE:
            raise NVMLError("Not Found")
        return name

    usual = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(FREE),
        "nvmlDeviceGetHandleByIndex": by_index,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=FREE[handle]),
    }
    return SimpleNamespace(**{**usual, **calls})


def broken(*_: object) -> object:
    raise NVMLError("GPU is lost")


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", driver())


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


@pytest.mark.parametrize(
    "call",
    ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex", "nvmlDeviceGetMemoryInfo"],
)
def test_a_driver_that_cannot_tell_has_no_gpus(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", driver(**{call: broken}))
    assert free_gpu_bytes() == []
    with pytest.raises(InputError, match='no device "cuda:0"'):
        find_devices(Execution(devices=["cuda:0"]))


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
    order = replace(Order(run.path, 1, Machine("cuda:0"), {}), visible_gpu="1")
    assert attempt(order, StopFlag()) == EXIT_FAILED, "there is no such program"
    assert os.environ == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1"}
