"""The programs on digits: what they measure, save and refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.errors import DivergedError, InputError, Interrupted
from ablate.methods.cocord import COCORD
from ablate.methods.method import Method
from ablate.methods.parts import Choice, Part, Value
from ablate.methods.recipe import RECIPE
from ablate.methods.references import CRD
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import Position
from ablate.training import checkpoint, networks
from ablate.training.evaluate import EvaluationSplit, evaluate
from ablate.training.hyper import Hyper
from ablate.training.loop import TrainingRun
from ablate.training.precision import Precision
from ablate.training.teacher_weights import load_weights
from tests.training.data_sets import digits
from tests.training.fake_session import FakeSession, Workshop

PAIR = ("resnet14", "resnet8")
ACROSS = ("wrn_16_1", "resnet8x4")  # 64 and 256 features
SHORT: dict[str, Any] = {
    "batch_size": 299,
    "epochs": 2,
}  # 2 steps an epoch, and one image left over
OF_TRAINING = {"loss", "train_top1", "top1_reestimated"}
TEST_METRICS = {"top1", "top5", "test_loss"}


@pytest.mark.parametrize(
    ("method", "losses"),
    [
        ("cocord", {"loss_ctr", "loss_cls", "loss_pred", "loss_pred_sym", "contrast_acc",
                    "slow_top1"}),
        ("cocord+kd", {"loss_ctr", "loss_cls", "loss_pred", "loss_pred_sym", "loss_kd",
                       "contrast_acc", "slow_top1"}),
        ("kd", {"loss_cls", "loss_kd"}),
        ("crd", {"loss_cls", "loss_crd"}),
        ("student", {"loss_cls"}),
    ],
)  # fmt: skip
def test_outcome_names_the_metrics(workshop: Workshop, method: str, losses: set[str]) -> None:
    session = workshop.session(workshop.job(method, *PAIR, **SHORT), f"metrics {method}")
    outcome = session.run()
    assert set(outcome.metrics) == TEST_METRICS | OF_TRAINING | losses
    assert set(outcome.metrics) <= {metric.name for metric in BUILT_IN[method].metrics}
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    assert [epoch for epoch, _, _ in session.epochs] == [1, 2]
    assert session.epochs[-1][2] == outcome.metrics
    assert [step for _, step, _ in session.epochs] == [2, 4]
    top1 = [metrics["top1"] for _, _, metrics in session.epochs]
    assert outcome.best_epoch == top1.index(max(top1)) + 1
    assert outcome.best == session.epochs[outcome.best_epoch - 1][2]
    assert outcome.peak_memory > 2**20
    assert {"torch", "device", "threads"} <= outcome.facts.keys()


def test_total_is_the_weighted_sum_of_its_terms(workshop: Workshop) -> None:
    job = workshop.job("cocord+kd", *PAIR, **SHORT, loss__kd=0.5, loss__cls=2.0)
    m = workshop.session(job, "sum").run().metrics
    total = m["loss_ctr"] + 2 * m["loss_cls"] + 4 * (m["loss_pred"] + m["loss_pred_sym"])
    assert m["loss"] == pytest.approx(total + 0.5 * m["loss_kd"], rel=1e-5)


def test_saved_weights_are_what_was_measured(workshop: Workshop) -> None:
    session = workshop.session(workshop.job("cocord", *PAIR, **SHORT), "saved")
    outcome = session.run()
    network = networks.build("resnet8", 10, 1)
    load_weights(session.folder / "weights.pt", network, "resnet8")
    assert checkpoint.digest(network.state_dict()) == outcome.weights_digest
    fp32 = Precision("fp32", torch.device("cpu"))
    fp32.place(network)
    images = digits()
    again = evaluate(network, EvaluationSplit.test(images), fp32).metrics
    assert again == {name: outcome.metrics[name] for name in TEST_METRICS}
    network.eval()
    mean, std = (torch.tensor(x)[:, None, None] for x in (images.info.mean, images.info.std))
    logits = network(fp32.lay_out((images.test_images / 255 - mean) / std))
    hits = logits.argmax(dim=1) == images.test_labels
    assert again["top1"] == pytest.approx(100 * hits.double().mean().item(), abs=0.1)


def test_methods_of_one_seed_start_from_one_student(workshop: Workshop) -> None:
    """The first batch's loss on labels is the same, since weights, order and views are."""
    first = {}
    for method in ("cocord", "kd", "crd", "student"):
        job = workshop.job(method, *PAIR, **SHORT)
        session = workshop.session(job, f"first {method}")
        session.stop_after = 1
        with pytest.raises(Interrupted):
            session.run()
        sums = checkpoint.unpack(session.checkpoint or b"")["progress"]["sums"]
        first[method] = sums["sums"][sums["names"].index("loss_cls")].item()
    assert len(set(first.values())) == 1, first


def test_seeds_differ(workshop: Workshop) -> None:
    job = workshop.job("student", *PAIR, **SHORT)
    digests = {
        workshop.session(replace(job, seed=seed), f"seed {seed}").run().weights_digest
        for seed in (0, 1)
    }
    assert len(digests) == 2


def other_values(part: Part) -> list[Value]:
    """Values of a part beside its baseline; of a range, one or two that are not far."""
    if isinstance(part.allowed, Choice):
        return [value for value in part.allowed.values if value != part.baseline]
    baseline = float(part.baseline)
    tiny = {"epochs": [3], "batch_size": [150], "dictionary.size": [301], "crd.negatives": [5]}
    if part.name in tiny:
        return list(tiny[part.name])
    if part.allowed.whole:
        return [3] if part.name == "head.depth" else [24]
    wanted = [0.0 if part.off is None else float(part.off), baseline * 0.5 or 0.5]
    return [v for v in wanted if v != baseline and not (v == 0 and part.allowed.open_low)]


def variants(method: Method, *skipped: str) -> list[tuple[str, str, Value]]:
    parts = [p for p in method.parts if not p.name.startswith(("teacher.", *skipped))]
    return [(method.name, p.name, value) for p in parts for value in other_values(p)]


@pytest.mark.parametrize(
    ("method", "part", "value"),
    [*variants(COCORD, "deterministic", "fast"), *variants(CRD, "deterministic", *[
        part.name for part in COCORD.parts])],
    ids=str,
)  # fmt: skip
def test_every_value_of_every_part_changes_the_result(
    workshop: Workshop, method: str, part: str, value: Value
) -> None:
    """An ablation that silently does nothing is the worst result a table could print."""
    # Of unequal widths, so that the mismatch rule counts; with KD, so that its temperature does.
    base: dict[str, Value] = {"batch_size": 64, "dictionary.size": 300, "loss.kd": 0.7}
    slow = part in ("epochs", "lr_schedule")  # shows after the first epoch only
    if slow:
        base |= {"batch_size": 299, "epochs": 4}
    if method == "cocord":
        base["momentum.teacher_head"] = 0.999  # as ablated; the baseline freezes it here
    base = {name: v for name, v in base.items() if BUILT_IN[method].has_part(name)}

    def run(**changes: Value) -> dict[str, float]:
        job = workshop.job(method, "wrn_16_2", "resnet8", **{**base, **changes})
        if list(BUILT_IN[method].conflicts(job)):
            pytest.skip("cannot work on digits")
        session = workshop.session(job, f"{method} part")
        if slow:
            return dict(session.run().metrics)
        session.stop_after = 3
        with pytest.raises(Interrupted):
            session.run()
        sums = checkpoint.unpack(session.checkpoint or b"")["progress"]["sums"]
        return dict(zip(sums["names"], sums["sums"].tolist(), strict=True))

    key = f"{method} {slow}"
    if key not in BASELINES:
        BASELINES[key] = run()
    changed = run(**{part: value})
    names = (changed.keys() & BASELINES[key].keys()) - {"loss"}  # a weight changes it anyway
    assert {n: changed[n] for n in names} != {n: BASELINES[key][n] for n in names}


BASELINES: dict[str, dict[str, float]] = {}


def test_table_and_teacher_give_the_same_distillation(workshop: Workshop) -> None:
    """Up to rounding: features of other batch sizes differ in their last bits."""
    for precision, tolerance in (("fp32", 1e-3), ("bf16", 0.05)):
        results = []
        for table in ("on", "off"):
            job = workshop.job(
                "cocord+kd", *PAIR, **SHORT, teacher__table=table, precision=precision
            )
            session = workshop.session(job, f"table {table}")
            assert ("teacher_table" in session.config.upstream) == (table == "on")
            results.append(session.run().metrics)
        for name in ("loss_ctr", "loss_kd", "loss"):
            assert results[0][name] == pytest.approx(results[1][name], rel=tolerance)


def test_a_teacher_of_the_users_own_is_tested_not_trained(
    workshop: Workshop, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    theirs = networks.build("resnet14", 10, 1)
    torch.save({"epoch": 240, "model": theirs.state_dict()}, tmp_path / "ckpt_epoch_240.pth")
    job = BUILT_IN["kd"].upstream(workshop.job("kd", *PAIR), workshop._recipe)["teacher"]
    job = replace(job, inputs={"checkpoint": "digest"})
    machine = replace(FakeSession(job, tmp_path).machine,
                      files={"checkpoint": tmp_path / "ckpt_epoch_240.pth"})  # fmt: skip
    session = FakeSession(job, tmp_path / "given", machine=machine)
    outcome = session.run()
    assert outcome.weights_digest == checkpoint.digest(theirs.state_dict())
    assert set(outcome.metrics) == TEST_METRICS
    assert session.positions == []
    saved = torch.load(session.folder / "weights.pt", weights_only=True)
    assert checkpoint.digest(saved["model"]) == outcome.weights_digest
    wrong = replace(job, networks={"teacher": "resnet20"})
    with pytest.raises(InputError, match="is missing, but resnet20 needs it"):
        FakeSession(wrong, tmp_path / "wrong", machine=machine).run()


@pytest.mark.parametrize("method", ["cocord", "student"])
def test_nan_ends_the_job_at_the_epochs_end(workshop: Workshop, method: str) -> None:
    job = workshop.job(method, *PAIR, lr=100.0, epochs=5, weight_decay=1.0)
    session = workshop.session(job, f"nan {method}")
    with pytest.raises(DivergedError, match=r"diverged in epoch \d"):
        session.run()
    assert len(session.epochs) < 5
    for _, _, metrics in session.epochs:
        assert all(math.isfinite(value) for value in metrics.values())
    assert not (session.folder / "weights.pt").exists()


@pytest.mark.parametrize("ended", [False, True])
def test_a_weight_that_is_not_finite_is_told_with_its_epoch(
    workshop: Workshop, ended: bool
) -> None:
    """The last step of an epoch may be the one that goes wrong, after its losses were sound."""
    job = workshop.job("student", *PAIR, batch_size=299, epochs=1)
    session = workshop.session(job, f"spoiled {ended}")
    step_done = session.step_done

    def spoil(position: Position, snapshot: Callable[[], bytes] | None) -> None:
        if position.epoch_ended == ended:
            run: TrainingRun = snapshot.__self__  # type: ignore[attr-defined]
            next(run.trainable.parameters()).data.fill_(math.nan)
            session.stop_after = position.step
        step_done(position, snapshot)

    session.step_done = spoil  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match="diverged in epoch 1: a weight is not finite"):
        session.run()


def test_a_bad_state_is_in_no_checkpoint(workshop: Workshop) -> None:
    """Wherever it is asked to stop: either all is finite, or the job has diverged."""
    job = workshop.job("student", *PAIR, lr=100.0, epochs=5, weight_decay=1.0)
    diverged = 0
    for stop in range(1, 12):
        session = workshop.session(job, f"nan at {stop}")
        session.stop_after = stop
        try:
            session.run()
        except DivergedError:
            diverged += 1
        except Interrupted:
            model = checkpoint.unpack(session.checkpoint or b"")["model"]
            assert all(v.isfinite().all() for v in model.values() if v.is_floating_point())
            assert not diverged, "a later stop met a sound state"
    assert diverged


def test_a_single_left_over_image_is_skipped_and_a_partial_batch_is_not(
    workshop: Workshop,
) -> None:
    for batch_size, steps in ((299, 2), (300, 2), (598, 1), (599, 1), (64, 10), (2000, 1)):
        job = workshop.job("student", *PAIR, batch_size=batch_size, epochs=1)
        session = workshop.session(job, "left over")
        session.run()
        assert len(session.positions) == steps, batch_size


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        ("step", 240, {1: 1, 150: 1, 151: 0.1, 180: 0.1, 181: 0.01, 210: 0.01, 211: 0.001}),
        ("step", 8, {5: 1, 6: 0.1, 7: 0.01, 8: 0.001}),
        ("cosine", 10, {1: 1, 6: 0.5}),
        ("constant", 10, {1: 1, 10: 1}),
    ],
)
def test_learning_rate_schedules(schedule: str, epochs: int, expected: dict[int, float]) -> None:
    settings = {part.name: part.baseline for part in RECIPE}
    settings |= {"epochs": epochs, "lr": 1.0, "lr_schedule": schedule}
    hyper = Hyper.from_settings(settings)
    assert {e: hyper.lr_at(e) for e in expected} == pytest.approx(expected)


def test_a_validation_split_chooses_the_best_epoch(workshop: Workshop) -> None:
    job = workshop.job("cocord", *PAIR, epochs=4, val=0.2)
    session = workshop.session(job, "validation")
    outcome = session.run()
    chosen = [metrics["val_top1"] for _, _, metrics in session.epochs]
    assert outcome.best_epoch == chosen.index(max(chosen)) + 1
    assert outcome.best == session.epochs[outcome.best_epoch - 1][2]


def test_best_weights_and_hits_are_kept_beside_the_last_weights(workshop: Workshop) -> None:
    job = workshop.job("student", *PAIR, epochs=8, lr=0.5, lr_schedule="constant")
    session = workshop.session(job, "kept")
    outcome = session.run()
    images, fp32 = digits(), Precision("fp32", torch.device("cpu"))
    network = networks.build("resnet8", 10, 1)
    fp32.place(network)
    for file, expected in (("weights.pt", outcome.metrics), ("best.pt", outcome.best)):
        load_weights(session.folder / file, network, "resnet8")
        tested = evaluate(network, EvaluationSplit.test(images), fp32)
        assert tested.metrics["top1"] == expected["top1"]
        if file == "weights.pt":
            hits = np.load(session.folder / "hits.npy", allow_pickle=False)
            assert hits.tolist() == tested.hits.tolist()
            assert 100 * hits.mean() == pytest.approx(outcome.metrics["top1"])
    assert outcome.best_epoch < 8, "or best and last would be one"
