"""Which devices this machine has for jobs, and how much memory they have free."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ablate.errors import InputError, Problem
from ablate.execute.placement import Device
from ablate.settings import Execution
from ablate.store.processes import usable_cores

#: What CUDA itself and its libraries take per process, which no allocator counts: 400 to 600 MiB
#: on the GPUs of today, rounded up.
CONTEXT_BYTES = 640 * 2**20


def find_devices(execution: Execution, gpus: list[int] | None = None) -> list[Device]:
    """Devices as ablate.toml asks for: "auto" means CUDA GPUs, else slots on the CPU.

    `gpus`: free bytes by index, read through NVML unless given. InputError for a device that is
    not there.
    """
    gpus = free_gpu_bytes() if gpus is None else gpus
    names = execution.devices
    if names == "auto":
        names = [f"cuda:{index}" for index in range(len(gpus))] or ["cpu"]
    devices = []
    for name in names:
        kind, _, index = name.partition(":")
        if name == "cpu":
            devices.append(Device("cpu", slots=cpu_slots(execution)))
        elif kind == "cuda" and index.isdecimal() and int(index) < len(gpus):
            slots = None if execution.jobs_per_device == "auto" else execution.jobs_per_device
            devices.append(Device(name, slots=slots, free_bytes=gpus[int(index)]))
        else:
            there = ", ".join(["cpu", *(f"cuda:{i}" for i in range(len(gpus)))])
            raise InputError(
                Problem("ablate.toml", "execution.devices", f'no device "{name}"', f"have {there}")
            )
    return devices


def cpu_slots(execution: Execution) -> int:
    """Jobs at once on the CPU: as many as keep every core busy with one thread of one job."""
    if execution.cpu_slots != "auto":
        return execution.cpu_slots
    return max(1, usable_cores() // execution.threads)


def free_gpu_bytes() -> list[int]:
    """Free bytes of every GPU by index, through NVML; [] where there is no driver or no binding.

    CUDA_VISIBLE_DEVICES is respected: it is how clusters say which GPUs are ours.
    """
    pynvml = _nvml()
    if pynvml is None:
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        ]
    else:
        handles = [_handle(pynvml, name.strip()) for name in visible.split(",") if name.strip()]
    return [int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles]


def free_gpu_bytes_now() -> list[int]:
    """As `free_gpu_bytes`, for looks in passing: [] where the driver cannot tell at the moment."""
    try:
        return free_gpu_bytes()
    except Exception:  # NVML's errors have no common base that is there without NVML
        return []


def visible_name(index: int) -> str:
    """What CUDA_VISIBLE_DEVICES of a worker must say for our GPU number `index`."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = [name.strip() for name in visible.split(",")] if visible else []
    return names[index] if index < len(names) else str(index)


def _handle(pynvml: Any, name: str) -> Any:
    if name.isdecimal():
        return pynvml.nvmlDeviceGetHandleByIndex(int(name))
    return pynvml.nvmlDeviceGetHandleByUUID(name)


def _nvml() -> Any | None:
    try:
        import pynvml
    except ImportError:
        return None
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        return pynvml
    return None
