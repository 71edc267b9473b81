"""Faults of the machine, not of a job: a full disk, no files or processes left."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

#: What a system says of itself, whatever was asked of it.
FAULTS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOLCK)
)
#: The same where a process was to be started.
START_FAULTS = FAULTS | {errno.EAGAIN, errno.ENOMEM}

_PROBE_BYTES = 2**20


def is_machine_fault(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, is the machine's."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FAULTS:
            return True
        error = error.__cause__
    return False


def machine_trouble(folder: Path) -> str:
    """What is wrong with the machine for a run in `folder`; "" if nothing is.

    It writes a megabyte there and takes it away again.
    """
    probe = folder / f".probe-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, bytes(_PROBE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink()
    except OSError as error:
        return f"{folder}: {error.strerror}" if error.errno in FAULTS else ""
    return "" if written == _PROBE_BYTES else f"{folder}: {os.strerror(errno.ENOSPC)}"
