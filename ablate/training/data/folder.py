"""A user's own images: PATH/train/CLASS/* and PATH/val/CLASS/*, as ImageNet is laid out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from ablate.methods.catalog import DataInfo, split_folder_name, split_subset
from ablate.methods.image_folder import read_image_folder
from ablate.training.data.decoded import DecodedMap, Tick, decoded_images
from ablate.training.data.images import ImageData

_LOG_EVERY_S = 10.0


def load(info: DataInfo, data_dir: Path) -> ImageData:
    """Map the decoded images of a folder into memory; the first job decodes them.

    Test images are resized and cropped as training images are. Raises `InputError` for images that
    can't be decoded.
    """
    name, _ = split_subset(info.name)
    root, size = split_folder_name(name)
    folder = read_image_folder(root)
    target = DecodedMap.of(folder, info.content, size, data_dir)
    target.describe(info)
    images = decoded_images(folder, target, _logging(info.title))
    train = len(folder.train.images)
    return ImageData(
        info,
        images[:train],
        torch.tensor(folder.train.labels),
        images[train:],
        torch.tensor(folder.test.labels),
    )


def _logging(title: str) -> Tick:
    """Say in the job's log how far the decoding is, now and then."""
    spoken = time.monotonic()

    def tick(done: int, total: int) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= _LOG_EVERY_S or done == total:
            spoken = time.monotonic()
            sys.stderr.write(f"{title}: decoded {done:,} of {total:,} images\n")

    return tick
