"""Which devices of this machine the runs of this user are using, whatever their results folder.

Each run keeps a file with its devices in the user's runtime folder and locks it; a file that can
be locked was left by a run that is over. Nothing depends on it: where no such file can be kept,
runs do not know of each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ablate.execute.scheduler.placement import DeviceCapacity

_MOST_BYTES = 64 * 1024


@contextmanager
def devices_in_use(
    devices: Sequence[DeviceCapacity], results: Path, say: Callable[[str], None]
) -> Iterator[None]:
    """While inside, other runs see that these devices are used; says which others use them, too."""
    with ExitStack() as stack:
        with suppress(OSError):
            folder = runtime_folder()
            for other, names in sorted(_others(folder)):
                shared = [device.name for device in devices if device.name in names]
                if shared:
                    say(f"{', '.join(shared)}: also used by the run in {other}; both get slower")
            stack.enter_context(_noted(folder, devices, results))
        yield


def runtime_folder() -> Path:
    """A folder of this user alone; OSError if there can be none."""
    runtime_folder = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(runtime_folder) / "ablate"
        if runtime_folder
        else Path(tempfile.gettempdir(), f"ablate-{os.getuid()}")
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
        raise OSError(f"{folder} is somebody else's")
    return folder


@contextmanager
def _noted(folder: Path, devices: Sequence[DeviceCapacity], results: Path) -> Iterator[None]:
    path = folder / f"run-{os.getpid()}.json"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = {"results": str(results.resolve()), "devices": [d.name for d in devices]}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(content).encode(), 0)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _others(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Results folder and devices of every run that is at work; files of others are removed."""
    for path in folder.glob("run-*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                found = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
                yield str(found["results"]), [str(name) for name in found["devices"]]
            else:
                path.unlink()
            finally:
                os.close(descriptor)
