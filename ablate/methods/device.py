"""A device that jobs run on: one value in place of the names that its users give it.

Device.parse("cuda:1")                    what ablate.toml and events say
Device(DeviceKind.CUDA, 1, "GPU-9f3c")    with the name that the driver knows it by
device.environment                        what a worker that sees only this device must have
device.torch                              what that worker calls it
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    """What kind of processor a device is."""

    CPU = "cpu"
    """Cores of this machine's processors."""

    CUDA = "cuda"
    """A GPU that CUDA can use."""


_ASSIGNED = "cuda"  #: name of a GPU that a cluster chose for the worker
_FORM = re.compile(r"cuda:(\d{1,9})(?: \(([^()]{1,100})\))?")


@dataclass(frozen=True, order=True)
class Device:
    """The CPU, or one GPU of the machine."""

    kind: DeviceKind = DeviceKind.CPU
    index: int = 0  #: among the GPUs that this process may use
    visible_name: str = ""  #: entry of CUDA_VISIBLE_DEVICES that means this GPU, "" for its index
    assigned: bool = False  #: a cluster chose the GPU, and lets the worker see no other

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read "cpu", "cuda", "cuda:1" or "cuda:1 (GPU-9f3c)", as `str` writes it.

        Raises ValueError for anything else.
        """
        if text == DeviceKind.CPU:
            return cls()
        if text == _ASSIGNED:
            return cls(DeviceKind.CUDA, assigned=True)
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f'"{text}" is no device; write "cpu" or "cuda:0"')
        return cls(DeviceKind.CUDA, int(match[1]), match[2] or "")

    @property
    def name(self) -> str:
        """Name as a user writes it: "cpu", "cuda:1"; "cuda" for one that a cluster chose."""
        if self.assigned:
            return _ASSIGNED
        return "cpu" if self.kind is DeviceKind.CPU else f"cuda:{self.index}"

    @property
    def torch(self) -> str:
        """Name by which a worker knows it that sees no other GPU: "cpu", "cuda:0"."""
        return "cpu" if self.kind is DeviceKind.CPU else "cuda:0"

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that let a worker see this GPU only; none for the CPU."""
        if self.kind is DeviceKind.CPU or self.assigned:
            return {}
        return {
            "CUDA_VISIBLE_DEVICES": self.visible_name or str(self.index),
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # NVML's order; else the fastest is number 0
        }

    def __str__(self) -> str:
        return f"{self.name} ({self.visible_name})" if self.visible_name else self.name
