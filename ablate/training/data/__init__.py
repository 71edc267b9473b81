"""Data sets, by the names that the catalogue gives them; one file per family.

A copy found in the data folder is used as it is; only what is missing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo, data_info, split_subset
from ablate.methods.places import DATA_PLACES
from ablate.training.data.images import ImageData
from ablate.training.randomness import generator

__all__ = ["ImageData", "load"]

Reader = Callable[[DataInfo, Path], ImageData]


def load(name: str, data_dir: Path) -> ImageData:
    """Load a data set by its name, see `data_info`.

    Raises `InputError` for an unknown name, and for files that are missing or not as they should.
    """
    info = data_info(name)
    whole, subset = split_subset(name)
    whole_info = info if subset is None else data_info(whole)
    read: Reader = DATA_PLACES.load(whole.partition(":")[0])
    data = read(whole_info, data_dir)
    _check_shapes(data)
    return data if subset is None else _subset(data, info)


def _subset(data: ImageData, info: DataInfo) -> ImageData:
    """Keep `info.train` training images, as many of each class as can be, whatever the seed."""
    order = torch.randperm(len(data.train_labels), generator=generator(0, "training subset", 0))
    labels = data.train_labels[order]
    rank = torch.empty_like(labels)  # of each image among those of its class
    for label in range(info.classes):
        own = labels == label
        rank[own] = torch.arange(int(own.sum()))
    chosen = order[rank.argsort(stable=True)[: info.train]].sort().values
    images, labels = data.train_images[chosen], data.train_labels[chosen]
    return replace(data, info=info, train_images=images, train_labels=labels)


def _check_shapes(data: ImageData) -> None:
    """Hold the data against the catalogue, from which costs and views were planned."""
    info = data.info
    problems = []
    for split, images, labels, count in (
        ("training", data.train_images, data.train_labels, info.train),
        ("test", data.test_images, data.test_labels, info.test),
    ):
        right = (count, info.channels, info.size, info.size)
        if images.shape != right:
            message = f"{split} images have the shape {tuple(images.shape)}"
            problems.append(Problem("data", info.name, message, f"{right}"))
        if len(labels) != count or not bool(((labels >= 0) & (labels < info.classes)).all()):
            message = f"{split} labels are not {count} numbers below {info.classes}"
            problems.append(Problem("data", info.name, message))
    if problems:
        raise InputError(problems)
