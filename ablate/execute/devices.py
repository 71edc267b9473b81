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
    names = execution.devices
    if gpus is None:
        gpus = free_gpu_bytes() if names != ["cpu"] else []
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
    """Free bytes of every GPU by index, through NVML; [] where it cannot tell, or is not there.

    CUDA_VISIBLE_DEVICES is respected: it is how clusters say which GPUs are ours.
    """
    pynvml = _nvml()
    if pynvml is None:
        return []
    try:
        return [int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) for handle in _handles(pynvml)]
    except pynvml.NVMLError:
        return []


def visible_name(index: int) -> str:
    """What CUDA_VISIBLE_DEVICES of a worker must say for our GPU number `index`."""
    names = _visible_names()
    return str(index) if names is None else names[index]


def _visible_names() -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES; None where all GPUs are ours."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if visible is None else [name.strip() for name in visible.split(",")]


def _handles(pynvml: Any) -> list[Any]:
    """Our GPUs, in our order; as for CUDA, the list ends at the first name of none."""
    by_index = pynvml.nvmlDeviceGetHandleByIndex
    names = _visible_names()
    if names is None:
        return [by_index(index) for index in range(pynvml.nvmlDeviceGetCount())]
    handles = []
    with contextlib.suppress(pynvml.NVMLError):
        for name in names:
            numbered = name.isdecimal()
            handle = by_index(int(name)) if numbered else pynvml.nvmlDeviceGetHandleByUUID(name)
            handles.append(handle)
    return handles


def _nvml() -> Any | None:
    try:
        import pynvml
    except ImportError:
        return None
    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        return pynvml
    return None
