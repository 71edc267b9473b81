"""Faults at exact moments, in every Python process that has this folder on its PYTHONPATH.

TOY_ORDERS names a folder of orders. An order is a file named after a point below; the process
that comes to that point first takes the file away and carries the order out.

kill-checkpoint-writing, -written, -renamed     in the middle of writing, before and after rename
kill-result-written, -renamed                   before and after a result gets its name
kill-ingest-before, -inside                     before and inside the index's transaction
full-checkpoint, full-event, full-result        half is written, then the disk is full
clock-forward, clock-back                       the clock jumps a day, as an event is written
"""

import errno
import os
import signal
import time
from pathlib import Path

ORDERS = os.environ.get("TOY_ORDERS", "")
DAY = 86_400.0

_write, _replace, _time = os.write, os.replace, time.time
clock = {"jump": 0.0}


def take(point):
    """Whether there is an order for this point; it is ours then, and nobody else's."""
    for order in Path(ORDERS).glob(f"{point}.*"):
        try:
            order.unlink()
        except FileNotFoundError:
            continue
        return True
    return False


def die(point):
    if take(f"kill-{point}"):
        os.kill(os.getpid(), signal.SIGKILL)


def kind(path):
    """What a file is, by its name: its temporary name begins with a dot."""
    name = Path(path).name
    if ".ckpt" in name:
        return "checkpoint"
    if "result.json" in name:
        return "result"
    return "event" if name == "events.jsonl" else ""


def write(descriptor, content):
    what = kind(Path(f"/proc/self/fd/{descriptor}").readlink())
    if what == "event":
        clock["jump"] += DAY * take("clock-forward") - DAY * take("clock-back")
    if what and take(f"full-{what}"):
        _write(descriptor, bytes(content)[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if what == "checkpoint" and take("kill-checkpoint-writing"):
        _write(descriptor, bytes(content)[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return _write(descriptor, content)


def replace(source, target, **options):
    what = kind(target)
    if what in ("checkpoint", "result"):
        die(f"{what}-written")
    _replace(source, target, **options)
    if what in ("checkpoint", "result"):
        die(f"{what}-renamed")


def sabotage_ingest():
    from ablate.store import ingest

    ingest_write = ingest.write

    def write(connection, records):
        die("ingest-before")
        ingest_write(connection, records)
        die("ingest-inside")

    ingest.write = write


if ORDERS:
    os.write, os.replace = write, replace  # type: ignore[assignment]
    time.time = lambda: _time() + clock["jump"]
    sabotage_ingest()
