"""Costs told from earlier runs of the same kind, and the time that they take on some slots."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.matrix.costs import Cost, CostTable, PaidJob, images_shown, wall_clock
from ablate.methods.session import JobConfig

JOB = JobConfig(
    kind="student", method="m", program="m:f", seed=0, data="cifar100",
    settings={"epochs": 10, "batch_size": 64, "temperature": 0.1},
)  # fmt: skip


def with_settings(**settings: float) -> JobConfig:
    return replace(JOB, settings={**JOB.settings, **settings})


def test_a_cost_follows_the_epochs() -> None:
    table = CostTable([PaidJob(JOB, Cost(100.0, 5, 7))])
    assert table.cost(with_settings(epochs=240)) == Cost(2400.0, 5, 7)


def test_the_same_settings_tell_more_than_others() -> None:
    other = with_settings(temperature=0.5)
    paid = [PaidJob(other, Cost(900.0)), PaidJob(JOB, Cost(100.0)), PaidJob(JOB, Cost(110.0))]
    assert CostTable(paid).cost(replace(JOB, seed=5)).seconds == 105.0
    assert CostTable(paid[:1]).cost(JOB).seconds == 900.0


def test_what_ran_never_is_unknown() -> None:
    table = CostTable([PaidJob(JOB, Cost(100.0, 5, 7))])
    for other in (
        replace(JOB, method="n"),
        replace(JOB, data="digits"),
        replace(JOB, networks={"student": "vgg8"}),
        with_settings(batch_size=1),
    ):
        assert table.cost(other) == Cost()


def test_images_shown_say_how_large_a_training_is() -> None:
    assert images_shown(with_settings(epochs=240)) == 240 * 50_000
    assert images_shown(replace(JOB, data="")) == 0


@pytest.mark.parametrize(
    ("seconds", "upstream", "slots", "expected"),
    [
        ({}, {}, 2, 0.0),
        ({"a": 3.0}, {}, 2, 3.0),
        ({"a": 3.0, "b": 2.0, "c": 2.0}, {}, 2, 4.0),
        ({"a": 3.0, "b": 2.0}, {"b": ("a",)}, 2, 5.0),
        ({"b": 2.0}, {"b": ("done before",)}, 2, 2.0),
    ],
)
def test_wall_clock(
    seconds: dict[str, float], upstream: dict[str, tuple[str, ...]], slots: int, expected: float
) -> None:
    assert wall_clock(seconds, upstream, slots) == expected


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20), st.integers(1, 8))
def test_wall_clock_lies_between_the_work_shared_and_the_work_in_turn(
    times: list[float], slots: int
) -> None:
    found = wall_clock({str(i): time for i, time in enumerate(times)}, {}, slots)
    assert max(times) <= found + 1e-9
    assert sum(times) / slots <= found + 1e-9
    assert found <= sum(times) + 1e-9
