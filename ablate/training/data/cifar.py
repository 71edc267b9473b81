"""CIFAR-10 and CIFAR-100, in the layout that torchvision reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate.methods.catalog import DataInfo
from ablate.training.data.download import download
from ablate.training.data.images import ImageData


def load(info: DataInfo, data_dir: Path) -> ImageData:
    """Load the batches below `data_dir`, else from the archive there, else from the network.

    torchvision holds every file against its checksum before it unpickles it.
    """
    from torchvision import datasets

    source = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[info.name]
    try:
        return _read(source, info, data_dir)
    except RuntimeError:  # a batch is missing or damaged
        right = f"put {source.base_folder}/ or {source.filename} there"
        download(info, data_dir, source.base_folder, lambda to: _fetch(source, data_dir, to), right)
    return _read(source, info, data_dir)


def _read(source: Any, info: DataInfo, data_dir: Path) -> ImageData:
    return ImageData(info, *_split(source(data_dir)), *_split(source(data_dir, train=False)))


def _split(split: Any) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(split.data).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor(split.targets)


def _fetch(source: Any, data_dir: Path, to: Path) -> None:
    from torchvision.datasets.utils import check_integrity

    archive = data_dir / source.filename
    if check_integrity(archive, source.tgz_md5):  # torchvision unpacks it where it finds it
        (to / source.filename).symlink_to(archive.resolve())
    source(to, download=True)
