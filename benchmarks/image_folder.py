"""A folder of small images: time to decode it, cores kept busy, memory, and the second job's start.

usage: image_folder.py [IMAGES]   (100,000 where none is given)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

CLASSES, SIDE, SIZE = 100, 48, 32

_LOAD = """
import json, resource, sys, time
from pathlib import Path
import psutil, torch
import ablate.training.data as data
import ablate.training.data.decoded as decoded
decoding, decode = 0.0, decoded._decode_missing
def timed(*arguments):
    global decoding
    began = time.perf_counter()
    decode(*arguments)
    decoding += time.perf_counter() - began
decoded._decode_missing = timed
def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
def children():
    return resource.getrusage(resource.RUSAGE_CHILDREN)
before, began = anonymous(), time.perf_counter()
loaded = data.load(sys.argv[1], Path(sys.argv[2]))
seconds, used = time.perf_counter() - began, children()
order = torch.randperm(len(loaded.train_labels), generator=torch.Generator().manual_seed(0))
began = time.perf_counter()
for index in order.split(64)[:200]:
    loaded.train_images[index]
print(json.dumps({
    "seconds": seconds,
    "decoding": decoding,
    "busy_cores": (used.ru_utime + used.ru_stime) / decoding if decoding else 0.0,
    "anonymous_mib": (anonymous() - before) / 2**20,
    "batch_ms": (time.perf_counter() - began) / min(200, len(order) / 64) * 1000,
}))
"""


def write_images(root: Path, count: int) -> None:
    """JPEG files of noise, a tenth of them for testing, over 100 classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        split = "val" if number % 10 == 0 else "train"
        folder = root / split / f"{number // 10 % CLASSES:03}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")


def main() -> None:
    """Write a folder, load it twice in fresh processes, print what that took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{count:,} images, {os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder, "images"), count)
        name = f"folder:{folder}/images@{SIZE}"
        command = [sys.executable, "-c", _LOAD, name, f"{folder}/data"]
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        time.sleep(3)  # files younger than that are not remembered by their times
        for job in ("first job", "second job"):
            ran = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment
            )
            found = json.loads(ran.stdout)
            print(
                f"{job}: {found['seconds']:.1f} s, of which {found['decoding']:.1f} s decode on "
                f"{found['busy_cores']:.1f} cores, "
                f"{found['anonymous_mib']:.0f} MiB of anonymous memory above the loaded process, "
                f"{found['batch_ms']:.2f} ms for a batch of 64"
            )


if __name__ == "__main__":
    main()
