"""Image folders in training: decoded once, resumed, shared, and exact."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.errors import InputError
from ablate.methods.catalog import data_info
from ablate.methods.image_folder import read_image_folder
from ablate.training.data import decoded, load
from ablate.training.data.decoded import DecodedMap, decoded_images


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Three classes in the colours red, green and blue; sizes, modes and formats vary."""
    root = tmp_path / "my images"
    for split, count in (("train", 3), ("val", 2)):
        for label, colour in (("a", (200, 0, 0)), ("b", (0, 200, 0)), ("c", (0, 0, 200))):
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (30 + 7 * i, 40), colour)
                image.save(folder / f"{i}.{('png', 'BMP', 'webp')[i]}")
    return root


def orders_given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """First images of the chunks that are decoded from now on."""
    starts: list[int] = []
    ask = decoded._ask

    def noted(idle: Any, order: dict[str, Any]) -> object:
        starts.append(order["start"])
        return ask(idle, order)

    monkeypatch.setattr(decoded, "_ask", noted)
    return starts


def test_a_folder_is_read(image_folder: Path, tmp_path: Path) -> None:
    data = load(f"folder:{image_folder}@16", tmp_path)
    (source,) = (tmp_path / "decoded").glob("*/source.json")
    known = json.loads(json.dumps(asdict(data_info(f"folder:{image_folder}@16"))))
    assert json.loads(source.read_text()) == known
    assert data.train_images.shape == (9, 3, 16, 16)
    assert data.test_images.shape == (6, 3, 16, 16)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test_labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.test_labels.dtype == torch.int64
    for channel in range(3):
        images = data.train_images[data.train_labels == channel].float()
        assert torch.allclose(images[:, channel], torch.tensor(200.0), atol=6)  # webp is lossy


def test_a_copy_in_16_bits_gives_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("a", "b"):
            for depth in ("8", "16"):
                (tmp_path / depth / split / label).mkdir(parents=True)
            for i in range(3):
                values = random.integers(0, 256, (20, 30), dtype=np.uint8)
                Image.fromarray(values).save(tmp_path / "8" / split / label / f"{i}.png")
                deep = Image.fromarray(values.astype(np.uint16) * 257)
                deep.save(tmp_path / "16" / split / label / f"{i}.png")
    eight = load(f"folder:{tmp_path / '8'}@16", tmp_path / "data")
    sixteen = load(f"folder:{tmp_path / '16'}@16", tmp_path / "data")
    # Decoded before it is resized, so a resized copy may differ by what 257 rounds away: nothing.
    assert torch.equal(eight.train_images, sixteen.train_images)
    assert torch.equal(eight.test_images, sixteen.test_images)


def test_the_second_job_decodes_nothing_even_if_the_folder_moved(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(f"folder:{image_folder}@16", tmp_path / "data")
    starts = orders_given(monkeypatch)
    moved = image_folder.rename(tmp_path / "moved")
    second = load(f"folder:{moved}@16", tmp_path / "data")
    assert torch.equal(first.train_images, second.train_images)
    assert starts == []
    load(f"folder:{moved}@24", tmp_path / "data")
    assert starts == [0]


class StoppedError(Exception):
    pass


def test_an_interrupted_decoding_goes_on_where_it_stopped(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "_CHUNK_IMAGES", 2)
    folder = read_image_folder(image_folder)
    whole = decoded_images(folder, DecodedMap(tmp_path / "whole", 15, 16), lambda *_: None)

    def stop(done: int, _total: int) -> None:
        if done >= 8:
            raise StoppedError

    target = DecodedMap(tmp_path / "cut", 15, 16)
    with pytest.raises(StoppedError):
        decoded_images(folder, target, stop)
    done = [json.loads(line)[0] for line in target.chunks_file.read_text().splitlines()]
    assert len(done) == 4
    damaged = done[0]  # as after a power cut, which may lose what was written last
    with target.file.open("r+b") as file:
        file.seek(damaged * target.image_bytes)
        file.write(b"\xff" * 10)
    starts = orders_given(monkeypatch)
    again = decoded_images(folder, target, lambda *_: None)
    assert sorted(starts) == sorted({0, 2, 4, 6, 8, 10, 12, 14} - {*done} | {damaged})
    assert torch.equal(again, whole)


def test_a_map_that_was_damaged_is_mended(image_folder: Path, tmp_path: Path) -> None:
    folder = read_image_folder(image_folder)
    target = DecodedMap(tmp_path / "map", 15, 16)
    before = decoded_images(folder, target, lambda *_: None).clone()
    with target.file.open("r+b") as file:
        file.write(b"\xff" * 100)
    assert torch.equal(decoded_images(folder, target, lambda *_: None), before)


def test_progress_counts_all_images(image_folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = DecodedMap(tmp_path / "map", 15, 16)
    decoded_images(read_image_folder(image_folder), target, lambda *now: seen.append(now))
    assert seen[-1] == (15, 15)


def test_all_unreadable_images_are_named(image_folder: Path, tmp_path: Path) -> None:
    (image_folder / "train" / "b" / "0.png").write_bytes(b"no png")
    sound = (image_folder / "val" / "c" / "0.png").read_bytes()
    (image_folder / "val" / "c" / "0.png").write_bytes(sound[:-40])
    deep = Image.fromarray(np.zeros((20, 20), np.float32))
    deep.save(image_folder / "val" / "a" / "deep.tiff")
    with pytest.raises(InputError) as error:
        load(f"folder:{image_folder}@16", tmp_path)
    assert len(error.value.problems) == 2
    assert all(name in str(error.value) for name in ("train/b/0.png", "val/c/0.png"))
    for name in ("train/b/0.png", "val/c/0.png"):
        (image_folder / name).unlink()
    with pytest.raises(InputError) as error:  # what only decoding finds
        load(f"folder:{image_folder}@16", tmp_path)
    [problem] = error.value.problems
    assert "val/a/deep.tiff" in str(problem)
    assert "floating-point" in str(problem)


def test_many_unreadable_images_are_summed_up(image_folder: Path, tmp_path: Path) -> None:
    for i in range(25):
        (image_folder / "train" / "b" / f"x{i}.jpeg").touch()
    with pytest.raises(InputError, match="and 5 more") as error:
        load(f"folder:{image_folder}@16", tmp_path)
    assert len(error.value.problems) == 21


def test_images_that_do_not_fit_on_the_disk_are_refused(image_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"GiB are free.*@64"):
        load(f"folder:{image_folder}@2000000", tmp_path)


def test_a_subset_has_as_many_of_each_class(image_folder: Path, tmp_path: Path) -> None:
    whole = load(f"folder:{image_folder}@16", tmp_path)
    data = load(f"folder:{image_folder}@16[4]", tmp_path)
    assert sorted(data.train_labels.bincount().tolist()) == [1, 1, 2]
    assert data.info.train == 4
    assert torch.equal(data.test_images, whole.test_images)
    again = load(f"folder:{image_folder}@16[4]", tmp_path)
    assert torch.equal(data.train_images, again.train_images)


def test_a_subset_of_a_known_set_is_spread_over_its_classes(tmp_path: Path) -> None:
    data = load("digits[100]", tmp_path)
    assert data.train_labels.bincount().tolist() == [10] * 10
    assert data_info("digits[100]").title.endswith("100 of 599 training images")
