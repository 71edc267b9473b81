"""A run that was interrupted anywhere ends with the bits of one that never was."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.methods.parts import Value
from ablate.methods.session import Outcome
from tests.training.fake_session import Workshop

PAIR = ("resnet14", "resnet8")
ACROSS = ("wrn_16_2", "resnet8")  # 128 and 64 features


def same(one: Outcome, other: Outcome) -> None:
    assert one.weights_digest == other.weights_digest != ""
    assert one.metrics == other.metrics
    assert (one.best, one.best_epoch) == (other.best, other.best_epoch)


#: Method, networks and settings: each method as it is; then teachers' features from a table, as in
#: the quick profile; then heads and adapter across widths, and views whose draws have parameters.
METHODS = ("cocord", "cocord+kd", "kd", "crd", "student")
TABLE: dict[str, Value] = {"teacher__table": "on"}
CASES: list[tuple[str, tuple[str, str], dict[str, Any]]] = [
    *((method, PAIR, {"precision": p}) for method in METHODS for p in ("fp32", "bf16")),
    ("cocord", PAIR, TABLE | {"val": 0.02}),  # with every metric that there is
    ("crd", PAIR, TABLE | {"loss__kd": 1.0}),
    ("cocord", ACROSS, {"mismatch": "adapter"}),
    ("cocord", PAIR, {"views__augmentation": "crop-flip-blur"}),
    ("cocord", PAIR, {"views__augmentation": "random-resized-crop"}),
]


# 599 images in batches of 128 are 5 steps an epoch: within an epoch, at its end, at the very end.
@pytest.mark.parametrize(("method", "pair", "changes"), CASES, ids=str)
def test_resume_is_bit_identical(
    workshop: Workshop,
    method: str,
    pair: tuple[str, str],
    changes: dict[str, Any],
) -> None:
    job = workshop.job(method, *pair, **changes)
    name = f"{method} {list(changes.values())}"
    whole = workshop.session(job, f"whole {name}")
    assert ("teacher_table" in whole.config.upstream) == ("teacher__table" in changes)
    outcome = whole.run()
    assert [p.step for p in whole.positions] == list(range(1, 11))
    assert [p.epoch_ended for p in whole.positions] == ([False] * 4 + [True]) * 2
    parts = workshop.session(job, f"parts {name}")
    same(parts.run_with_stops(1, 3, 5, 8, 10), outcome)
    assert parts.epochs == whole.epochs
    for name in ("weights.pt", "best.pt", "hits.npy"):
        assert (parts.folder / name).read_bytes() == (whole.folder / name).read_bytes()
