from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.errors import InputError
from ablate.methods.catalog import (
    DATASETS,
    IMAGE_ENDINGS,
    data_fingerprint,
    data_info,
    split_folder_name,
)
from ablate.training.data import load


@pytest.fixture
def image_folder(tmp_path) -> Path:
    """Three classes in the colours red, green and blue; sizes, modes and formats vary."""
    root = tmp_path / "my images"
    for split, count in (("train", 3), ("val", 2)):
        for label, colour in (("a", (200, 0, 0)), ("b", (0, 200, 0)), ("c", (0, 0, 200))):
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (30 + 7 * i, 40), colour)
                image.save(folder / f"{i}.{('png', 'BMP', 'webp')[i]}")
    (root / "train" / "a" / "notes.txt").write_text("no image")
    return root


def test_a_folder_is_counted_without_being_read(image_folder):
    info = data_info(f"folder:{image_folder}@16")
    assert (info.classes, info.train, info.test, info.size, info.padding) == (3, 9, 6, 16, 2)
    assert info.name == f"folder:{image_folder}@16"
    assert info.title == "my images (16×16, image folder)"
    assert info.mean == DATASETS["folder"].mean
    assert data_info(f"folder:{image_folder}").size == 224


def test_a_folder_is_read(image_folder, tmp_path):
    data = load(f"folder:{image_folder}@16", tmp_path)
    assert data.train_images.shape == (9, 3, 16, 16)
    assert data.test_images.shape == (6, 3, 16, 16)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test_labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.test_labels.dtype == torch.int64
    for channel in range(3):
        images = data.train_images[data.train_labels == channel].float()
        assert torch.allclose(images[:, channel], torch.tensor(200.0), atol=6)  # webp is lossy


def test_the_shorter_side_is_resized_and_the_centre_cropped(image_folder, tmp_path):
    # Of a width of 48 and a height of 24 at size 21, scaled to 24, columns 13.5 to 34.5 are kept.
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (24, 1))
    Image.fromarray(ramp).save(image_folder / "val" / "a" / "0.png")
    data = load(f"folder:{image_folder}@21", tmp_path)
    first = data.test_images[0]
    assert torch.equal(first[0], first[2])  # grey became RGB
    assert first[0, 0].tolist() in [[5 * x for x in range(s, s + 21)] for s in (13, 14)]


def test_all_unreadable_images_are_named(image_folder, tmp_path):
    (image_folder / "train" / "b" / "0.png").write_bytes(b"no png")
    sound = (image_folder / "val" / "c" / "0.png").read_bytes()
    (image_folder / "val" / "c" / "0.png").write_bytes(sound[:-40])
    with pytest.raises(InputError) as error:
        load(f"folder:{image_folder}@16", tmp_path)
    assert len(error.value.problems) == 2
    assert str(Path("train/b/0.png")) in str(error.value)
    assert str(Path("val/c/0.png")) in str(error.value)


def test_many_unreadable_images_are_summed_up(image_folder, tmp_path):
    for i in range(25):
        (image_folder / "train" / "b" / f"x{i}.jpeg").touch()
    with pytest.raises(InputError, match="and 5 more unreadable images") as error:
        load(f"folder:{image_folder}@16", tmp_path)
    assert len(error.value.problems) == 21


def test_all_that_is_wrong_with_a_folder_is_said_at_once(image_folder):
    (image_folder / "val" / "c").rename(image_folder / "val" / "d")
    (image_folder / "train" / "empty").mkdir()
    with pytest.raises(InputError) as error:
        data_info(f"folder:{image_folder}@4")
    text = str(error.value)
    assert "size below 8" in text
    assert f"no images in {image_folder / 'train' / 'empty'}" in text
    assert 'class "c" is in train, not in val' in text
    assert 'class "d" is in val, not in train' in text


def test_a_folder_without_splits_or_classes_says_so(tmp_path):
    (tmp_path / "val").mkdir()
    with pytest.raises(InputError) as error:
        data_info(f"folder:{tmp_path}")
    assert f"no folder {tmp_path / 'train'}" in str(error.value)
    assert f"no class folders in {tmp_path / 'val'}" in str(error.value)


def test_images_that_do_not_fit_into_memory_are_refused(image_folder, tmp_path):
    with pytest.raises(InputError, match=r"GiB are free.*@64"):
        load(f"folder:{image_folder}@2000000", tmp_path)


def test_a_path_may_contain_an_at_sign():
    assert split_folder_name("folder:/data/me@home") == (Path("/data/me@home"), 224)
    assert split_folder_name("folder:/data/me@home@64") == (Path("/data/me@home"), 64)


def test_a_fingerprint_follows_the_images_and_nothing_else(image_folder, tmp_path):
    name = f"folder:{image_folder}@16"
    before = data_fingerprint(name)
    assert len(before) == 64
    assert data_fingerprint(f"folder:{image_folder}@32") == before
    (image_folder / "train" / "a" / "notes.txt").write_text("still no image, but longer")
    moved = image_folder.rename(tmp_path / "moved")
    name = f"folder:{moved}@16"
    assert data_fingerprint(name) == before
    with (moved / "val" / "a" / "0.png").open("ab") as file:
        file.write(b"x")
    longer = data_fingerprint(name)
    (moved / "val" / "a" / "0.png").rename(moved / "val" / "b" / "9.png")
    assert len({before, longer, data_fingerprint(name)}) == 3


def test_image_endings_are_torchvisions():
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert set(IMAGE_ENDINGS) == set(IMG_EXTENSIONS)


def test_asking_for_info_does_not_import_torch(image_folder):
    code = (
        "import sys; from ablate.methods.catalog import data_info, data_fingerprint; "
        f"data_info('folder:{image_folder}@16'); data_fingerprint('folder:{image_folder}@16'); "
        "assert not {'torch', 'PIL', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
