"""TensorBoard event files, one folder per run: `tensorboard --logdir FOLDER` shows the curves.

Per-epoch metrics are scalars over the epoch, with the time at which the epoch ended; upstream jobs
are runs like the others. Folders are <variant>/<pair>-seed<seed>-<short id>, or <kind>/... for
upstream jobs, in letters that every file system takes. A second export replaces the first.
Neither torch nor tensorflow is needed, only the `tensorboard` package.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.errors import StoreError
from ablate.matrix.identity import short
from ablate.report.exports.frame import Record, missing_extra
from ablate.report.filenames import safe_name
from ablate.store.events import EpochEnded
from ablate.store.files import atomic_write
from ablate.store.rundir import RunDirectory

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

#: What TensorBoard looks for; without time, host and process, so that a new export replaces it.
FILE_NAME = "events.out.tfevents.0.ablate"


def write_tensorboard(records: Sequence[Record], results: Path, folder: Path) -> list[Path]:
    """Write the curves of jobs, read from their run directories; returns the runs' folders.

    `records` are what `ablate.store.query.export` gives; a job without an epoch has no folder.
    Raises InputError where tensorboard is not installed, StoreError if files cannot be read or
    written.
    """
    try:
        from tensorboard.compat.proto import event_pb2  # noqa: F401
    except ImportError:
        raise missing_extra("tensorboard", "tensorboard") from None
    folders = []
    for record in {run_name(record): record for record in records}.values():  # of several studies
        epochs = epochs_of(RunDirectory.of(results, record["id"]))
        if not epochs:
            continue
        place = folder / run_name(record)
        try:
            place.mkdir(parents=True, exist_ok=True)
            atomic_write(place / FILE_NAME, _content(epochs))
        except OSError as error:
            raise StoreError(f"{place}: cannot be written: {error.strerror}") from error
        folders.append(place)
    return folders


def run_name(record: Record) -> str:
    """Folder of a run, as TensorBoard shows it; the short id keeps equal spellings apart."""
    top = safe_name(record["variant"] or record["kind"])
    pair = safe_name(record["pair"] or "no_pair")
    return f"{top}/{pair}-seed{int(record['seed'])}-{short(record['id'])}"


def epochs_of(run: RunDirectory) -> list[EpochEnded]:
    """The last event of each epoch: what was lost with a crash and trained again counts once."""
    found = {e.epoch: e for e in run.events().events if isinstance(e, EpochEnded)}
    return [found[epoch] for epoch in sorted(found)]


def _content(epochs: Sequence[EpochEnded]) -> bytes:
    from tensorboard.summary.writer.record_writer import RecordWriter

    stream = io.BytesIO()
    writer = RecordWriter(stream)
    for event in _events(epochs):
        writer.write(event.SerializeToString())
    return stream.getvalue()


def _events(epochs: Sequence[EpochEnded]) -> Iterator[Event]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    times = [epoch.time or 0.0 for epoch in epochs]
    yield Event(wall_time=min(times), file_version="brain.Event:2")
    for epoch, time in zip(epochs, times, strict=True):
        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in sorted(epoch.metrics.items())
        ]
        yield Event(wall_time=time, step=epoch.epoch, summary=Summary(value=values))
