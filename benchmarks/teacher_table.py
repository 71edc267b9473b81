"""Filling a teacher's table: memory, time against the forward passes alone, and equal bytes.

    python -m benchmarks.teacher_table [--teachers resnet32x4 ResNet50] [--passes 36] [--gib 2]

Each teacher fills a table of made-up images, and after every pass it sees another batch of the
same size by itself, so that both are timed in turns. A second table is interrupted half-way.
Before that a network of one layer with 2,048 features fills a table of `--gib`, far more than it
may take memory for, and batches of 64 rows are read from it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ablate.errors import Interrupted
from ablate.methods.session import JobConfig, Position
from ablate.training import networks
from ablate.training.data import ImageData
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.teacher_table import TeacherTable, fill_table
from ablate.training.views import all_views
from benchmarks._measured import RESULTS, anonymous_memory, store, synthetic
from tests.training.fake_session import FakeSession

CHUNK, WIDTH, BATCH = 250, 2048, 64  # images of a pass; features; rows of a step
AUGMENTATION = "crop-flip"
JOB = JobConfig(kind="teacher_table", method="cocord", program="", seed=0, settings={})


@dataclass
class TimedSession(FakeSession):
    """Times each pass, and after it another run that is no part of the table."""

    between: Callable[[], object] = lambda: None
    passes: list[float] = field(default_factory=list)  #: seconds of each
    others: list[float] = field(default_factory=list)
    _ended: float = 0.0

    def step_done(self, position: Position, snapshot: Callable[[], bytes] | None) -> None:
        ended = time.perf_counter()
        if self._ended:  # not the first, which makes the file and warms up
            self.passes.append(ended - self._ended)
        super().step_done(position, snapshot)
        began = time.perf_counter()
        self.between()
        self._ended = time.perf_counter()
        self.others.append(self._ended - began)


class OneLayer(nn.Module):
    """As wide as ResNet50, and nearly free to run."""

    feature_dim = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, WIDTH)

    def features(self, images: Tensor) -> Tensor:
        """Features (n, 2048) of images (n, 3, h, w)."""
        return self.layer(images.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def interrupted_digest(
    folder: Path, teacher: Network, data: ImageData, arithmetic: Precision
) -> str:
    """Digest of a table that was stopped in the middle and gone on with."""
    views = data.info.crop_views
    half = -(-len(data.train_images) // CHUNK) * views // 2 + 1
    session = FakeSession(JOB, folder, stop_after=half)
    try:
        fill_table(session, teacher, data, AUGMENTATION, arithmetic)
    except Interrupted:
        session.stop_after = -1
    else:
        raise AssertionError(f"there were fewer than {half} passes")
    return fill_table(session, teacher, data, AUGMENTATION, arithmetic)


def measure(name: str, passes: int, precision: str, folder: Path) -> dict[str, Any]:
    """Figures of a teacher's table of at least so many passes."""
    torch.manual_seed(0)
    arithmetic = Precision(precision, torch.device("cpu"))
    teacher = networks.build(name, 100).eval()
    arithmetic.place(teacher)
    data = synthetic(CHUNK * -(-passes // 18), 1, padding=1)  # 18 views of an image
    views = all_views(data.train_images[:CHUNK], data.info, AUGMENTATION)
    batch = arithmetic.lay_out(next(iter(views))[1])

    @torch.no_grad()
    def alone() -> None:
        with arithmetic.autocast():
            teacher.features(batch)

    session = TimedSession(JOB, folder / name, between=alone)
    with anonymous_memory() as peak:
        digest = fill_table(session, teacher, data, AUGMENTATION, arithmetic)
    again = interrupted_digest(folder / f"{name} interrupted", teacher, data, arithmetic)
    one, other = statistics.median(session.passes), statistics.median(session.others)
    return {
        "precision": precision,
        "features": teacher.feature_dim,
        "passes": len(session.others) + 1,
        "pass_ms": 1000 * one,
        "forward_alone_ms": 1000 * other,
        "throughput": other / one,
        "anonymous_mib": peak.above / 2**20,
        "bytes_equal_after_interruption": digest == again,
    }


def measure_size(gib: float, folder: Path) -> dict[str, Any]:
    """Memory that a table of so many GiB takes: to fill, and to read."""
    teacher = cast(Network, OneLayer())
    views = synthetic(1, 1, padding=4).info.crop_views
    data = synthetic(max(2, int(gib * 2**30 / (4 * WIDTH * views))), 1, padding=4)
    session = FakeSession(JOB, folder / "large")
    images = len(data.train_images)
    with anonymous_memory() as filling:
        fill_table(session, teacher, data, AUGMENTATION, Precision("fp32", torch.device("cpu")))
    random, batches = torch.Generator().manual_seed(0), 1_000
    with anonymous_memory() as reading:
        table = TeacherTable.open(session.folder, views, images, WIDTH)
        began = time.perf_counter()
        for _ in range(batches):
            view = torch.randint(views, (BATCH,), generator=random)
            table.rows(view, torch.randint(images, (BATCH,), generator=random))
        seconds = time.perf_counter() - began
    return {
        "features": WIDTH,
        "file_mib": table.layout.size / 2**20,
        "anonymous_mib_filling": filling.above / 2**20,
        "anonymous_mib_reading": reading.above / 2**20,
        "rows_of_a_batch_ms": 1000 * seconds / batches,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--teachers", nargs="+", default=["resnet32x4", "ResNet50"])
    parser.add_argument("--passes", type=int, default=36, help=f"of {CHUNK} images each")
    parser.add_argument("--gib", type=float, default=2, help="size of the large table")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS / "teacher_table.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        size = measure_size(options.gib, Path(name))  # first, while no memory is left to take
        print(
            f"table of {size['file_mib']:,.0f} MiB: {size['anonymous_mib_filling']:.0f} MiB of "
            f"memory to fill it, {size['anonymous_mib_reading']:.0f} to read it, "
            f"{size['rows_of_a_batch_ms']:.2f} ms for {BATCH} rows",
            flush=True,
        )
        figures: dict[str, Any] = {"large": size, "teachers": {}}
        for teacher in options.teachers:
            found = measure(teacher, options.passes, options.precision, Path(name))
            figures["teachers"][teacher] = found
            equal = "equal" if found["bytes_equal_after_interruption"] else "OTHER"
            print(
                f"{teacher}, {found['precision']}: a pass {found['pass_ms']:.0f} ms, of which the "
                f"forward pass alone {found['throughput']:.0%}; {found['anonymous_mib']:.0f} MiB "
                f"of memory; {equal} bytes after an interruption",
                flush=True,
            )
    store(figures, options.out)


if __name__ == "__main__":
    main()
