"""A run that was interrupted anywhere ends with the bits of one that never was."""

from __future__ import annotations

import pytest
from fake_session import FakeSession, Workshop

from ablate.errors import Interrupted
from ablate.methods.session import Outcome

PAIR = ("resnet14", "resnet8")


def run_with_stops(session: FakeSession, stops: tuple[int, ...]) -> Outcome:
    for stop in stops:
        session.stop_after = stop
        with pytest.raises(Interrupted):
            session.run()
    session.stop_after = -1
    return session.run()


def same(one: Outcome, other: Outcome) -> None:
    assert one.weights_digest == other.weights_digest != ""
    assert one.metrics == other.metrics
    assert (one.best, one.best_epoch) == (other.best, other.best_epoch)


# 599 images in batches of 128 are 5 steps an epoch: within an epoch, at its end, at the very end.
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("method", ["cocord", "cocord+kd", "kd", "crd", "student"])
def test_resume_is_bit_identical(workshop: Workshop, method: str, precision: str) -> None:
    job = workshop.job(method, *PAIR, precision=precision)
    whole = workshop.session(job, f"whole {method} {precision}")
    outcome = whole.run()
    assert [p.step for p in whole.positions] == list(range(1, 11))
    assert [p.epoch_ended for p in whole.positions] == ([False] * 4 + [True]) * 2
    parts = workshop.session(job, f"parts {method} {precision}")
    same(run_with_stops(parts, (1, 3, 5, 8, 10)), outcome)
    assert parts.epochs == whole.epochs
    for name in ("weights.pt",):
        assert (parts.folder / name).read_bytes() == (whole.folder / name).read_bytes()
