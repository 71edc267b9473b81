"""Where the files of the catalogue's data sets lie, found without loading them or torch."""

from __future__ import annotations

import gzip
from pathlib import Path

from ablate.methods.catalog import DATASETS, DataInfo

#: Where Debian's package dataset-fashion-mnist keeps its files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

#: Names that torchvision gives the sets in MNIST's format.
MNIST_CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}
IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CIFAR_FILES = {
    "cifar10": (
        "cifar-10-batches-py",
        ("batches.meta", "test_batch", *(f"data_batch_{i}" for i in range(1, 6))),
    ),
    "cifar100": ("cifar-100-python", ("meta", "train", "test")),
}


def find_files(info: DataInfo, data_dir: Path) -> list[Path]:
    """The files of a set in MNIST's or CIFAR's format, from the first folder that has all.

    Empty where none has.
    """
    if info.name in _CIFAR_FILES:
        batches, names = _CIFAR_FILES[info.name]
        files = [data_dir / batches / name for name in names]
        return files if all(map(Path.is_file, files)) else []
    folders = [data_dir / MNIST_CLASSES[info.name] / "raw", data_dir / info.name, data_dir]
    if info.name == "fashion-mnist":
        folders.append(DEBIAN_FASHION_MNIST)
    for folder in folders:
        spellings = [(folder / name, folder / f"{name}.gz") for name in IDX_FILES]
        found = [next(filter(Path.is_file, pair), None) for pair in spellings]
        files = [file for file in found if file]
        if len(files) == len(IDX_FILES):
            return files
    return []


def seem_sound(info: DataInfo, data_dir: Path) -> bool:
    """Whether a set of the catalogue is there, as far as is seen without reading all of it.

    Of MNIST's format the length of each file is compared with what it must hold.
    """
    if info.name not in MNIST_CLASSES:
        return info.name not in _CIFAR_FILES or bool(find_files(info, data_dir))
    lengths = [
        length
        for count in (info.train, info.test)
        for length in (16 + count * info.size**2, 8 + count)  # head and bytes: images, labels
    ]
    files = find_files(DATASETS[info.name], data_dir)
    try:
        return bool(files) and list(map(_raw_length, files)) == lengths
    except OSError:
        return False


def _raw_length(file: Path) -> int:
    """Bytes of a file when unpacked; a gzip file says so in its last four bytes."""
    if file.suffix != ".gz":
        return file.stat().st_size
    with file.open("rb") as packed:
        if packed.read(2) != b"\x1f\x8b":
            raise gzip.BadGzipFile(f"{file} is no gzip file")
        packed.seek(-4, 2)
        return int.from_bytes(packed.read(), "little")
