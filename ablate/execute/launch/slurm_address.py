"""Where an attempt is in Slurm: the array that it was submitted with, and its place there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.execute.launch.base import Handle
from ablate.execute.launch.slurm_client import QueueTask

COMMENT = "ablate:"  #: what the comment of each of our arrays starts with

_FORM = re.compile(r"([0-9a-f]{16}):(\d{1,9})(?:=(\d{1,18}))?")


@dataclass(frozen=True)
class Address:
    """Where an attempt is; a handle keeps it as its name: "5f3c…:2", or "5f3c…:2=17" later."""

    token: str  #: of its array, drawn before it is submitted
    index: int  #: of its task
    array: str = ""  #: id that Slurm gave the array; "" until it has answered

    @property
    def task(self) -> str:
        """Slurm's name of the task: "17_2"."""
        return f"{self.array}_{self.index}"

    def __str__(self) -> str:
        return f"{self.token}:{self.index}" + (f"={self.array}" if self.array else "")

    @classmethod
    def of(cls, handle: Handle | None) -> Address | None:
        """Read the name of a handle; None if it is no address, since it comes from a file."""
        match = _FORM.fullmatch(handle.name) if handle else None
        return cls(match[1], int(match[2]), match[3] or "") if match else None

    def in_queue(self, queue: Mapping[str, QueueTask]) -> Address | None:
        """The address with Slurm's id, if the queue has the task.

        A task counts by its array's comment: a cluster that was set up anew gives ids again.
        """
        comment = COMMENT + self.token
        if self.array:
            task = queue.get(self.task)
            return self if task is not None and task.comment == comment else None
        arrays = (t.id.partition("_")[0] for t in queue.values() if t.comment == comment)
        return next((replace(self, array=array) for array in arrays), None)
