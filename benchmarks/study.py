"""A study measured whole on a shortened run: nine plain jobs against nine of the package's.

    python -m benchmarks.study [--pairs resnet32x4/resnet8x4 ...] [--images 250] [--threads 2]

Three rows of three seeds, one per direction of the prediction loss. The package's share one table
of the teacher's features, in fp32 and in bf16; the plain jobs are the algorithm written down
literally (tests/training/oracle.py) and run the teacher. All is cut to about a hundredth of the
paper's recipe and as many images as asked for: 3 epochs of 240, 2 of 162 views in the table, a
fifth as many images to test as to train, and as small a share of them for BatchNorm statistics.
Both sides render their views, evaluate after each epoch and take turns, job by job.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.methods.parts import Value
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig
from ablate.training import feed
from ablate.training.cocord_step import CoCoRD
from ablate.training.data import ImageData
from ablate.training.evaluate import EvaluationSplit, evaluate
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.precision import Precision
from ablate.training.programs import Setting
from ablate.training.step import Needs
from ablate.training.teacher_table import TeacherTable, fill_table
from benchmarks._measured import RESULTS, store, synthetic
from benchmarks.step import DIRECTIONS, EPOCHS, IMAGES, nets, plain_oracle
from tests.training.fake_session import FakeSession

SEEDS, SHORT_EPOCHS = 3, 3
PRECISIONS = ("fp32", "bf16")
CPU = torch.device("cpu")
#: Images of which the package estimates BatchNorm statistics, as a share of those of an epoch.
STATISTICS = feed.STATISTICS_BATCHES * feed.STATISTICS_BATCH / IMAGES


def plain_job(pair: str, data: ImageData, seed: int) -> None:
    """Train literally: every pass runs, the teacher's too."""
    oracle = plain_oracle(pair)
    arithmetic = Precision("fp32", CPU)
    needs = Needs(views=("q", "k"), teacher=("t",))
    batches = Feed(data, Hyper(epochs=SHORT_EPOCHS), seed, arithmetic, needs)
    for epoch in range(1, SHORT_EPOCHS + 1):
        for batch in batches.epoch(epoch):
            q, k, t = (batch.views[view].contiguous() for view in "qkt")
            oracle.step(q, k, t, batch.labels)
        student = oracle.nets["student"]
        evaluate(student, EvaluationSplit.test(data), arithmetic)
        student.train()


def fill(pair: str, precision: str, data: ImageData, folder: Path) -> None:
    """Fill the table of a pair's teacher."""
    arithmetic = Precision(precision, CPU)
    teacher = nets(pair)[0].eval()
    arithmetic.place(teacher)
    job = JobConfig(kind="teacher_table", method="cocord", program="", seed=0, settings={})
    fill_table(FakeSession(job, folder), teacher, data, "crop-flip", arithmetic)


def job(pair: str, precision: str, data: ImageData, direction: str, seed: int, at: Path) -> None:
    """Train as the package does, with the table of the pair's teacher."""
    method = BUILT_IN["cocord"]
    teacher, student = pair.split("/")
    networks = {"teacher": teacher, "student": student}
    changes: dict[str, Value] = {
        "epochs": SHORT_EPOCHS, "precision": precision, "prediction.direction": direction
    }  # fmt: skip
    settings: dict[str, Value] = {**method.baseline(networks), **changes}
    config = JobConfig(
        kind="student", method="cocord", program=method.program, data=data.info.name,
        networks=networks, seed=seed, settings=settings,
    )  # fmt: skip
    session = FakeSession(config, at / f"{precision} {direction} {seed}")
    setting = Setting(session, data, Precision(precision, CPU))
    width = setting.teacher_width
    views = data.info.crop_views
    table = TeacherTable.open(at / precision, views, len(data.train_images), width)
    built = setting.build(student, "student")
    setting.train(CoCoRD(CoCoRDConfig.from_settings(settings), built, None, width, seed), table)


def measure(pair: str, images: int, folder: Path) -> dict[str, Any]:
    """Seconds of nine plain jobs, and of the package's nine and their table."""
    data = synthetic(images, images // 5, padding=0)  # two views of an image
    seconds = dict.fromkeys(("plain", *PRECISIONS), 0.0)

    def timed(side: str, *arguments: Any) -> None:
        run = plain_job if side == "plain" else fill if len(arguments) == 4 else job
        began = time.perf_counter()
        run(*arguments)
        seconds[side] += time.perf_counter() - began

    for precision in PRECISIONS:
        timed(precision, pair, precision, data, folder / precision)
    tables = dict(seconds)
    for seed in range(SEEDS):
        for direction in DIRECTIONS:
            timed("plain", pair, data, seed)
            for precision in PRECISIONS:
                timed(precision, pair, precision, data, direction, seed, folder)
    return {
        "images": images,
        "steps_of_a_job": SHORT_EPOCHS * -(-images // 64),
        "seconds": seconds,
        "of_which_table": {one: tables[one] for one in PRECISIONS},
        "ratio": {one: seconds["plain"] / seconds[one] for one in PRECISIONS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    pairs = ["resnet32x4/resnet8x4", "ResNet50/MobileNetV2"]
    parser.add_argument("--pairs", nargs="+", default=pairs, metavar="TEACHER/STUDENT")
    parser.add_argument("--images", type=int, default=250, help="to train on")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS / "study.json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    share = f"{SHORT_EPOCHS} of {EPOCHS} epochs"
    print(f"{len(DIRECTIONS)} rows, {SEEDS} seeds, {share}, {options.images} of {IMAGES:,} images")
    found: dict[str, Any] = {}
    few = mock.patch.multiple(
        feed, STATISTICS_BATCHES=1, STATISTICS_BATCH=max(2, round(STATISTICS * options.images))
    )
    with tempfile.TemporaryDirectory() as folder, few:
        for pair in options.pairs:
            found[pair] = measure(pair, options.images, Path(folder, pair.replace("/", "-")))
            seconds, ratio = found[pair]["seconds"], found[pair]["ratio"]
            print(
                f"{pair}: nine plain jobs {seconds['plain']:.0f} s; "
                + "; ".join(f"{one} {seconds[one]:.0f} s, {ratio[one]:.2f}x" for one in PRECISIONS),
                flush=True,
            )
            store({"pairs": found}, options.out)


if __name__ == "__main__":
    main()
