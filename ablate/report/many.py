"""Share work on many items, such as studies or figures, among processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import connection
from pathlib import Path
from typing import TypeVar

from ablate.store.index import Index
from ablate.store.processes import garbage_collector_on, usable_cores

S = TypeVar("S")
T = TypeVar("T")


def over_studies(
    work: Callable[[Index, str], T], results: Path, keys: Sequence[str], *, shared: bool
) -> list[T]:
    """`work` done for the study of each key with an index of its own; otherwise as `over_all`."""
    return over_all(partial(_with_index, work, results), keys, shared=shared)


def over_all(work: Callable[[S], T], items: Sequence[S], *, shared: bool = True) -> list[T]:
    """`work` done for each item, in their order; `shared` among processes or not.

    Only what is known by its module's name can be sent to a process: `work` is such a function, or
    a `functools.partial` of one. The first item that raises ends it all. A process that has its
    share of some work shares it no further.
    """
    processes = min(usable_cores(), len(items))
    if not shared or processes < 2 or multiprocessing.parent_process() is not None:
        with garbage_collector_on() if len(items) > 1 else nullcontext():
            return [work(item) for item in items]
    with ProcessPoolExecutor(processes, initializer=_begin) as pool:
        return list(pool.map(work, items))


def _with_index(work: Callable[[Index, str], T], results: Path, key: str) -> T:
    with Index.open(results) as index:
        return work(index, key)


def _begin() -> None:
    # Ctrl-C reaches all processes of a terminal; the one that asked says what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What was loaded before stays; what is made for one item must not stay through all others.
    gc.freeze()
    gc.enable()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=[parent.sentinel], daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process with its parent, which may be killed without a chance to end it."""
    connection.wait([sentinel])
    os._exit(1)
