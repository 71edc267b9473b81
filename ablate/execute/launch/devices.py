"""Which devices this machine has for jobs, and how much memory they have free."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from ablate.errors import InputError, Problem
from ablate.execute.scheduler.placement import Device
from ablate.store.processes import usable_cores
from ablate.study.settings import Execution

#: What CUDA itself and its libraries take per process, which no allocator counts: 400 to 600 MiB
#: on the GPUs of today, rounded up.
CONTEXT_BYTES = 640 * 2**20

Reading = int | str  #: free bytes of a GPU, or the driver's words on why it cannot tell


def find_devices(execution: Execution) -> list[Device]:
    """Devices as ablate.toml asks for: "auto" means CUDA GPUs, else slots on the CPU.

    InputError for a device that is not there, or of which the driver cannot tell: to go on with
    fewer devices, or on the CPU, is for the user to decide.
    """
    names = execution.devices
    gpus = _read_gpus() if names != ["cpu"] else []
    if names == "auto":
        names = [f"cuda:{index}" for index in range(len(gpus))] or ["cpu"]
    devices = []
    for name in names:
        kind, _, index = name.partition(":")
        if name == "cpu":
            devices.append(Device("cpu", slots=cpu_slots(execution)))
        elif kind == "cuda" and index.isdecimal() and int(index) < len(gpus):
            slots = None if execution.jobs_per_device == "auto" else execution.jobs_per_device
            reading = gpus[int(index)]
            if isinstance(reading, str):
                raise _untold(name, reading)
            devices.append(Device(name, slots=slots, free_bytes=reading))
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
    """Free bytes of every GPU by index, for looks in passing: [] where the driver cannot tell."""
    try:
        readings = _read_gpus()
    except InputError:
        return []
    free = [reading for reading in readings if isinstance(reading, int)]
    return free if len(free) == len(readings) else []


def _read_gpus() -> list[Reading]:
    """Ask NVML about every GPU, by index; [] where there is no driver.

    CUDA_VISIBLE_DEVICES is respected: it is how clusters say which GPUs are ours. InputError if
    the driver cannot even tell which GPUs there are.
    """
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        names = _visible_names()
        ours = map(str, range(pynvml.nvmlDeviceGetCount())) if names is None else names
        return list(_readings(pynvml, ours))
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return []
    except pynvml.NVMLError as error:
        raise _untold("the GPUs", str(error)) from error


def _readings(pynvml: Any, names: Iterable[str]) -> Iterator[Reading]:
    """What NVML says of GPUs; as for CUDA, the list ends at the first name of none."""
    by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
    for name in names:
        try:
            handle = by_index(int(name)) if name.isdecimal() else by_uuid(name)
            yield int(pynvml.nvmlDeviceGetMemoryInfo(handle).free)
        except (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument):
            return
        except pynvml.NVMLError as error:
            yield str(error)


def _untold(what: str, words: str) -> InputError:
    right = 'devices = ["cpu"], or a list of GPUs that work'
    message = f"the driver cannot tell of {what}: {words}"
    return InputError(Problem("ablate.toml", "execution.devices", message, right))


def visible_name(index: int) -> str:
    """What CUDA_VISIBLE_DEVICES of a worker must say for our GPU number `index`."""
    names = _visible_names()
    return str(index) if names is None else names[index]


def _visible_names() -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES; None where all GPUs are ours."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if visible is None else [name.strip() for name in visible.split(",")]
