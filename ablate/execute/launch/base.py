"""What every launcher can do: start an attempt, find it again, say whether it lives, end it.

A launcher takes an `Order` and runs it somewhere: as a process of this machine, as a job of a
cluster. `launch` writes a `Handle` into the run directory before anything can start, so that an
orchestrator that was killed in between leaves no attempt that nobody knows of; its successor
reads the handles and asks the launcher with `find`. Whether an attempt lives is the launcher's
answer and nobody else's: None means that it cannot tell, and unknown is not dead.

A new launcher implements `submit` and the abstract methods below it.
"""

from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

from ablate.errors import AblateError, StoreError
from ablate.execute.worker.order import Order
from ablate.methods.lifecycle import AttemptOutcome
from ablate.store.folders import Folder

HANDLE_FILE = "handle.json"
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Handle:
    """One attempt as its launcher knows it; it stands in the run directory as JSON."""

    launcher: str  #: `Launcher.name`
    job: str
    attempt: int
    token: str  #: drawn for this attempt: finds a submission of which no answer was heard
    name: str = ""  #: what the launcher's system calls the attempt; "" until `submit` has answered


@dataclass(frozen=True)
class Queued:
    """An attempt waits for its turn where it was submitted to, for the first time or again."""

    job: str
    reason: str = ""  #: in the words of the queue, "Priority"


@dataclass(frozen=True)
class Began:
    """A queued attempt runs now."""

    job: str


@dataclass(frozen=True)
class Exit:
    """An attempt that ended; its run directory says more."""

    job: str
    exit_code: int | None  #: None if killed by a signal, or if nobody knows
    signal: int | None = None
    trouble: str = ""  #: why it never started, or what the launcher knows of its end
    outcome: AttemptOutcome | None = None  #: what only the launcher can know: it was preempted
    errno: int | None = None  #: what the system said where it could not be started


Report = Queued | Began | Exit


class LauncherSilent(AblateError):  # noqa: N818 - a state of the place, not of our input
    """The place where attempts run does not answer now, which says nothing of them."""


class Launcher(ABC):
    """Starts, finds, watches and ends attempts in one kind of place."""

    name: ClassVar[str]
    outlives: ClassVar[bool] = False  #: whether attempts go on when their orchestrator is gone

    def launch(self, order: Order) -> Handle:
        """Write down a handle, then start the attempt; returns what was written last.

        Raises OSError where the handle cannot be written or the attempt not be started.
        """
        handle = Handle(self.name, order.run.name, order.attempt, secrets.token_hex(8))
        write_handle(order.run, handle)
        if name := self.submit(order, handle):
            handle = replace(handle, name=name)
            write_handle(order.run, handle)
        return handle

    @abstractmethod
    def submit(self, order: Order, handle: Handle) -> str:
        """Start an attempt, or queue it; returns its name there, "" if it needs none.

        Raises OSError where that is not possible.
        """

    @abstractmethod
    def find(self, handles: Iterable[Handle]) -> list[Handle]:
        """Take over attempts that an earlier orchestrator launched, to be watched by `wait`.

        Returns the handles, complete by now, of those that wait or run. The others have ended,
        were never submitted, or don't outlive their orchestrator. Raises LauncherSilent where
        nobody can tell.
        """

    def submitted(self) -> bool:
        """Whether all that was launched is where it goes on without this process."""
        return self.outlives

    @abstractmethod
    def wait(self, seconds: float) -> list[Report]:
        """Wait until something happens to an attempt or the time is up; returns what happened."""

    @abstractmethod
    def terminate(self, handle: Handle) -> None:
        """Ask an attempt to write a checkpoint and leave; one that is queued is taken back."""

    @abstractmethod
    def kill(self, handles: Iterable[Handle]) -> None:
        """End attempts at once, with all that they started."""

    @abstractmethod
    def close(self, grace_s: float) -> None:
        """Ask what still runs to leave, and end what has not left after `grace_s`."""


def in_words(error: BaseException) -> str:
    """Why an attempt could not be started: what the system said, and of which file."""
    named = isinstance(error, OSError) and error.strerror
    words = [error.strerror, error.filename] if isinstance(error, OSError) and named else [error]
    return "could not be started: " + ": ".join(str(word) for word in words if word)


def write_handle(run: Path, handle: Handle) -> None:
    """Write a handle into a run directory, atomically; OSError as the system gives it."""
    content = json.dumps(asdict(handle)).encode() + b"\n"
    Folder(run, depth=2).write(HANDLE_FILE, content)


def read_handle(run: Path) -> Handle | None:
    """The handle of a job's newest attempt; None if there is none, or none that can be read."""
    try:
        found = json.loads(Folder(run, depth=2).read(HANDLE_FILE, most_bytes=_MOST_BYTES))
    except (OSError, ValueError, RecursionError, StoreError):
        return None
    known = {field.name: {"int": int}.get(str(field.type), str) for field in fields(Handle)}
    sound = isinstance(found, dict) and all(
        type(found.get(name)) is kind for name, kind in known.items()
    )
    return Handle(**{name: found[name] for name in known}) if sound else None
