"""Data sets of NumPy arrays: counted, and refused with all that is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.errors import InputError
from ablate.methods.catalog import content_name, data_info, data_path, located, resolve_folder


def arrays(**changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    whole = {
        "images": random.integers(0, 256, (12, 10, 10, 3), dtype=np.uint8),
        "labels": np.array(["cat", "dog", "owl"] * 4),
        "split": np.array(["train"] * 9 + ["test"] * 3),
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def saved(path: Path, **changes: Any) -> Path:
    np.savez(path / "my set.npz", **arrays(**changes))
    return path / "my set.npz"


def test_arrays_are_counted(tmp_path: Path) -> None:
    info = data_info(f"npz:{saved(tmp_path)}")
    assert (info.classes, info.train, info.test) == (3, 9, 3)
    assert (info.size, info.channels, info.flip) == (10, 3, False)
    assert "3 classes, 9 images to train and 3 to test" in info.notes[0]
    assert len(info.content) == 64
    grey = saved(tmp_path, images=np.zeros((12, 10, 10), np.uint8), flip=np.array(True))
    info = data_info(f"npz:{grey}[6]")
    assert (info.channels, info.train, info.flip) == (1, 6, True)


def test_the_name_of_arrays_has_no_path_in_a_job(tmp_path: Path) -> None:
    path = saved(tmp_path)
    name = resolve_folder(f"npz:{path.name}[6]", tmp_path)
    assert name == f"npz:{path}[6]"
    assert content_name(name) == "npz[6]"
    assert located("npz[6]", path) == name
    assert data_path(name) == path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.zeros((12, 10, 10), np.float32)}, "float32, not uint8"),
        ({"images": np.zeros((12, 10, 9), np.uint8)}, "not square"),
        ({"images": np.zeros((12, 10, 10, 2), np.uint8)}, "shape"),
        ({"images": np.asfortranarray(np.zeros((12, 10, 10), np.uint8))}, "ascontiguousarray"),
        ({"images": None}, "images"),
        ({"labels": None}, "labels"),
        ({"labels": np.zeros(11, np.int64)}, "not 12 of them"),
        ({"labels": np.zeros(12, np.int64)}, "one class"),
        ({"labels": np.zeros(12)}, "float64"),
        ({"labels": np.array([0] * 11 + [1])}, "one split only: 1"),
        ({"labels": np.array([None] * 12)}, "pickle"),
        ({"split": np.array(["train"] * 9 + ["tset"] * 3)}, "split"),
    ],
)
def test_what_is_wrong_with_arrays_is_told(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        data_info(f"npz:{saved(tmp_path, **changes)}")


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no archive")
    for name in ("x.npz", "none.npz"):
        with pytest.raises(InputError, match="can be read"):
            data_info(f"npz:{tmp_path / name}")


def test_an_archive_of_other_arrays_says_what_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x_train=np.zeros(3), y_train=np.zeros(3), labels=np.zeros(3))
    with pytest.raises(InputError) as caught:
        data_info(f"npz:{tmp_path / 'x.npz'}")
    (problem,) = caught.value.problems
    assert problem.message == 'no array "images" and no "split"; it has x_train, y_train, labels'
