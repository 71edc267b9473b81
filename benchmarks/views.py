"""What rendering a batch costs against torchvision's transforms of PIL images, one by one.

    python -m benchmarks.views [--images 10000] [--batches 50] [--threads 1]

Both make the views of CIFAR's recipe, a crop out of four pixels of padding and a flip, normalised:
this package for a whole batch from bytes in memory, torchvision for each image as the field's data
loaders do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ablate.methods.catalog import DataInfo, data_info
from ablate.training.views import draw, render
from benchmarks._measured import RESULTS, Run, alternate, store

BATCH = 64
AUGMENTATIONS = ("none", "crop-flip", "crop-flip-jitter", "crop-flip-blur", "random-resized-crop")

Take = Callable[[Tensor], object]


def ours(images: Tensor, info: DataInfo, augmentation: str) -> Take:
    """Render the images of these numbers; their random numbers are drawn for an epoch at once."""
    began = time.perf_counter()
    parameters = draw(augmentation, info, len(images), 0, "q", 1, "cpu")
    share = (time.perf_counter() - began) / (len(images) / BATCH)

    def take(index: Tensor) -> None:
        render(images[index], parameters[index], info)

    print(f"  {augmentation}: drawing adds {1000 * share:.2f} ms to each batch")
    return take


def torchvisions(images: Tensor, info: DataInfo) -> Take:
    """The same crop and flip by torchvision, from PIL images."""
    from PIL import Image
    from torchvision import transforms

    pipeline = transforms.Compose([
        transforms.RandomCrop(images.shape[-1], padding=info.padding),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(info.mean, info.std),
    ])  # fmt: skip
    pixels = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())

    def take(index: Tensor) -> None:
        torch.stack([pipeline(Image.fromarray(pixels[number])) for number in index.tolist()])

    return take


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=50, help="timed turns of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "views.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    info = data_info("cifar100")
    random = torch.Generator().manual_seed(0)
    shape = options.images, info.channels, info.size, info.size
    images = torch.randint(256, shape, dtype=torch.uint8, generator=random)
    print(f"{options.images:,} images of {info.size} pixels, batches of {BATCH}")
    takes = {name: ours(images, info, name) for name in AUGMENTATIONS}
    takes["torchvision, crop and flip"] = torchvisions(images, info)

    def turn(take: Take) -> Run:
        return lambda: take(torch.randint(options.images, (BATCH,), generator=random))

    batch_ms = alternate({name: turn(take) for name, take in takes.items()}, options.batches)
    for name, ms in batch_ms.items():
        print(f"{name:<28}{ms:8.2f} ms a batch{ms / batch_ms['crop-flip']:8.1f}x of crop-flip")
    store({"batch": BATCH, "rounds": options.batches, "batch_ms": batch_ms}, options.out)


if __name__ == "__main__":
    main()
