"""Files of the catalogue's data sets: found, and seen to be cut short, without reading them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ablate.methods.catalog import DATASETS
from ablate.methods.data_files import IDX_FILES, find_files, seem_sound

LENGTHS = (16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000)


def write(folder: Path, ending: str = "") -> Path:
    folder.mkdir(parents=True)
    for name, length in zip(IDX_FILES, LENGTHS, strict=True):
        content = bytes(length)
        packed = gzip.compress(content, 1) if ending else content
        (folder / f"{name}{ending}").write_bytes(packed)
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_whole_files_seem_sound_and_shortened_ones_do_not(tmp_path: Path, ending: str) -> None:
    info = DATASETS["mnist"]
    assert not seem_sound(info, tmp_path)
    folder = write(tmp_path / "mnist", ending)
    assert seem_sound(info, tmp_path)
    assert [file.parent for file in find_files(info, tmp_path)] == [folder] * 4
    cut = folder / f"{IDX_FILES[2]}{ending}"
    cut.write_bytes(cut.read_bytes()[:-9])
    assert not seem_sound(info, tmp_path)


def test_an_empty_file_is_not_sound(tmp_path: Path) -> None:
    folder = write(tmp_path / "kmnist", ".gz")
    (folder / f"{IDX_FILES[1]}.gz").write_bytes(b"")
    assert not seem_sound(DATASETS["kmnist"], tmp_path)


def test_cifar_is_there_with_all_of_its_batches(tmp_path: Path) -> None:
    info = DATASETS["cifar100"]
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name in ("meta", "train"):
        (folder / name).write_bytes(b"x")
    assert not seem_sound(info, tmp_path)
    (folder / "test").write_bytes(b"x")
    assert seem_sound(info, tmp_path)


def test_what_scikit_learn_brings_is_always_there(tmp_path: Path) -> None:
    assert seem_sound(DATASETS["digits"], tmp_path)
