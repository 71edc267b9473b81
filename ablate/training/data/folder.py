"""A user's own images: PATH/train/CLASS/* and PATH/val/CLASS/*, as ImageNet is laid out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from ablate.errors import InputError, Problem
from ablate.methods.catalog import DataInfo, split_folder_name
from ablate.training.data.images import ImageData

_SHOWN = 20  #: unreadable images that are named one by one


def load(info: DataInfo, _data_dir: Path) -> ImageData:
    """Decode every image, shorter side to 8/7 of `info.size`, centre cropped to `info.size`.

    Grey images become RGB. Test images are treated as training images are.
    """
    _check_memory(info)
    root, _ = split_folder_name(info.name)
    unreadable: list[str] = []
    train = _decode(root / "train", info.size, unreadable)
    test = _decode(root / "val", info.size, unreadable)
    if unreadable:
        problems = [
            Problem("data", info.name, f"unreadable image {text}", "repair or remove it")
            for text in unreadable[:_SHOWN]
        ]
        if len(unreadable) > _SHOWN:
            more = f"and {len(unreadable) - _SHOWN} more unreadable images"
            problems.append(Problem("data", info.name, more))
        raise InputError(problems)
    return ImageData(info, *train, *test)


def _decode(folder: Path, size: int, unreadable: list[str]) -> tuple[Tensor, Tensor]:
    """Images (n, 3, size, size) uint8 and labels (n,) of a split; names what can't be read."""
    from PIL import Image
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    prepare = transforms.Compose(
        [transforms.Resize(round(size * 8 / 7)), transforms.CenterCrop(size)]
    )
    split: Any = ImageFolder(str(folder), transforms.Compose([prepare, transforms.PILToTensor()]))
    images = torch.empty(len(split), 3, size, size, dtype=torch.uint8)
    for i, (file, _) in enumerate(split.samples):
        try:
            images[i], _ = split[i]
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            unreadable.append(f"{file}: {error}")
    return images, torch.tensor(split.targets)


def _check_memory(info: DataInfo) -> None:
    need = (info.train + info.test) * info.channels * info.size**2
    free = psutil.virtual_memory().available
    if need > free:
        message = f"needs {need / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free"
        raise InputError(Problem("data", info.name, message, 'smaller images: "folder:PATH@64"'))
