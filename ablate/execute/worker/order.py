"""The order that starts a worker; everything else stands in its run directory."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.methods.device import Device
from ablate.methods.session import Machine


@dataclass(frozen=True)
class Order:
    """One attempt of one job."""

    run: Path  #: the job's run directory
    attempt: int
    machine: Machine
    upstream: Mapping[str, Path]  #: role -> run directory of the upstream job
    kind: str = ""  #: what the job makes: "teacher", "student"
    interval: tuple[float, str] = (1, "epoch")  #: between checkpoints
    method_file: str = ""  #: the user's file that holds the program, "" for the package's own
    method_code: str = ""  #: digest of that file's code when the study was planned
    device: Device = field(default_factory=Device)
    grace_s: float = 30.0
    elsewhere: bool = False  #: on another machine, whose code has to be checked
    facts: Mapping[str, str] = field(default_factory=dict)  #: provenance: versions, git state

    def to_json(self) -> str:
        """The order as text, for a worker that is started elsewhere."""
        content = dataclasses.asdict(self) | {"device": str(self.device)}
        return json.dumps(content, default=str)

    @classmethod
    def from_json(cls, text: str) -> Order:
        """Read what `to_json` gave."""
        found = json.loads(text)
        machine = found["machine"]
        files = {name: Path(path) for name, path in machine["files"].items()}
        found["machine"] = Machine(
            **{**machine, "data_dir": Path(machine["data_dir"]), "files": files}
        )
        found["run"] = Path(found["run"])
        found["upstream"] = {role: Path(path) for role, path in found["upstream"].items()}
        found["device"] = Device.parse(found["device"])
        found["interval"] = tuple(found["interval"])
        return cls(**found)
