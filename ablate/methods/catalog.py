"""Facts about networks and data sets that are needed before torch is: widths, sizes, classes.

The training room builds the real things; a test holds them against this page.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePath

from ablate.errors import InputError, Problem, did_you_mean
from ablate.methods.image_folder import read_image_folder
from ablate.methods.installed_data import installed_data
from ablate.methods.parts import Value
from ablate.methods.places import DATA_PLACES
from ablate.methods.torchvision_networks import TORCHVISION

#: The package's own networks: name -> width of the pooled features in front of the classifier.
PACKAGE_NETWORKS: dict[str, int] = {
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

#: All networks that have a name; where a name is one of torchvision's too, as vgg13, ours counts.
NETWORKS = {**TORCHVISION, **PACKAGE_NETWORKS}

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
    content: str = ""  #: SHA-256 of a user's own files, "" where the name says what they hold
    notes: tuple[str, ...] = ()  #: what was counted and ignored in a user's own files

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the map that a folder's images are decoded into; 0 for other data sets."""
        images = self.train + self.test if self.name.startswith(FOLDER) else 0
        return images * self.channels * self.size**2

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
    )
}

#: What any image folder shares until its files are looked at.
_FOLDER = DataInfo(
    "folder", "image folder", 3, 0, 224, 0, 0, 0, True, _IMAGENET_MEAN, _IMAGENET_STD
)

FOLDER, ARRAYS = "folder:", "npz:"  #: what the name of a user's own data starts with
DECODED_FOLDER = "decoded"  #: in `data_dir`; holds a folder for each decoded image folder
SOURCE_FILE = "source.json"  #: in such a folder; the `DataInfo` of what was decoded
_MOST_ARRAYS = 10  #: of an archive that a message names
_SUBSET = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)  # "fashion-mnist[10000]"


def data_info(name: str) -> DataInfo:
    """Return what is known of a data set by its name.

    A name is one of the catalogue, "folder:PATH[@SIZE]", "npz:PATH" or what an installed package
    brings; followed by [N], so many of its training images. A folder's images are counted and
    digested. Raises `InputError` for an unknown name and for files that can't be a data set, with
    all that is wrong with them.
    """
    whole, subset = split_subset(name)
    if whole.startswith(FOLDER):
        info = _folder_info(whole)
    elif whole.startswith(ARRAYS):
        info = _arrays_info(whole)
    elif whole in DATASETS:
        info = DATASETS[whole]
    elif place := installed_data(whole):
        info = data_info(place)
    else:
        names = [*DATASETS, *DATA_PLACES.installed(), f"{ARRAYS}PATH"]
        right = (
            f'"{FOLDER}PATH"' if name == "folder" else did_you_mean(name, [*names, f"{FOLDER}PATH"])
        )
        if "did you mean" not in right and ":" not in whole:
            right += "; or install the package that brings it"
        raise InputError(Problem("data", name, "no such data set", right))
    return info if subset is None else _subset(info, name, subset)


@cache
def known_data(name: str) -> DataInfo | None:
    """What the catalogue says of a data set, or of a part of it; None for a user's own files."""
    return data_info(name) if split_subset(name)[0] in DATASETS else None


def split_subset(name: str) -> tuple[str, int | None]:
    """Split "NAME[N]" into the name of the whole data set and the number of training images."""
    match = _SUBSET.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


def _subset(info: DataInfo, name: str, count: int) -> DataInfo:
    if not info.classes <= count <= info.train:
        message = f"{count:,} of {info.train:,} training images"
        right = f"{info.classes:,} to {info.train:,}, at least one of each class"
        raise InputError(Problem("data", name, message, right))
    title = f"{info.title}, {count:,} of {info.train:,} training images"
    return replace(info, name=name, title=title, train=count)


def content_name(name: str) -> str:
    """A data set's name without the path of a user's own files: "folder:/my/set@64" → "folder@64".

    So a job stays the same job when its data moves; what the files hold is another part of its id.
    """
    whole, subset = split_subset(name)
    if whole.startswith(FOLDER):
        whole = f"folder@{split_folder_name(whole)[1]}"
    elif whole.startswith(ARRAYS):
        whole = ARRAYS.rstrip(":")
    return whole if subset is None else f"{whole}[{subset}]"


def by_content(overrides: Mapping[str, Value]) -> dict[str, Value]:
    """Overridden settings for an id: those of --set, "data" among them by its `content_name`."""
    data = {"data": content_name(str(overrides["data"]))} if "data" in overrides else {}
    return {**overrides, **data}


def name_without_path(name: str) -> str:
    """A data set's name for readers elsewhere: "folder:/my/set@64" → "folder:set@64"."""
    for family in (FOLDER, ARRAYS):
        if name.startswith(family):
            return f"{family}{PurePath(name.removeprefix(family)).name}"
    return name


def located(name: str, path: Path | None) -> str:
    """The inverse of `content_name`, for files that now lie at `path`."""
    for family in (FOLDER, ARRAYS):
        kind = family.rstrip(":")
        if path is not None and name.startswith(kind):
            return f"{family}{path}{name.removeprefix(kind)}"
    return name


def data_path(name: str) -> Path | None:
    """Where a user's own files lie; None for data sets of the catalogue."""
    whole, _ = split_subset(name)
    if whole.startswith(ARRAYS):
        return Path(whole.removeprefix(ARRAYS)).expanduser()
    return split_folder_name(whole)[0] if whole.startswith(FOLDER) else None


def split_folder_name(name: str) -> tuple[Path, int]:
    """Split "folder:PATH[@SIZE]" into the path and the side of its images in pixels."""
    path, at, size = name.removeprefix(FOLDER).rpartition("@")
    if at and size.isdecimal():
        return Path(path).expanduser(), int(size)
    return Path(name.removeprefix(FOLDER)).expanduser(), _FOLDER.size


def resolve_folder(name: str, start: Path) -> str:
    """One spelling of the name of a user's own data, whose relative path starts at `start`.

    Of an installed package's data set, where its images lie. Names of other data sets stay as they
    are, also of a package's with something wrong, which `data_info` tells.
    """
    whole, subset = split_subset(name)
    if whole not in DATASETS:
        with suppress(InputError):
            whole = installed_data(whole) or whole
    if whole.startswith(ARRAYS):
        located_at = (start / Path(whole.removeprefix(ARRAYS)).expanduser()).resolve()
        return f"{ARRAYS}{located_at}" + ("" if subset is None else f"[{subset}]")
    if not whole.startswith(FOLDER):
        return name
    path, size = split_folder_name(whole)
    path = (start / path).resolve()
    plain = f"{FOLDER}{path}"
    clear = split_folder_name(plain) == (path, size) and split_subset(plain)[1] is None
    spelled = plain if clear else f"{plain}@{size}"
    return spelled if subset is None else f"{spelled}[{subset}]"


def _arrays_info(name: str) -> DataInfo:
    from ablate.methods.arrays import read_array_file

    path = Path(name.removeprefix(ARRAYS)).expanduser()
    _check_arrays(path)
    found = read_array_file(path)
    size, channels, images = found.shape
    train = int(found.trains.sum())
    grey = (0.449,), (0.226,)  # ImageNet's, as bright as its colours are
    mean, std = (_IMAGENET_MEAN, _IMAGENET_STD) if channels == 3 else grey
    return DataInfo(
        name=name,
        title=f"{found.path.stem} ({size}×{size}, arrays)",
        channels=channels,
        classes=len(found.classes),
        size=size,
        train=train,
        test=images - train,
        padding=max(1, size // 8),
        flip=found.flip,
        mean=mean,
        std=std,
        content=found.content,
        notes=found.notes(),
    )


def _check_arrays(path: Path) -> None:
    """InputError for an archive that lacks arrays of a data set; it says which it has."""
    from ablate.methods.arrays import LAYOUT

    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        there = [name.removesuffix(".npy") for name in archive.namelist()]
        missing = [f'"{name}"' for name in ("images", "labels", "split") if name not in there]
        if missing:
            has = f"it has {', '.join(there[:_MOST_ARRAYS]) or 'none'}"
            message = f"no array {' and no '.join(missing)}; {has}"
            raise InputError(Problem("data", str(path), message, LAYOUT))


def _folder_info(name: str) -> DataInfo:
    root, size = split_folder_name(name)
    problems = [] if size >= 8 else [Problem("data", name, "size below 8 pixels", "8 or more")]
    try:
        folder = read_image_folder(root)
        content = folder.content()
    except InputError as error:
        raise InputError([*problems, *error.problems]) from None
    if problems:
        raise InputError(problems)
    return replace(
        _FOLDER,
        name=name,
        title=f"{root.name} ({size}×{size}, image folder)",
        classes=len(folder.classes),
        size=size,
        train=len(folder.train.images),
        test=len(folder.test.images),
        padding=size // 8,  # as much of the side as on the small data sets
        content=content,
        notes=folder.notes,
    )
