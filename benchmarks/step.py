"""What a training step costs against the plain one, and what of it cannot be avoided.

    python -m benchmarks.step [--pairs resnet56/resnet20 ...] [--rounds 9] [--threads 2]

The plain step is the algorithm written down literally (tests/training/oracle.py): fp32, every
pass, momentum tensor by tensor, the dictionary copied, the teacher run. It and the package's step
alternate, so that a busy moment slows both. See benchmarks/README.md for how to read the figures.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.methods.registry import BUILT_IN
from ablate.training import networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.hyper import Hyper
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.step import Batch, OptimizerStep
from benchmarks._measured import RESULTS, Run, alternate, machine, store
from tests.training.oracle import Hyperparameters, Oracle, head

PAIRS = (
    "resnet110/resnet32", "resnet32x4/resnet8x4", "resnet56/resnet20", "wrn_40_2/wrn_16_2",
    "ResNet50/MobileNetV2",
)  # fmt: skip
BATCH, CLASSES, SIDE = 64, 100, 32
IMAGES, EPOCHS, VIEWS = 50_000, 240, 162  # of the paper's recipe and of a table of its views
DIRECTIONS = ("both", "pred", "pred_sym")  # the rows of the study whose cost is worked out


def nets(pair: str) -> tuple[Network, Network]:
    torch.manual_seed(0)
    teacher, student = (networks.build(name, CLASSES) for name in pair.split("/"))
    return teacher, student


def published(pair: str) -> CoCoRDConfig:
    """The method's published settings for a pair."""
    roles = dict(zip(("teacher", "student"), pair.split("/"), strict=True))
    return CoCoRDConfig.from_settings(BUILT_IN["cocord"].baseline(roles))


def images() -> Tensor:
    return torch.randn(BATCH, 3, SIDE, SIDE)


def plain_oracle(pair: str) -> Oracle:
    """The literal algorithm; where widths differ its teacher head is frozen, as in the paper."""
    teacher, student = nets(pair)
    width, alike = student.feature_dim, student.feature_dim == teacher.feature_dim
    parts: dict[str, nn.Module] = {
        "student": student, "teacher": teacher,
        "student_head": head(width, 2048, 2048), "predictor": head(2048, 512, 2048),
    }  # fmt: skip
    if not alike:
        parts["teacher_head"] = head(teacher.feature_dim, 2048, 2048)
    hyper = Hyperparameters(teacher_head_momentum=0.999 if alike else 1.0)
    dictionary = nn.functional.normalize(torch.randn(2048, 2048), dim=1)
    return Oracle(parts, dictionary, hyper, lr=0.05)


def plain(pair: str) -> Run:
    """The literal step."""
    oracle = plain_oracle(pair)
    q, k, t = (images() for _ in "qkt")
    labels = torch.randint(CLASSES, (BATCH,))
    return lambda: oracle.step(q, k, t, labels)


def product(pair: str, precision: str, *, table: bool, direction: str = "both") -> Run:
    """The package's step, its batch rendered beforehand like that of the plain one."""
    teacher, student = nets(pair)
    arithmetic = Precision(precision, torch.device("cpu"))
    config = replace(published(pair), direction=direction)
    method = CoCoRD(config, student, None if table else teacher, teacher.feature_dim, seed=0)
    arithmetic.place(method)
    step = OptimizerStep.by_recipe(method, Hyper(), arithmetic)
    needs = method.needs
    rendered = {*needs.views} if table else {*needs.views, *needs.teacher}
    batch = Batch(
        views={view: arithmetic.lay_out(images()) for view in rendered},
        labels=torch.randint(CLASSES, (BATCH,)),
        index=torch.arange(BATCH),
        step=1,
        teacher={v: torch.randn(BATCH, teacher.feature_dim) for v in needs.teacher if table},
    )
    return lambda: step(batch)


def passes(pair: str, precision: str) -> dict[str, Run]:
    """Each kind of pass by itself: those of a step with both directions add up to its bound."""
    teacher, student = nets(pair)
    arithmetic = Precision(precision, torch.device("cpu"))
    slow = copy.deepcopy(student)
    for network in (teacher.eval(), student, slow):
        arithmetic.place(network)
    one = arithmetic.lay_out(images())

    def trained() -> None:
        with arithmetic.autocast():
            features = student.features(one)
        features.float().sum().backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def seen(network: Network) -> None:
        with arithmetic.autocast():
            network.features(one)

    return {
        "student, forward and backward": trained,
        "slow student": lambda: seen(slow),
        "teacher": lambda: seen(teacher),
    }


def matrix_products(rounds: int, size: int = 2048) -> dict[str, float]:
    """What the machine reaches in a large matrix product, in GFLOP/s."""
    runs = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.randn(size, size).to(kind) for _ in range(2))
        runs[name] = lambda a=a, b=b: a @ b
    return {name: 2 * size**3 / ms / 1e6 for name, ms in alternate(runs, rounds).items()}


def measure(pair: str, rounds: int) -> dict[str, Any]:
    """All figures of one pair."""
    runs: dict[str, Run] = {"plain": plain(pair)}
    for precision in ("fp32", "bf16"):
        runs[precision] = product(pair, precision, table=False)
        for direction in DIRECTIONS:
            name = f"{precision}, table, {direction}"
            runs[name] = product(pair, precision, table=True, direction=direction)
    steps = alternate(runs, rounds)
    result: dict[str, Any] = {"step_ms": steps, "passes_ms": {}, "bound_ms": {}, "study_ratio": {}}
    for precision in ("fp32", "bf16"):
        alone = alternate(passes(pair, precision), rounds)
        result["passes_ms"][precision] = alone
        with_table = 2 * (alone["student, forward and backward"] + alone["slow student"])
        result["bound_ms"][precision] = with_table
        result["study_ratio"][precision] = study_ratio(steps, precision, alone["teacher"])
    return result


def study_ratio(steps: Mapping[str, float], precision: str, teacher_ms: float) -> float:
    """Nine plain jobs against three rows of three seeds and the table that they share."""
    steps_a_job = EPOCHS * -(-IMAGES // BATCH)
    ours = 3 * sum(steps[f"{precision}, table, {direction}"] for direction in DIRECTIONS)
    table = VIEWS * IMAGES / BATCH * teacher_ms
    return 9 * steps["plain"] * steps_a_job / (ours * steps_a_job + table)


def show(pair: str, result: Mapping[str, Any]) -> None:
    steps = result["step_ms"]
    print(f"\n{pair}")
    for name, ms in steps.items():
        print(f"  {name:<24}{ms:9.1f} ms{steps['plain'] / ms:7.2f}x")
    for precision, bound in result["bound_ms"].items():
        share = bound / steps[f"{precision}, table, both"]
        print(
            f"  {precision}: passes that the step needs {bound:.1f} ms, {share:.0%} of it;", end=""
        )
        print(f" the study {result['study_ratio'][precision]:.2f}x")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="TEACHER/STUDENT")
    parser.add_argument("--rounds", type=int, default=9, help="timed turns of each")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS / "step.json")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report: dict[str, Any] = {
        "rounds": options.rounds,
        "batch": BATCH,
        "matrix_product_gflops": matrix_products(options.rounds),
        "pairs": {},
    }
    shown = {name: figures for name, figures in report.items() if name != "pairs"}
    print(json.dumps({"machine": machine(), **shown}, indent=2))
    for pair in options.pairs:
        report["pairs"][pair] = measure(pair, options.rounds)
        show(pair, report["pairs"][pair])
        store(report, options.out)


if __name__ == "__main__":
    main()
