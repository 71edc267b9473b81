"""A frozen teacher's features of every view that crop and flip can make of every image.

The table is a file that is never whole in memory, nor on a GPU: a step needs a batch of its rows,
which are gathered from a memory map. It is filled pass by pass, a pass being one view of a chunk
of images, each written to its own place. So filling takes the memory of one pass, a checkpoint is
one number, and a table that was interrupted has the bytes of one that was not.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from ablate.errors import InputError, Problem
from ablate.methods.file_digests import file_digest
from ablate.methods.session import Position, Session
from ablate.training import checkpoint
from ablate.training.data import ImageData
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.views import all_views

FEATURES, MANIFEST = "features.bin", "features.json"  # artifacts

#: Images per pass; fixed, since another number may round to other bits.
_CHUNK = 250


@dataclass(frozen=True)
class Layout:
    """Where a row of the table lies in its file: chunk of images, then view, then image."""

    views: int
    images: int
    width: int
    chunk: int = _CHUNK

    @property
    def chunks(self) -> int:
        """Number of chunks; the last may have fewer images."""
        return -(-self.images // self.chunk)

    @property
    def size(self) -> int:
        """Bytes of the file: float32."""
        return 4 * self.views * self.images * self.width

    def row(self, view: Tensor, image: Tensor) -> Tensor:
        """Number of the row of each view (n,) of each image (n,), from 0."""
        first = image.div(self.chunk, rounding_mode="floor") * self.chunk
        in_chunk = (self.images - first).clamp(max=self.chunk)
        return first * self.views + view * in_chunk + image - first

    def offset(self, chunk: int, view: int) -> int:
        """Byte at which the rows of a view of a chunk of images begin."""
        first = torch.tensor(chunk * self.chunk)
        return 4 * self.width * int(self.row(torch.tensor(view), first))


@torch.no_grad()
def fill_table(
    session: Session, teacher: Network, data: ImageData, augmentation: str, precision: Precision
) -> str:
    """Write the table by a teacher in eval mode; return the SHA-256 of its file."""
    views = data.info.crop_views if augmentation != "none" else 1
    layout = Layout(views, len(data.train_images), teacher.feature_dim)
    with os.fdopen(session.open_artifact(FEATURES), "r+b", buffering=0) as file:
        kept = _reserve(file.fileno(), layout)
        content = session.resume()
        done = checkpoint.unpack(content)["passes"] if content is not None and kept else 0
        writer = _Writer(file.fileno(), done)
        passes = _passes(data, augmentation, layout, skipped=done)
        for number, (chunk, view, rendered) in enumerate(passes, start=done + 1):
            with precision.autocast():
                features = teacher.features(precision.lay_out(rendered))
            writer.put(features.float(), layout.offset(chunk, view))
            if number < layout.chunks * layout.views:
                position = Position(chunk + 1, number, view == layout.views - 1)
                session.step_done(position, writer.snapshot)
        writer.flush()
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = {**asdict(layout), "dtype": "float32", "sha256": digest}
    session.save_artifact(MANIFEST, json.dumps(manifest, indent=2).encode())
    return digest


def _passes(
    data: ImageData, augmentation: str, layout: Layout, skipped: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Yield (chunk, view, images) of every pass but the first `skipped`."""
    for chunk in range(skipped // layout.views, layout.chunks):
        images = data.train_images[chunk * layout.chunk : (chunk + 1) * layout.chunk]
        images = images.to(data.train_labels.device)  # where there are too many, they are not there
        for view, rendered in all_views(images, data.info, augmentation):
            if chunk * layout.views + view >= skipped:
                yield chunk, view, rendered


def _reserve(descriptor: int, layout: Layout) -> bool:
    """Make room for the whole table; return whether it was there before.

    A disk that is too small is found here, before the first pass.
    """
    if os.fstat(descriptor).st_size == layout.size:
        return True
    os.ftruncate(descriptor, 0)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, layout.size)
    else:
        os.ftruncate(descriptor, layout.size)
    return False


class _Writer:
    """Writes features to their places, one pass behind, so that a GPU need not wait for a disk."""

    def __init__(self, descriptor: int, done: int) -> None:
        self._descriptor = descriptor
        self._done = done  #: passes that are in the file
        self._pending: tuple[Tensor, torch.cuda.Event | None, int] | None = None

    def put(self, features: Tensor, offset: int) -> None:
        """Write features (n, width) at a byte of the file, at the next call at the latest."""
        copied = None
        if features.device.type == "cuda":
            host = torch.empty(features.shape, pin_memory=True)
            features = host.copy_(features, non_blocking=True)
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        self._write()
        self._pending = features, copied, offset

    def _write(self) -> None:
        if self._pending is None:
            return
        features, copied, offset = self._pending
        if copied is not None:
            copied.synchronize()
        rows = features.contiguous().numpy().data.cast("B")
        while rows:
            written = os.pwrite(self._descriptor, rows, offset)
            rows, offset = rows[written:], offset + written
        self._done += 1
        self._pending = None

    def flush(self) -> None:
        """Bring all that was put to the disk."""
        self._write()
        os.fsync(self._descriptor)

    def snapshot(self) -> bytes:
        """All that a checkpoint needs: how many passes are safely in the file."""
        self.flush()
        return checkpoint.pack({"passes": self._done})


class TeacherTable:
    """A filled table, read row by row from its file."""

    def __init__(self, layout: Layout, features: Tensor) -> None:
        self.layout = layout
        self._features = features  #: (rows, width), a memory map

    @classmethod
    def open(cls, folder: Path, views: int, images: int, width: int) -> Self:
        """Open the table in a folder of artifacts, which must have the shape that is given.

        Raises `InputError` if it is damaged or of another shape. Its digest is checked once as
        long as the file does not change, whatever the number of jobs that read it.
        """
        path, layout = folder / FEATURES, Layout(views, images, width)
        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                right = {**asdict(layout), "dtype": "float32", "sha256": file_digest(path)}
                if manifest != right or os.fstat(descriptor).st_size != layout.size:
                    raise ValueError("its bytes or its shape are not those that were written")
                # A private map, since torch takes no memory that can't be written.
                memory = mmap.mmap(file.fileno(), layout.size, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as error:
            message = f"is no sound table of teacher features: {error}"
            right_thing = "delete the folder of this job, and run the study again"
            raise InputError(Problem(str(path), "", message, right_thing)) from error
        if hasattr(mmap, "MADV_RANDOM"):
            memory.madvise(mmap.MADV_RANDOM)  # rows lie apart: reading ahead would be wasted
        array = np.frombuffer(memory, dtype=np.float32).reshape(-1, width)
        return cls(layout, torch.from_numpy(array))

    def rows(self, view: Tensor, image: Tensor) -> Tensor:
        """Features (n, width) of the views (n,) of images (n,), all on the CPU."""
        return self._features[self.layout.row(view, image)]
