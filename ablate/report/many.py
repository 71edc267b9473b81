"""Many studies at once: each is read and shown by itself, so several processes share the work."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from ablate.store.index import Index
from ablate.store.processes import uncollected, usable_cores

T = TypeVar("T")

_PARCELS = 4  #: per process, so that none is left with much more to do than the others


def over_studies(
    work: Callable[[Index, str], T], results: Path, keys: Sequence[str], *, shared: bool
) -> list[T]:
    """`work` done for the study of each key, in their order; `shared` among processes or not.

    Only what is known by its module's name can be sent to a process: `work` is such a function, or
    a `functools.partial` of one. The first study that raises ends it all.
    """
    alone = partial(_alone, work, results)
    processes = min(usable_cores(), len(keys))
    if not shared or processes < 2:
        return [alone(key) for key in keys]
    with ProcessPoolExecutor(processes, initializer=_leave_interrupts) as pool:
        parcel = max(1, len(keys) // (_PARCELS * processes))
        return list(pool.map(alone, keys, chunksize=parcel))


def _alone(work: Callable[[Index, str], T], results: Path, key: str) -> T:
    with Index.open(results) as index, uncollected():
        return work(index, key)


def _leave_interrupts() -> None:
    """Ctrl-C reaches all processes of a terminal; the one that asked says what becomes of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
