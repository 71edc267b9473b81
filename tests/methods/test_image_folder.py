"""Image folders as people have them: counted, explained, or refused with every fault named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ablate.errors import InputError
from ablate.methods.catalog import (
    content_name,
    data_info,
    data_path,
    resolve_folder,
    split_folder_name,
    split_subset,
)
from ablate.methods.image_folder import read_image_folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, dark and light, with 3 training and 2 test images each."""
    root = tmp_path / "my images"
    for split, count in (("train", 3), ("val", 2)):
        for label, value in (("dark", 10), ("light", 240)):
            (root / split / label).mkdir(parents=True)
            for i in range(count):
                Image.new("L", (12, 12), value + i).save(root / split / label / f"{i}.png")
    return root


def refusal(root: Path) -> str:
    with pytest.raises(InputError) as error:
        data_info(f"folder:{root}@16")
    return str(error.value)


def test_classes_and_images_are_counted(root: Path) -> None:
    info = data_info(f"folder:{root}@16")
    assert (info.classes, info.train, info.test, info.size, info.padding) == (2, 6, 4, 16, 2)
    assert info.title == "my images (16×16, image folder)"
    assert data_info(f"folder:{root}").size == 224
    train, test = info.notes
    assert train.startswith("train: 2 classes, 6 images (3 a class)")
    assert test.startswith("val: 2 classes, 4 images (2 a class)")


def test_images_stand_class_by_class_in_the_order_of_their_names(root: Path) -> None:
    folder = read_image_folder(root)
    assert folder.classes == ("dark", "light")
    assert folder.train.labels == (0, 0, 0, 1, 1, 1)
    assert folder.train.images[2:4] == ("train/dark/2.png", "train/light/0.png")


def test_what_pillow_opens_counts_whatever_its_ending(root: Path) -> None:
    image = Image.new("RGB", (12, 12))
    image.save(root / "train/dark/3.jfif", format="JPEG")
    image.save(root / "train/dark/4.JPEG")
    image.save(root / "train/dark/without ending", format="PNG")
    image.save(root / "train/dark/5.dat", format="BMP")
    assert data_info(f"folder:{root}@16").train == 10


def test_what_is_ignored_is_named(root: Path) -> None:
    (root / "train/dark/notes.txt").write_text("no image")
    (root / "train/light/notes.TXT").write_text("no image")
    (root / "train/labels.csv").write_text("a,b")
    (root / "val/dark/._0.png").write_bytes(b"what macOS leaves")
    for split in ("train", "val"):
        (root / split / ".ipynb_checkpoints").mkdir()
        (root / split / ".ipynb_checkpoints" / "x.png").write_bytes(b"")
    info = data_info(f"folder:{root}@16")
    assert (info.classes, info.train, info.test) == (2, 6, 4)
    notes = "\n".join(info.notes)
    assert "2 .txt (Pillow does not open them)" in notes
    assert "1 beside the class folders of train" in notes
    assert "1 hidden" in notes
    assert "train/.ipynb_checkpoints, val/.ipynb_checkpoints" in notes


def test_a_folder_may_call_its_test_images_test(root: Path) -> None:
    (root / "val").rename(root / "test")
    assert data_info(f"folder:{root}@16").test == 4


def test_of_val_and_test_the_first_counts_and_it_is_said(root: Path) -> None:
    (root / "test").mkdir()
    info = data_info(f"folder:{root}@16")
    assert info.test == 4
    assert "folder test ignored" in "\n".join(info.notes)


def test_one_class_is_an_error(root: Path) -> None:
    for split in ("train", "val"):
        for image in (root / split / "light").iterdir():
            image.unlink()
        (root / split / "light").rmdir()
    assert 'one class, "dark"' in refusal(root)


def test_all_that_is_wrong_is_said_at_once(root: Path) -> None:
    (root / "val/light").rename(root / "val/grey")
    (root / "train/empty").mkdir()
    with pytest.raises(InputError) as error:
        data_info(f"folder:{root}@4")
    text = str(error.value)
    assert "size below 8" in text
    assert f"no images in {root / 'train' / 'empty'}" in text
    assert 'class "light" is in train, not in val' in text
    assert 'class "grey" is in val, not in train' in text


def test_a_folder_without_splits_or_classes_says_so(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    text = refusal(tmp_path)
    assert f"no folder {tmp_path / 'train'}" in text
    assert f"no class folders in {tmp_path / 'val'}" in text


@pytest.mark.parametrize(
    ("link", "target", "fault"),
    [
        ("train/dark/9.png", "/nowhere/9.png", "/nowhere/9.png, which is not there"),
        ("train/grey", "/nowhere/grey", "/nowhere/grey, which is not there"),
        ("train/dark/9.png", "9.png", "in a circle"),
        ("train/dark/loop", "..", "in a circle"),
        ("train/dark/loop", ".", "in a circle"),
        ("train/dark/out", "../../..", "out of the folder"),
        ("train/dark/9.png", "/etc/hostname", "out of the folder, to /etc/hostname"),
    ],
)
def test_links_that_lead_astray_are_named(root: Path, link: str, target: str, fault: str) -> None:
    (root / link).symlink_to(target)
    text = refusal(root)
    assert link in text
    assert fault in text


def test_two_links_that_lead_to_each_other_are_named(root: Path) -> None:
    (root / "train/dark/a").mkdir()
    (root / "train/dark/b").mkdir()
    (root / "train/dark/a/to b").symlink_to("../b")
    (root / "train/dark/b/to a").symlink_to("../a")
    assert "in a circle" in refusal(root)


def test_links_inside_the_folder_are_followed(root: Path) -> None:
    (root / "train/dark/again.png").symlink_to("0.png")
    (root / "train/grey").symlink_to("dark")
    (root / "val/grey").symlink_to("dark")
    info = data_info(f"folder:{root}@16")
    assert (info.classes, info.train) == (3, 11)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert data_info(f"folder:{tmp_path / 'link'}@16").train == 6


def test_a_named_pipe_is_refused(root: Path) -> None:
    os.mkfifo(root / "train/dark/9.png")
    assert "9.png is no regular file" in refusal(root)


def test_many_faults_are_summed_up(root: Path) -> None:
    for i in range(25):
        (root / f"train/dark/x{i}.png").symlink_to("/nowhere")
    with pytest.raises(InputError, match="and 5 more") as error:
        data_info(f"folder:{root}@16")
    assert len(error.value.problems) == 21


def test_the_content_follows_images_and_names_and_nothing_else(root: Path, tmp_path: Path) -> None:
    before = data_info(f"folder:{root}@16").content
    assert len(before) == 64
    assert data_info(f"folder:{root}@32").content == before
    (root / "train/dark/notes.txt").write_text("no image")
    moved = root.rename(tmp_path / "moved")
    assert data_info(f"folder:{moved}@16").content == before
    (moved / "val/dark/0.png").rename(moved / "val/dark/9.png")
    assert data_info(f"folder:{moved}@16").content != before


def test_a_changed_byte_in_a_file_of_unchanged_size_is_seen(root: Path) -> None:
    before = data_info(f"folder:{root}@16").content
    image = root / "val/dark/0.png"
    times, content = image.stat(), bytearray(image.read_bytes())
    content[-1] ^= 1  # a checksum behind the pixels, which are decoded as before
    image.write_bytes(content)
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert data_info(f"folder:{root}@16").content != before


def test_a_subset_is_checked_and_named(root: Path) -> None:
    info = data_info(f"folder:{root}@16[4]")
    assert (info.train, info.test) == (4, 4)
    assert "4 of 6 training images" in info.title
    for count in (1, 7):
        with pytest.raises(InputError, match="2 to 6"):
            data_info(f"folder:{root}@16[{count}]")


def test_a_path_may_contain_an_at_sign() -> None:
    assert split_folder_name("folder:/data/me@home") == (Path("/data/me@home"), 224)
    assert split_folder_name("folder:/data/me@home@64") == (Path("/data/me@home"), 64)


@pytest.mark.parametrize("subset", ["", "[4]"])
def test_a_folder_whose_name_ends_like_a_subset_stays_itself(tmp_path: Path, subset: str) -> None:
    name = resolve_folder(f"folder:set[10]@224{subset}", tmp_path)
    assert data_path(name) == tmp_path / "set[10]"
    assert split_subset(name)[1] == (4 if subset else None)
    assert content_name(name) == f"folder@224{subset}"
    assert resolve_folder(name, Path("/else")) == name


def test_asking_for_info_does_not_import_torch(root: Path) -> None:
    code = (
        "import sys; from ablate.methods.catalog import data_info; "
        f"data_info('folder:{root}@16'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_that_are_no_images_are_named_before_anything_runs(root: Path) -> None:
    sound = next(root.glob("train/*/*.png"))
    whole = sound.read_bytes()
    empty, cut, text = (sound.with_name(f"{name}.png") for name in ("empty", "cut", "text"))
    empty.touch()
    cut.write_bytes(whole[:45])  # its head is whole
    text.write_text("no image")
    for _ in range(2):  # what was refused is looked at again
        words = refusal(root)
        for path in (empty, cut, text):
            assert f"{path} is no image" in words
        assert str(sound) not in words
        assert words.count("repair or remove it") == 3
    for path in (empty, cut, text):
        path.unlink()
    assert data_info(f"folder:{root}").content


def test_a_wrong_checksum_behind_the_pixels_does_no_harm(root: Path) -> None:
    sound = next(root.glob("train/*/*.png"))
    sound.write_bytes(sound.read_bytes()[:-4] + b"\0\0\0\0")
    assert data_info(f"folder:{root}").content
