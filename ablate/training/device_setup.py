"""The device a job runs on: made deterministic before, described and measured after."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ablate.errors import DeviceMemoryError, says_out_of_memory
from ablate.methods.session import Machine


def prepare(machine: Machine, *, deterministic: bool) -> torch.device:
    """Set torch up for one job in this process and return its device."""
    # cuBLAS reads this when it starts, which is at the first use of the device.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(machine.threads)
    torch.use_deterministic_algorithms(deterministic)
    # Filling memory that is overwritten anyway would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    # What is called fp32 keeps its 23 bits of mantissa; TF32, cuDNN's default, keeps 10.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(machine.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.cuda.reset_peak_memory_stats(device)
    return device


@contextmanager
def memory_errors(machine: Machine) -> Iterator[None]:
    """Turn running out of the device's memory into `DeviceMemoryError`."""
    try:
        yield
    except RuntimeError as error:
        if not says_out_of_memory(error):
            raise
        where = "this machine" if "DefaultCPUAllocator" in str(error) else machine.device
        raise DeviceMemoryError(f"{where} ran out of memory") from error


def peak_memory(device: torch.device) -> int:
    """Most bytes this process held on the device so far; of a CPU, resident.

    Of a GPU, what torch reserved: a neighbour cannot have what the allocator keeps for later
    tensors either. The process's context comes on top.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def facts(device: torch.device) -> dict[str, str]:
    """Versions and names that a reader of the results may want, never compared."""
    on_gpu = device.type == "cuda"
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if on_gpu else _cpu_name(),
        "threads": str(torch.get_num_threads()),
        "platform": platform.platform(),
    }
    if on_gpu:
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
        found["tf32"] = str(tf32_allowed()).lower()
    return found


def tf32_allowed() -> bool:
    """Whether any product of float32 may be one of TF32."""
    return torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a kernel's file
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
