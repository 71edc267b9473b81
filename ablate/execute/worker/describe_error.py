"""Describe the error that ended a program: its outcome, its message and its fingerprint."""

from __future__ import annotations

import hashlib
import time
import traceback
from pathlib import Path

from ablate.errors import (
    CrashError,
    DeviceMemoryError,
    DivergedError,
    InputError,
    JobError,
    says_out_of_memory,
)
from ablate.execute.machine_faults import is_machine_fault
from ablate.methods.lifecycle import AttemptOutcome
from ablate.store.artifacts import ArtifactError
from ablate.store.events import Failed

#: Parts of torch's errors on a GPU that the driver sees and torch cannot use.
_NO_GPU = (
    "no cuda gpus are available",
    "found no nvidia driver",
    "driver on your system is too old",
    "not compiled with cuda enabled",
    "no kernel image is available",
)

#: Errors of a file system that last until somebody changes the file; others may pass.
LASTING = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


def describe_error(error: BaseException, attempt: int) -> Failed:
    """The event that says what ended a program.

    The fingerprint is a hash of the error's type and of where it was raised, since messages may
    differ in an address or a count. A fault of the machine has none.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    outcome = _outcome(error)
    fingerprint = " ".join([type(error).__name__, *places])
    of_the_machine = outcome is AttemptOutcome.MACHINE
    return Failed(
        attempt=attempt,
        time=time.time(),
        outcome=outcome,
        message=_message(error),
        traceback="".join(traceback.format_exception(error)),
        fingerprint="" if of_the_machine else hashlib.sha256(fingerprint.encode()).hexdigest(),
    )


def _outcome(error: BaseException) -> AttemptOutcome:
    if isinstance(error, DivergedError):
        return AttemptOutcome.DIVERGED
    if isinstance(error, CrashError):
        return AttemptOutcome.CRASHED
    if isinstance(error, MemoryError | DeviceMemoryError) or says_out_of_memory(error):
        return AttemptOutcome.OUT_OF_MEMORY
    if is_machine_fault(error):
        return AttemptOutcome.MACHINE
    if _says_no_gpu(error):
        return AttemptOutcome.REFUSED
    return AttemptOutcome.REFUSED if _is_final(error) else AttemptOutcome.ERROR


def _is_final(error: BaseException) -> bool:
    """Whether an error lies in the user's input, so that every attempt would end the same way.

    An error of the system may pass, as those of network file systems do.
    """
    if isinstance(error, ArtifactError):  # the next run puts the upstream job back
        return True
    if not isinstance(error, InputError | JobError):
        return False
    cause = error.__cause__
    of_the_system = isinstance(cause, OSError) and cause.errno is not None
    return not of_the_system or isinstance(cause, LASTING)


def _message(error: BaseException) -> str:
    """An error in a line, with the library's own text where memory is full: that may name
    another cause, such as a broken installation."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, DeviceMemoryError) and error.__cause__ is not None:
        text += f" ({str(error.__cause__).partition(chr(10))[0]})"
    if _says_no_gpu(error):
        text += ' (torch cannot use this GPU: set devices = ["cpu"], or install a torch that can)'
    return text


def _says_no_gpu(error: BaseException) -> bool:
    """Whether torch cannot use a GPU that the driver lists."""
    text = str(error).lower()
    return isinstance(error, RuntimeError | AssertionError) and any(w in text for w in _NO_GPU)
