"""Studies and training curves that figures are drawn of."""

from __future__ import annotations

import math
import random

from ablate.store.results import Point, StudyResults
from tests.report.results_builder import build, one_pair, variant


def curves_of(results: StudyResults, epochs: int = 30) -> list[Point]:
    """Curves that rise; jobs that failed or diverged get half way."""
    rng, points = random.Random(1), []
    for run in results.runs:
        last = {"done": epochs, "failed": epochs // 2, "diverged": epochs // 2}.get(run.status, 0)
        offset = rng.gauss(0, 0.4)
        for epoch in range(1, last + 1):
            value = 72 - 60 * math.exp(-epoch / 4) + offset + rng.gauss(0, 0.2)
            points.append(Point(run.variant, run.pair, run.seed, epoch, "top1", value))
    return points


def sweep(values, part: str, symbol: str, base: float, failed: float | None = None):
    """A one-part study on four seeds, around a baseline value."""
    rows = [variant(f"{symbol} = {base:g}", "baseline")]
    rows += [variant(f"{symbol} = {v:g}", group=symbol, **{part: v}) for v in values]
    rng = random.Random(3)
    columns: list[list[float | str]]
    columns = [[71 + rng.gauss(0, 0.3) + 0.4 * (i % 3) for _ in range(4)] for i in range(len(rows))]
    if failed is not None:
        columns[1 + list(values).index(failed)] = ["failed"] * 4
    dotted = part.replace("__", ".")
    return build(
        {"top1": one_pair(*columns, variants=rows)},
        rows,
        seeds=(0, 1, 2, 3),
        title=f"Sensitivity to {symbol}",
        baseline={"epochs": 30, dotted: base},
        part_labels={dotted: symbol},
    )
