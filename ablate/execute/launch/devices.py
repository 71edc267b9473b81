"""Which devices this machine has for jobs, and how much memory they have free."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.execute.launch.limits import available_cores
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.study.settings import Execution

#: What CUDA itself and its libraries take per process, which no allocator counts: 400 to 600 MiB
#: on the GPUs of today, rounded up.
CONTEXT_BYTES = 640 * 2**20

Reading = int | str  #: free bytes of a GPU, or the driver's words on why it cannot tell


@dataclass(frozen=True)
class Gpu:
    """One GPU that this process may use."""

    name: str  #: what CUDA_VISIBLE_DEVICES of a worker must say
    free: Reading | None = None  #: None where it was not asked


def find_devices(execution: Execution) -> list[DeviceCapacity]:
    """Devices as ablate.toml asks for: "auto" means CUDA GPUs, else slots on the CPU.

    InputError for a device that is not there, or of which the driver cannot tell: to go on with
    fewer devices, or on the CPU, is for the user to decide.
    """
    names = execution.devices
    packed = execution.jobs_per_device == "auto"
    gpus = _read_gpus(memory=packed) if names != ["cpu"] else []
    if names == "auto":
        names = [f"cuda:{index}" for index in range(len(gpus))] or ["cpu"]
    if any(name != "cpu" for name in names):
        _check_torch(names)
    devices = []
    for name in names:
        kind, _, index = name.partition(":")
        if name == "cpu":
            devices.append(DeviceCapacity("cpu", slots=cpu_slots(execution)))
        elif kind == "cuda" and index.isdecimal() and int(index) < len(gpus):
            slots = None if execution.jobs_per_device == "auto" else execution.jobs_per_device
            reading = gpus[int(index)].free
            if isinstance(reading, str):
                raise _untold(name, reading, packed=packed)
            devices.append(DeviceCapacity(name, slots=slots, free_bytes=reading))
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
    return max(1, available_cores() // execution.threads)


def free_gpu_bytes() -> list[int]:
    """Free bytes of every GPU by index, for looks in passing: [] where the driver cannot tell."""
    try:
        readings = [gpu.free for gpu in _read_gpus(memory=True)]
    except InputError:
        return []
    free = [reading for reading in readings if isinstance(reading, int)]
    return free if len(free) == len(readings) else []


def visible_name(index: int) -> str:
    """What CUDA_VISIBLE_DEVICES of a worker must say for our GPU number `index`."""
    gpus = _read_gpus(memory=False)
    return gpus[index].name if index < len(gpus) else str(index)


def _check_torch(names: Iterable[str]) -> None:
    """A torch that was built without CUDA uses no GPU, whatever the driver sees."""
    if torch_has_cuda() is False:
        message = f"the installed torch was built without CUDA and cannot use {', '.join(names)}"
        right = 'install a CUDA build of torch, or set devices = ["cpu"]'
        raise InputError(Problem("ablate.toml", "execution.devices", message, right))


def torch_has_cuda() -> bool | None:
    """Whether the installed torch was built with CUDA, read without importing it; None if unknown.

    ROCm's builds count: they call their devices cuda, too.
    """
    found = find_spec("torch")
    if found is None or not found.origin:
        return None
    try:
        text = Path(found.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    built = re.findall(r"^(?:cuda|hip)\b[^=\n]*=\s*(\S+)", text, re.MULTILINE)
    return any(version != "None" for version in built) if built else None


def _read_gpus(*, memory: bool) -> list[Gpu]:
    """Ask NVML about every GPU, by index; [] where there is no driver.

    CUDA_VISIBLE_DEVICES is respected: it is how clusters say which GPUs are ours. InputError if
    the driver cannot even tell which GPUs there are, or a name fits two of them.
    """
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        names = _visible_names()
        if names is None:
            names = list(map(str, range(count)))
        return list(_readings(pynvml, names, count, memory=memory))
    except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
        return []
    except pynvml.NVMLError as error:
        raise _untold("the GPUs", str(error)) from error


def _readings(pynvml: Any, names: Iterable[str], count: int, *, memory: bool) -> Iterator[Gpu]:
    """GPUs by name, each once; as for CUDA, the list ends at the first name of none."""
    by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
    seen = set()
    for name in names:
        try:
            full = name if name.isdecimal() else _full_uuid(pynvml, name, count)
            handle = by_index(int(full)) if full.isdecimal() else by_uuid(full)
            identity = str(pynvml.nvmlDeviceGetUUID(handle))
            reading = int(pynvml.nvmlDeviceGetMemoryInfo(handle).free) if memory else None
        except (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument):
            return
        except pynvml.NVMLError as error:
            yield Gpu(name, str(error) or type(error).__name__)
            continue
        if identity not in seen:
            seen.add(identity)
            yield Gpu(full, reading)


def _full_uuid(pynvml: Any, name: str, count: int) -> str:
    """The whole UUID that starts with `name`, as CUDA reads it; the driver knows whole ones only.

    InputError where it fits two GPUs; a name that fits none is left as it is.
    """
    if not name.startswith("GPU-"):
        return name
    fitting = []
    for index in range(count):
        with suppress(pynvml.NVMLError):  # one that is lost has no name to be found by
            uuid = str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(index)))
            fitting += [uuid] if uuid.startswith(name) else []
    if name in fitting:
        return name
    if len(fitting) > 1:
        right = f"more of one of {', '.join(fitting)}"
        message = f'"{name}" fits {len(fitting)} GPUs'
        raise InputError(Problem("CUDA_VISIBLE_DEVICES", "", message, right))
    return fitting[0] if fitting else name


def _untold(what: str, words: str, *, packed: bool = False) -> InputError:
    right = 'devices = ["cpu"], or a list of GPUs that work'
    if packed:
        right += "; jobs_per_device = 1 needs no reading of memory"
    message = f"the driver cannot tell of {what}: {words}"
    return InputError(Problem("ablate.toml", "execution.devices", message, right))


def _visible_names() -> list[str] | None:
    """The entries of CUDA_VISIBLE_DEVICES; None where all GPUs are ours."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if visible is None else [name.strip() for name in visible.split(",")]
