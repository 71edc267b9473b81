"""Facts about networks and data sets that are needed before torch is: widths, sizes, classes.

The training room builds the real things; a test holds them against this page.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.errors import InputError, Problem, did_you_mean

#: Name -> width of the pooled features in front of the classifier.
NETWORKS: dict[str, int] = {
    **dict.fromkeys(
        ("resnet8", "resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"), 64
    ),
    "resnet8x4": 256,
    "resnet32x4": 256,
    "ResNet50": 2048,
    "wrn_16_1": 64,
    "wrn_16_2": 128,
    "wrn_40_1": 64,
    "wrn_40_2": 128,
    **dict.fromkeys(("vgg8", "vgg11", "vgg13", "vgg16", "vgg19"), 512),
    "MobileNetV2": 1280,
    "ShuffleV1": 960,
    "ShuffleV2": 1024,
    "resnet18_imagenet": 512,
    "resnet34_imagenet": 512,
    "resnet50_imagenet": 2048,
    "resnet101_imagenet": 2048,
}

#: Students that the field trains at a fifth of the usual learning rate (RepDistiller's recipe).
SMALL_LR_NETWORKS = frozenset({"MobileNetV2", "ShuffleV1", "ShuffleV2"})


@dataclass(frozen=True)
class DataInfo:
    """What is known of a data set without loading it."""

    name: str
    title: str  #: as a table's footer prints it
    channels: int
    classes: int
    size: int  #: side of the square images, in pixels
    train: int  #: number of training images; 0 where only the files tell
    test: int
    padding: int  #: zero padding of the random crop, in pixels
    flip: bool  #: whether a mirrored image still is of its class
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def crop_views(self) -> int:
        """Number of views that crop and flip can make of one image."""
        return (2 * self.padding + 1) ** 2 * (2 if self.flip else 1)


_CIFAR_MEAN, _CIFAR_STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _grey(name: str, title: str, mean: float, std: float, *, flip: bool = False) -> DataInfo:
    return DataInfo(name, title, 1, 10, 28, 60_000, 10_000, 3, flip, (mean,), (std,))


DATASETS: dict[str, DataInfo] = {
    info.name: info
    for info in (
        # Every third image of scikit-learn's 1,797 trains, the others test: few training images
        # keep the quick profile off the ceiling, many test images keep its resolution fine.
        DataInfo(
            "digits",
            "digits (8×8, scikit-learn)",
            1,
            10,
            8,
            599,
            1198,
            1,
            False,
            (0.3039,),
            (0.3755,),
        ),
        _grey("mnist", "MNIST", 0.1307, 0.3081),
        _grey("fashion-mnist", "Fashion-MNIST", 0.2860, 0.3530, flip=True),
        _grey("kmnist", "Kuzushiji-MNIST", 0.1918, 0.3483),
        DataInfo(
            "cifar10", "CIFAR-10", 3, 10, 32, 50_000, 10_000, 4, True, _CIFAR_MEAN, _CIFAR_STD
        ),
        DataInfo(
            "cifar100", "CIFAR-100", 3, 100, 32, 50_000, 10_000, 4, True, _CIFAR_MEAN, _CIFAR_STD
        ),
        DataInfo("folder", "image folder", 3, 0, 224, 0, 0, 0, True, _IMAGENET_MEAN, _IMAGENET_STD),
    )
}

#: Files in an image folder that count as images; torchvision's list.
IMAGE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)
FOLDER = "folder:"  #: what the name of a user's own image folder starts with


def data_info(name: str) -> DataInfo:
    """Return what is known of a data set, by its name or by "folder:PATH[@SIZE]".

    A folder's images and classes are counted. Raises `InputError` for an unknown name and for a
    folder that can't be a data set, with all that is wrong with it.
    """
    if name.startswith(FOLDER):
        return _folder_info(name)
    if name in DATASETS and name != "folder":
        return DATASETS[name]
    names = [known for known in DATASETS if known != "folder"]
    right = f'"{FOLDER}PATH"' if name == "folder" else did_you_mean(name, [*names, f"{FOLDER}PATH"])
    raise InputError(Problem("data", name, "no such data set", right))


def data_fingerprint(name: str) -> str:
    """Return a digest that changes with the files of an image folder; "" for other data sets.

    SHA-256 over names and sizes of all images, not over their content: that would mean to read
    hundreds of gigabytes before anything is planned.
    """
    if not name.startswith(FOLDER):
        return ""
    root, _ = split_folder_name(name)
    digest = hashlib.sha256()
    images = (image for split in ("train", "val") for image in _images(root / split))
    for relative, size in sorted(
        (i.relative_to(root).as_posix(), i.stat().st_size) for i in images
    ):
        digest.update(f"{relative}\0{size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def split_folder_name(name: str) -> tuple[Path, int]:
    """Split "folder:PATH[@SIZE]" into the path and the side of its images in pixels."""
    path, at, size = name.removeprefix(FOLDER).rpartition("@")
    if at and size.isdecimal():
        return Path(path).expanduser(), int(size)
    return Path(name.removeprefix(FOLDER)).expanduser(), DATASETS["folder"].size


def resolve_folder(name: str, start: Path) -> str:
    """One spelling of an image folder's name, whose relative path starts at `start`.

    Names of other data sets stay as they are.
    """
    if not name.startswith(FOLDER):
        return name
    path, size = split_folder_name(name)
    path = (start / path).resolve()
    plain = f"{FOLDER}{path}"
    return plain if split_folder_name(plain) == (path, size) else f"{plain}@{size}"


def _folder_info(name: str) -> DataInfo:
    root, size = split_folder_name(name)
    problems = [] if size >= 8 else [Problem("data", name, "size below 8 pixels", "8 or more")]
    layout = "PATH/train/CLASS/*.png and PATH/val/CLASS/*.png"
    counts: dict[str, dict[str, int]] = {}
    for split in ("train", "val"):
        folder = root / split
        if not folder.is_dir():
            problems.append(Problem("data", name, f"no folder {folder}", layout))
            continue
        classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        counts[split] = {label: sum(1 for _ in _images(folder / label)) for label in classes}
        if not classes:
            problems.append(Problem("data", name, f"no class folders in {folder}", layout))
        problems += [
            Problem("data", name, f"no images in {folder / label}", ", ".join(IMAGE_ENDINGS))
            for label, images in counts[split].items()
            if images == 0
        ]
    if len(counts) == 2:
        for label in sorted(counts["train"].keys() ^ counts["val"].keys()):
            has, lacks = ("train", "val") if label in counts["train"] else ("val", "train")
            problems.append(
                Problem("data", name, f'class "{label}" is in {has}, not in {lacks}', "the same")
            )
    if problems:
        raise InputError(problems)
    return replace(
        DATASETS["folder"],
        name=name,
        title=f"{root.name} ({size}×{size}, image folder)",
        classes=len(counts["train"]),
        size=size,
        train=sum(counts["train"].values()),
        test=sum(counts["val"].values()),
        padding=size // 8,  # as much of the side as on the small data sets
    )


def _images(folder: Path) -> Iterator[Path]:
    """Yield all image files below `folder`."""
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, n) for n in names if n.lower().endswith(IMAGE_ENDINGS))
