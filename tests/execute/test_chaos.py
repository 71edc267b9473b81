"""Killed at random until it is done, a study ends as if nothing had happened."""

from __future__ import annotations

import pytest

from tests.execute.chaos import MOMENTS, Chaos, consistent
from tests.execute.toy_workshop import Workshop

Outcomes = dict[tuple[str, str, int], tuple[str, str]]

#: Work for longer than all kills take: it is the rest a step that takes time, not the processor.
OPTIONS = ("--set", "work=20")


def torment(workshop: Workshop, kills: int, seed: int, pause: int) -> Chaos:
    """Run the taught study under kills at random and at chosen moments."""
    workshop.settings(checkpoint_every="2 steps", max_retries=1000, retry_delay_s=0.0)
    study = workshop.study(method="TAUGHT")
    workshop.order(*MOMENTS)
    command = ("run", study, *OPTIONS, "--set", f"pause={pause}")
    chaos = Chaos(workshop, command, seed, longest_s=0.6)
    chaos.go(kills)
    return chaos


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    made = Workshop(tmp_path_factory.mktemp("quiet"))
    made.run(made.study(method="TAUGHT"), *OPTIONS)
    return made.outcomes()


def test_chaos(workshop: Workshop, quiet: Outcomes) -> None:
    chaos = torment(workshop, 16, seed=1, pause=80)
    assert chaos.total >= 16
    assert set(MOMENTS) <= set(chaos.kills), "mid-checkpoint, and between result and commit"
    assert workshop.outcomes() == quiet
    consistent(workshop)
    teachers = [run for run in workshop.runs() if run.config().kind == "teacher"]
    assert len(teachers) == 1, "the teacher is one job, with one result"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [2, 3])
def test_long_chaos(workshop: Workshop, quiet: Outcomes, seed: int) -> None:
    chaos = torment(workshop, 60, seed, pause=250)
    assert chaos.total >= 60
    assert set(MOMENTS) <= set(chaos.kills)
    print(dict(chaos.kills))  # noqa: T201 - a figure that one may want to see (-s)
    assert workshop.outcomes() == quiet
    consistent(workshop)
