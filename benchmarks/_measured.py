"""What the benchmarks share: turns, memory, made-up images, and where figures are stored."""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from ablate.methods.catalog import data_info
from ablate.training.data import ImageData
from ablate.training.device_setup import facts

RESULTS = Path(__file__).parent / "results"

Run = Callable[[], object]


def machine() -> dict[str, Any]:
    """What the figures were measured on: versions, processor, threads of torch, cores."""
    return {**facts(torch.device("cpu")), "cpus": os.cpu_count()}


def store(figures: Mapping[str, Any], out: Path) -> None:
    """Write figures as JSON beside the machine that they come from."""
    out.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), **figures}
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def alternate(runs: Mapping[str, Run], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, all taking turns, after one turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if number:
                times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def synthetic(train: int, test: int, padding: int) -> ImageData:
    """Images of noise in the format of CIFAR-100; `padding` pixels around them decide the views."""
    info = replace(data_info("cifar100"), train=train, test=test, padding=padding)
    random = torch.Generator().manual_seed(0)

    def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        shape = count, info.channels, info.size, info.size
        pixels = torch.randint(256, shape, dtype=torch.uint8, generator=random)
        return pixels, torch.randint(info.classes, (count,), generator=random)

    return ImageData(info, *images(train), *images(test))


@dataclass
class Peak:
    """The most anonymous memory that was seen above what the process had, in bytes."""

    above: int = 0


@contextmanager
def anonymous_memory() -> Iterator[Peak]:
    """Watch the process's anonymous memory, every two milliseconds; a file's map is not part."""
    process, peak, ended = psutil.Process(), Peak(), threading.Event()

    def anonymous() -> int:
        memory = process.memory_info()
        return int(memory.rss - memory.shared)

    before = anonymous()

    def watch() -> None:
        while not ended.wait(0.002):
            peak.above = max(peak.above, anonymous() - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak.above = max(peak.above, anonymous() - before)
