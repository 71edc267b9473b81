"""One image file to bytes of a fixed size, and the process that does so for many.

`python -m ablate.training.decode` is such a process: it reads orders from its standard input and
answers each on its standard output. It loads Pillow and NumPy, and no torch, so that a process for
every core costs little memory; it ends when its input ends, and so with whoever started it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Raised whenever the same file may become other bytes; part of what a decoded copy is known by.
VERSION = 1

#: What Pillow raises for files that are damaged, too large, or not what their name says.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

_LONGEST = 16  #: longer side of an image as a multiple of the shorter; the rest is cut off first
_WHITE = (255, 255, 255, 255)
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262  # tags of TIFF
_WHITE_IS_ZERO = 0


def decode(path: Path, size: int) -> NDArray[np.uint8]:
    """Decode an image file to RGB (3, size, size): shorter side to 8/7 of `size`, then the centre.

    The first frame of an animation counts. Grey images become RGB; 16 bits become 8; transparent
    pixels become white. Raises one of `UNREADABLE`, also for pixels whose range is not declared.
    """
    with Image.open(path) as opened:
        image = _squared(_rgb(opened), size)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _rgb(image: Image.Image) -> Image.Image:
    # Of 32-bit modes only PNG and PNM say that they hold 16 bits.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return _eight_bits(image).convert("RGB")
    if image.mode in ("I", "F"):
        kind = "32-bit whole numbers" if image.mode == "I" else "floating-point numbers"
        raise ValueError(
            f"holds {kind}, whose range it does not declare: save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        over = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", over.size, _WHITE), over).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey values of the declared depth to 0..255; a value v·257 of 16 bits becomes v."""
    tags: Any = getattr(image, "tag_v2", {})
    depth = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])
    values = np.asarray(image).astype(np.int64).clip(0, 2**depth - 1) * 255 // (2**depth - 1)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = 255 - values
    return Image.fromarray(values.astype(np.uint8))


def _squared(image: Image.Image, size: int) -> Image.Image:
    """Resize and crop as torchvision's Resize and CenterCrop do, to the pixel."""
    width, height = image.size
    if max(width, height) > _LONGEST * min(width, height):
        most = _LONGEST * min(width, height)
        image = _centre(image, min(width, most), min(height, most))
        width, height = image.size
    short = round(size * 8 / 7)
    if min(width, height) != short:
        scaled = int(short * max(width, height) / min(width, height))
        target = (short, scaled) if width <= height else (scaled, short)
        image = image.resize(target, Image.Resampling.BILINEAR)
    return _centre(image, size, size)


def _centre(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def decode_chunk(order: dict[str, Any]) -> dict[str, Any]:
    """Decode the files of an order into their place in the map; the answer has their digest.

    An order: "root", "files", "size", "map" (path), "start" (number of the first image).
    """
    size = int(order["size"])
    pixels = np.zeros((len(order["files"]), 3, size, size), np.uint8)
    faults = []
    for i, name in enumerate(order["files"]):
        try:
            pixels[i] = decode(Path(order["root"], name), size)
        except UNREADABLE as error:
            faults.append([name, " ".join(str(error).split()) or type(error).__name__])
    with open(order["map"], "r+b", buffering=0) as file:  # noqa: PTH123 - a name, not a path of ours
        os.pwrite(file.fileno(), pixels.data, int(order["start"]) * 3 * size**2)
        os.fdatasync(file.fileno())
    return {"digest": hashlib.sha256(pixels.data).hexdigest(), "faults": faults}


def main() -> None:
    """Answer orders, one JSON document a line, until there are no more."""
    for line in sys.stdin:
        answer = decode_chunk(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
