"""The fast path: used only if it proves itself, refused or given up without a trace otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.errors import Interrupted
from ablate.methods.parts import Value
from ablate.methods.session import Machine, Outcome
from ablate.training import fast, fast_trials
from ablate.training.step import Batch, OptimizerStep
from tests.training.fake_session import Workshop

PAIR = ("resnet14", "resnet8")
SHORT: dict[str, Any] = {"batch_size": 64, "epochs": 2}


class Fake:
    """A fast path on the CPU: the plain step, counted, and spoiled after it if asked to."""

    def __init__(self, spoil: Callable[[OptimizerStep], None] | None = None) -> None:
        self.spoil = spoil
        self.taken = 0

    def __call__(self, step: OptimizerStep, example: Batch) -> fast.TakeStep:
        step(example)  # as a capture does, whose steps must leave no trace

        def take(batch: Batch) -> dict[str, Tensor]:
            self.taken += 1
            results = step(batch)
            if self.spoil is not None:
                self.spoil(step)
            return results

        return take


def run(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    build: fast.Builder | None,
    **changes: Value,
) -> Outcome:
    monkeypatch.setattr(fast, "builder_for", lambda _: build)
    job = workshop.job("cocord", *PAIR, **{**SHORT, **changes})
    return workshop.session(job, "fast").run()


def same(one: Outcome, other: Outcome) -> None:
    assert one.weights_digest == other.weights_digest
    assert one.metrics == other.metrics


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where trials are remembered; another folder for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ablate" / "fast-paths"


@pytest.fixture(scope="module")
def plain(workshop: Workshop) -> Outcome:
    outcome = workshop.session(workshop.job("cocord", *PAIR, **SHORT), "plain").run()
    assert "steps" not in outcome.facts, "where there is no fast path, nothing is said"
    return outcome


def test_one_that_proves_itself_is_used(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    fake = Fake()
    outcome = run(workshop, monkeypatch, fake)
    assert fake.taken == fast.STEPS + 20, "ten steps an epoch"
    assert outcome.facts["steps"] == "fast path, equal to the bit over 3 steps"
    same(outcome, plain)


def nudge(step: OptimizerStep, by: float = 2.0**-20) -> None:
    """Change one weight by a little."""
    weight = next(step.method.student.parameters()).data.flatten()
    weight[0] += by * weight.abs().max()


def nudge_queue(step: OptimizerStep) -> None:
    """Change what no loss of these few steps shows."""
    step.method.queue[-1, -1] += 1e-6  # type: ignore[index, operator]


@pytest.mark.parametrize("spoil", [nudge, nudge_queue])
def test_one_that_is_wrong_in_a_bit_is_refused(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    plain: Outcome,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[OptimizerStep], None],
) -> None:
    fake = Fake(spoil)
    outcome = run(workshop, monkeypatch, fake)
    assert fake.taken == fast.STEPS, "it is not used again"
    assert outcome.facts["steps"].startswith("plain steps: the fast path differs by")
    assert outcome.facts["steps"] in capsys.readouterr().err, "the log says so"
    same(outcome, plain)


def test_a_tolerance_has_to_be_permitted_and_is_one(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = Fake(nudge), Fake(lambda step: nudge(step, by=0.1))
    outcome = run(workshop, monkeypatch, near, fast="tolerance", batch_size=299)
    assert "steps" not in outcome.facts, "one whole batch beside the first proves nothing"
    outcome = run(workshop, monkeypatch, near, fast="tolerance")
    assert outcome.facts["steps"].startswith("fast path, within")
    outcome = run(
        workshop, monkeypatch, far, fast="tolerance", lr=0.07
    )  # another kind: a new trial
    assert outcome.facts["steps"].startswith("plain steps")


def test_off_is_off(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    assert "steps" not in run(workshop, monkeypatch, fake, fast="off").facts
    assert fake.taken == 0


@pytest.mark.parametrize("when", ["building", "stepping"])
def test_an_exception_falls_back(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome, when: str
) -> None:
    def broken(step: OptimizerStep, example: Batch) -> fast.TakeStep:
        step(example)
        if when == "building":
            raise RuntimeError("operation not permitted when stream is capturing\nand more")

        def take(batch: Batch) -> dict[str, Tensor]:
            step(batch)
            raise ValueError("no such kernel")

        return take

    outcome = run(workshop, monkeypatch, broken)
    words = {"building": "RuntimeError: operation not permitted", "stepping": "no such kernel"}
    assert words[when] in outcome.facts["steps"]
    assert "\n" not in outcome.facts["steps"]
    same(outcome, plain)


def test_losses_that_are_not_a_number_are_no_proof(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    def nan(step: OptimizerStep, _: Batch) -> fast.TakeStep:
        def take(batch: Batch) -> dict[str, Tensor]:
            return {name: value * torch.nan for name, value in step(batch).items()}

        return take

    outcome = run(workshop, monkeypatch, nan, fast="tolerance")
    assert outcome.facts["steps"].startswith("plain steps")


def test_a_run_may_go_on_by_the_other_path(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    """Stopped on one machine with a fast path, resumed on one without it, and back."""
    paths: list[fast.Builder | None] = [Fake(), None, Fake()]
    session = workshop.session(workshop.job("cocord", *PAIR, **SHORT), "both paths")
    monkeypatch.setattr(fast, "builder_for", lambda _: paths[0])
    for stop in (3, 13):
        session.stop_after = stop
        with pytest.raises(Interrupted):
            session.run()
        paths.pop(0)
    session.stop_after = -1
    same(session.run(), plain)


def steps_taken(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, fake: Fake, **changes: Value
) -> tuple[int, str]:
    """(steps by the fast path, what the facts say) of one more run."""
    before = fake.taken
    outcome = run(workshop, monkeypatch, fake, **changes)
    return fake.taken - before, outcome.facts["steps"]


def test_a_proof_is_remembered_for_its_kind_of_job_and_machine(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome, memory: Path
) -> None:
    fake = Fake()
    proved = "fast path, equal to the bit over 3 steps"
    assert steps_taken(workshop, monkeypatch, fake) == (fast.STEPS + 20, proved)
    assert steps_taken(workshop, monkeypatch, fake) == (20, proved), "proved once"
    assert steps_taken(workshop, monkeypatch, fake, lr=0.07) == (fast.STEPS + 20, proved)
    monkeypatch.setattr(fast_trials, "_driver", lambda: "another")
    assert steps_taken(workshop, monkeypatch, fake) == (fast.STEPS + 20, proved)
    assert len([*memory.iterdir()]) == 3
    monkeypatch.setattr(fast_trials, "cache_folder", lambda: Path("/proc/none"))
    assert steps_taken(workshop, monkeypatch, fake) == (fast.STEPS + 20, proved)


def test_a_kind_is_the_job_but_for_its_seed(workshop: Workshop) -> None:
    def kind(seed: int = 0, upstream: str = "1", code: str = "") -> str:
        job = workshop.job("cocord", *PAIR, **SHORT)
        job = replace(job, seed=seed, upstream={"teacher": upstream}, code=code)
        return fast_trials.kind_of(job, torch.device("cpu"))

    assert kind() == kind(seed=3, upstream="2")
    assert kind() != kind(code="edited")


def test_a_refusal_is_remembered_and_an_error_is_not(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    taken, words = steps_taken(workshop, monkeypatch, wrong := Fake(nudge))
    assert taken == fast.STEPS
    assert steps_taken(workshop, monkeypatch, wrong) == (0, words)

    def broken(step: OptimizerStep, _: Batch) -> fast.TakeStep:
        raise torch.OutOfMemoryError("a neighbour has it")

    run(workshop, monkeypatch, broken, lr=0.07)
    taken, words = steps_taken(workshop, monkeypatch, Fake(), lr=0.07)
    assert (taken, words[:9]) == (fast.STEPS + 20, "fast path")


def test_a_trial_that_ended_its_process_is_not_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, plain: Outcome
) -> None:
    def lost(step: OptimizerStep, _: Batch) -> fast.TakeStep:
        raise KeyboardInterrupt  # nothing after it runs, as where a driver takes the process along

    with pytest.raises(KeyboardInterrupt):
        run(workshop, monkeypatch, lost)
    outcome = run(workshop, monkeypatch, fake := Fake())
    assert fake.taken == 0
    assert "ended its process" in outcome.facts["steps"]
    same(outcome, plain)


@pytest.mark.gpu
@pytest.mark.usefixtures("_never_waits")
@pytest.mark.parametrize("method", ["cocord", "kd", "crd", "student"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cuda_graph_is_the_step(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, method: str, precision: str
) -> None:
    outcomes = []
    for permitted in ("bits", "off"):
        job = workshop.job(method, *PAIR, **SHORT, precision=precision, fast=permitted)
        session = workshop.session(job, f"graph {permitted}")
        session.machine = Machine("cuda:0")
        outcomes.append(session.run())
    assert outcomes[0].facts["steps"].startswith("fast path, equal to the bit")
    same(*outcomes)
