"""A user's own images as NumPy arrays: an .npz file with `images`, `labels` and `split`."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.methods.file_digests import file_digest

LAYOUT = "images (n, h, w) or (n, h, w, channels) uint8, labels (n,), split (n,) train or test"
_MOST_IMAGES = 100_000_000
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class ArrayFile:
    """What an .npz file holds; of its images only the shape has been read."""

    path: Path
    shape: tuple[int, int, int]  #: side, channels, images
    labels: Any  #: (n,) int64, numbers of the classes
    classes: tuple[str, ...]  #: as the file writes them, sorted
    trains: Any  #: (n,) bool
    flip: bool  #: whether a mirrored image still is of its class
    content: str  #: SHA-256 of the file

    def notes(self) -> tuple[str, ...]:
        """What was counted."""
        trains = int(self.trains.sum())
        tests = self.shape[2] - trains
        counted = f"{trains:,} images to train and {tests:,} to test"
        return (f"{self.path.name}: {len(self.classes):,} classes, {counted}",)


def read_array_file(path: Path) -> ArrayFile:
    """Read labels and split of an .npz file, and the shape of its images.

    Raises `InputError` with all that is wrong with it.
    """
    import numpy as np

    try:
        content = file_digest(path)
        with zipfile.ZipFile(path) as archive:
            shape, kind = _header(archive)
            limited = [info for info in archive.infolist() if info.filename != "images.npy"]
            if any(info.file_size > 1000 * _MOST_IMAGES for info in limited):
                raise ValueError("labels or split are larger than any data set")
        with np.load(path, allow_pickle=False) as arrays:
            labels, split = arrays["labels"], arrays["split"]
            flip = bool(arrays["flip"]) if "flip" in arrays else False
    except KeyError as error:
        problem = Problem("data", str(path), f"has no array {error}", LAYOUT)
        raise InputError(problem) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        problem = Problem("data", str(path), f"is no .npz file that can be read: {error}", LAYOUT)
        raise InputError(problem) from error
    problems = [
        Problem("data", str(path), fault, LAYOUT) for fault in _faults(shape, kind, labels, split)
    ]
    if problems:
        raise InputError(problems)
    classes, numbers = np.unique(labels, return_inverse=True)
    channels = shape[3] if len(shape) == 4 else 1
    return ArrayFile(
        path=path,
        shape=(shape[1], channels, shape[0]),
        labels=numbers.astype(np.int64),
        classes=tuple(map(str, classes)),
        trains=split == "train",
        flip=flip,
        content=content,
    )


def _header(archive: zipfile.ZipFile) -> tuple[tuple[int, ...], str]:
    """Shape and type of the images, from the head of their array."""
    from numpy.lib import format as npy

    with archive.open("images.npy") as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, kind = read(file)
    if fortran_order:
        raise ValueError("images are stored column by column: save numpy.ascontiguousarray(images)")
    return shape, str(kind)


def _faults(shape: tuple[int, ...], kind: str, labels: Any, split: Any) -> list[str]:
    import numpy as np

    faults = []
    square = len(shape) in (3, 4) and shape[1] == shape[2] >= 8
    if (
        not square
        or (len(shape) == 4 and shape[3] not in (1, 3))
        or not 0 < shape[0] < _MOST_IMAGES
    ):
        faults.append(f"images have the shape {shape}: not square ones of 8 pixels or more")
    if kind != "uint8":
        faults.append(f"images are {kind}, not uint8: scale them to 0..255")
    n = shape[0] if shape else 0
    if labels.shape != (n,) or labels.dtype.kind not in "iuU":
        faults.append(f"labels are {labels.dtype} of shape {labels.shape}, not {n:,} of them")
    if split.shape != (n,) or not set(np.unique(split).tolist()) <= set(_SPLITS):
        faults.append(f'split does not say "train" or "test" for each of {n:,} images')
    if not faults:
        trained, tested = (set(np.unique(labels[split == name]).tolist()) for name in _SPLITS)
        alone = sorted(map(str, trained ^ tested))
        if alone:
            faults.append(f"classes in one split only: {', '.join(alone[:10])}")
        elif len(trained) < 2:
            faults.append("has one class, which leaves nothing to learn")
    return faults
