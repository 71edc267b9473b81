"""Image files in every form to bytes: the same picture, or a refusal that names what it holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ablate.training.decode import decode

SIZE = 21  # of which the decoder cuts the centre out of 24
VALUES = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
BYTES = np.stack([VALUES[2:23, 2:23]] * 3)


def saved(path: Path, image: Image.Image, **options: Any) -> NDArray[np.uint8]:
    image.save(path, **options)
    return decode(path, SIZE)


def test_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    assert np.array_equal(saved(tmp_path / "grey.png", Image.fromarray(VALUES)), BYTES)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_sixteen_bits_give_the_bytes_of_eight(tmp_path: Path, ending: str) -> None:
    deep = VALUES.astype(np.uint16) * 257
    decoded = saved(tmp_path / f"deep.{ending}", Image.fromarray(deep))
    assert np.array_equal(decoded, BYTES)


def test_big_endian_tiff_of_16_bits(tmp_path: Path) -> None:
    pixels = (VALUES.astype(np.uint16) * 257).astype(">u2").tobytes()
    image = Image.frombytes("I;16B", (24, 24), pixels)
    assert np.array_equal(saved(tmp_path / "deep.tiff", image), BYTES)


def test_a_portable_grey_map_of_16_bits(tmp_path: Path) -> None:
    pixels = (VALUES.astype(np.uint16) * 257).astype(">u2").tobytes()
    (tmp_path / "deep.pgm").write_bytes(b"P5 24 24 65535\n" + pixels)
    assert np.array_equal(decode(tmp_path / "deep.pgm", SIZE), BYTES)


def test_a_tiff_whose_white_is_zero(tmp_path: Path) -> None:
    deep = (255 - VALUES).astype(np.uint16) * 257
    decoded = saved(tmp_path / "deep.tiff", Image.fromarray(deep), tiffinfo={262: 0})
    assert np.array_equal(decoded, BYTES)


@pytest.mark.parametrize(
    ("kind", "words"), [(np.int32, "32-bit whole numbers"), (np.float32, "floating-point")]
)
def test_pixels_without_a_declared_range_are_refused(
    tmp_path: Path, kind: type, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        saved(tmp_path / "deep.tiff", Image.fromarray(VALUES.astype(kind)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_become_white(tmp_path: Path, mode: str) -> None:
    alpha = np.where(np.arange(24) < 12, 255, 0).astype(np.uint8)[:, None].repeat(24, 1)
    layers = [VALUES // 2 * 2] * (1 if mode == "LA" else 3)  # 128 greys, which a palette holds
    image = Image.fromarray(np.dstack([*layers, alpha]), "LA" if mode == "LA" else "RGBA")
    if mode == "P":
        image = image.quantize(256, Image.Quantize.FASTOCTREE)
    decoded = saved(tmp_path / "alpha.png", image)
    assert (decoded[:, 10:] == 255).all()
    assert np.abs(decoded[:, :10].astype(int) - BYTES[:, :10]).max() <= (1 if mode != "P" else 40)


def test_half_transparent_pixels_are_mixed_with_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (24, 24), (0, 0, 0, 128))
    assert set(saved(tmp_path / "half.png", image).flatten().tolist()) <= {126, 127, 128}


def test_a_palette_and_a_bitmap_become_rgb(tmp_path: Path) -> None:
    palette = Image.fromarray(VALUES).convert("P")
    assert np.array_equal(saved(tmp_path / "palette.png", palette), BYTES)
    black = Image.fromarray(VALUES > 127)
    assert set(saved(tmp_path / "black.png", black).flatten().tolist()) == {0, 255}


@pytest.mark.parametrize("shape", [(24, 48), (48, 24), (100, 37), (11, 17), (30, 900)])
def test_resized_and_cropped_as_torchvision_does(tmp_path: Path, shape: tuple[int, int]) -> None:
    from torchvision import transforms

    random = np.random.default_rng(1)
    image = Image.fromarray(random.integers(0, 256, (*shape, 3), dtype=np.uint8))
    steps = [transforms.Resize(24), transforms.CenterCrop(21), transforms.PILToTensor()]
    theirs = transforms.Compose(steps)(image).numpy()
    ours = saved(tmp_path / "wide.png", image)
    if max(shape) > 16 * min(shape):  # the ends are cut off first, which moves the grid a little
        assert np.abs(ours.astype(int) - theirs).mean() < 20
    else:
        assert np.array_equal(ours, theirs)


def test_a_very_long_image_takes_no_more_memory_than_a_square_one(tmp_path: Path) -> None:
    assert saved(tmp_path / "line.png", Image.new("L", (60_000, 1), 7)).max() == 7


def test_the_process_answers_each_order_and_ends_with_its_input(tmp_path: Path) -> None:
    Image.fromarray(VALUES).save(tmp_path / "sound.png")
    (tmp_path / "broken.png").write_bytes(b"no png")
    (tmp_path / "map").write_bytes(bytes(4 * 3 * SIZE**2))
    files = ["sound.png", "broken.png"]
    order = {"root": str(tmp_path), "files": files, "size": SIZE, "map": str(tmp_path / "map")}
    command = [sys.executable, "-m", "ablate.training.decode"]
    text = json.dumps({**order, "start": 2}) + "\n"
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    answer = json.loads(ran.stdout)
    assert [name for name, _ in answer["faults"]] == ["broken.png"]
    written = np.fromfile(tmp_path / "map", np.uint8).reshape(4, 3, SIZE, SIZE)
    assert np.array_equal(written[2], BYTES)
    assert not written[[0, 1, 3]].any()


def test_the_process_loads_no_torch() -> None:
    code = "import sys, ablate.training.decode; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
