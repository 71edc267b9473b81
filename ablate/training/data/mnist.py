"""MNIST and the sets that took over its format: four idx files, raw or gzipped."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo
from ablate.methods.data_files import IDX_FILES, MNIST_CLASSES, find_files
from ablate.training.data.download import download
from ablate.training.data.images import ImageData


def load(info: DataInfo, data_dir: Path) -> ImageData:
    """Load from the first folder that has all four files; download if none has."""
    files = find_files(info, data_dir)
    if not files:
        right = f"put {', '.join(IDX_FILES)}, each raw or as .gz, into {data_dir / info.name}"
        if info.name == "fashion-mnist":
            right += ", or install Debian's dataset-fashion-mnist"
        name = MNIST_CLASSES[info.name]
        download(info, data_dir, name, lambda to: _fetch(name, to), right)
        files = find_files(info, data_dir)
    arrays = [_read_idx(file, info) for file in files]
    _check_identity(info, arrays[0], files[0].parent)
    train_images, train_labels, test_images, test_labels = arrays
    return ImageData(
        info,
        train_images.unsqueeze(1),
        train_labels.long(),
        test_images.unsqueeze(1),
        test_labels.long(),
    )


def _fetch(name: str, to: Path) -> None:
    from torchvision import datasets

    getattr(datasets, name)(to, download=True)


def _read_idx(file: Path, info: DataInfo) -> Tensor:
    """Read the bytes of an idx file in the shape that its head gives: images (n, h, w)."""
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        # Head: two zero bytes, 8 for unsigned bytes, the number of dimensions, their big-endian
        # 32-bit sizes.
        if content[:3] != b"\0\0\x08":
            raise ValueError("no idx file of bytes")
        dimensions = content[3]
        shape = np.frombuffer(content, ">u4", dimensions, offset=4).tolist()
        values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        message = f"{file} can't be read: {error}"
        right = "remove it to have it downloaded, or put a sound copy there"
        raise InputError(Problem("data", info.name, message, right)) from error
    return torch.from_numpy(values.copy())


def _check_identity(info: DataInfo, train_images: Tensor, folder: Path) -> None:
    """Refuse files of another set under this one's name: all carry the same file names."""
    mean = float(train_images.numpy().mean()) / 255
    if abs(mean - info.mean[0]) > 0.001:
        message = (
            f"{folder} holds another data set: its mean pixel is {mean:.4f}, "
            f"that of {info.title} is {info.mean[0]:.4f}"
        )
        raise InputError(Problem("data", info.name, message, f"files of {info.title}"))
