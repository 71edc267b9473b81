"""Replays of recorded steps of the reference implementation, in float64.

Beside the repository's own file, every .npz in the folder $ABLATE_GOLDEN is replayed.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate.methods.cocord_config import CoCoRDConfig
from ablate.training import networks
from ablate.training.cocord_step import CoCoRD
from ablate.training.step import Batch
from tests import REPOSITORY

FOLDERS = [Path(__file__).parents[1] / "golden"]
if os.environ.get("ABLATE_GOLDEN"):
    FOLDERS.append(Path(os.environ["ABLATE_GOLDEN"]))
FILES = sorted(file for folder in FOLDERS for file in folder.glob("*.npz"))

CLOSE: Any = {"rtol": 1e-9, "atol": 1e-9}
TERMS = ("pred", "pred_sym")


@dataclass
class Recording:
    """One file: hyperparameters, starting weights, inputs and what the reference made of them."""

    path: Path

    def __post_init__(self) -> None:
        with np.load(self.path) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}
        self.hyper = json.loads(str(self.arrays["hyper"]))

    def tensor(self, name: str) -> Tensor:
        array = torch.from_numpy(self.arrays[name])
        return array.double() if array.is_floating_point() else array

    def names_after(self, prefix: str) -> list[str]:
        return [name.removeprefix(prefix) for name in self.arrays if name.startswith(prefix)]

    @property
    def steps(self) -> int:
        return len(self.arrays["labels"])

    @property
    def terms(self) -> list[str]:
        return self.hyper.get("prediction_terms", list(TERMS))

    @property
    def weights(self) -> dict[str, float]:
        h = self.hyper
        return {"ctr": h["w_ctr"], "cls": h["w_cls"], **dict.fromkeys(self.terms, h["w_pred"])}

    def config(self) -> CoCoRDConfig:
        h = self.hyper
        return CoCoRDConfig(
            weight_ctr=h["w_ctr"],
            weight_cls=h["w_cls"],
            weight_pred=h["w_pred"] if self.terms else 0.0,
            direction=self.terms[0] if len(self.terms) == 1 else "both",
            temperature=h["temperature"],
            dictionary=h["queue_size"],
            teacher_head_momentum=h["teacher_head_momentum"],
            slow_momentum=h["slow_momentum"],
            width=h["hidden_dim"],
            embedding=h["embedding_dim"],
            predictor_width=h["predictor_dim"],
        )

    def build(self, config: CoCoRDConfig) -> CoCoRD:
        h, views = self.hyper, self.arrays["view/q"]
        student = networks.build(h["student"], h["num_classes"], views.shape[2])
        teacher = networks.build(h["teacher"], h["num_classes"], views.shape[2])
        module = CoCoRD(config, student, teacher, teacher.feature_dim, seed=0).double()
        starts = {"slow_student": "student", "slow_head": "student_head"}
        if not self.names_after("init/teacher_head."):
            starts["teacher_head"] = "student_head"
        state = {
            f"{net}.{key}": self.tensor(f"init/{starts.get(net, net)}.{key}")
            for net in (*NETS, *starts)
            for key in self.names_after(f"init/{starts.get(net, net)}.")
        }
        missing, unexpected = module.load_state_dict(
            {**state, "queue": self.tensor("init/queue")}, strict=False
        )
        assert not unexpected
        assert all(k.endswith("num_batches_tracked") or k == "queue_ptr" for k in missing)
        return module

    def optimizer(self, module: CoCoRD) -> torch.optim.SGD:
        """SGD(momentum=0.9, …) as the file writes it."""
        call = ast.parse(self.hyper["optimizer"], mode="eval").body
        assert isinstance(call, ast.Call)
        assert ast.unparse(call.func).endswith("SGD")
        options = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        learned = [p for p in module.parameters() if p.requires_grad]
        return torch.optim.SGD(learned, **{"lr": self.hyper["lr"], **options})

    def batch(self, step: int) -> Batch:
        views = {view: self.tensor(f"view/{view}")[step] for view in "qkt"}
        labels = self.tensor("labels")[step]
        return Batch(views, labels, index=torch.arange(len(labels)), step=step)


NETS = ("student", "teacher", "student_head", "teacher_head", "predictor")


def replay(recording: Recording, config: CoCoRDConfig) -> list[str]:
    """Run all steps; assert what every reference agrees on, return buffers that differ.

    A running mean or variance moves with every pass, so those that differ tell a reference that
    ran other passes for the same losses; everything else has to agree.
    """
    module = recording.build(config)
    optimizer = recording.optimizer(module)
    for step in range(recording.steps):
        result = module(recording.batch(step))
        weights = {name: w for name, w in recording.weights.items() if w > 0}
        total = sum(weight * result.terms[name] for name, weight in weights.items())
        if set(result.terms) == set(weights):
            torch.testing.assert_close(result.total, total, **CLOSE)
        for name in weights:
            expected = recording.tensor(f"loss/{name}")[step]
            torch.testing.assert_close(
                result.terms[name].detach(), expected, **CLOSE, msg=f"{name}, step {step}"
            )
        expected = recording.tensor("loss/total")[step]
        torch.testing.assert_close(total.detach(), expected, **CLOSE, msg=f"total, step {step}")
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        module.finish_step()
    if "ctr" in result.terms:
        torch.testing.assert_close(module.queue, recording.tensor("final/queue"), **CLOSE)
        assert module.queue_ptr.item() == recording.tensor("final/queue_ptr").item()
    return differing_buffers(recording, module)


def differing_buffers(recording: Recording, module: CoCoRD) -> list[str]:
    state, differing = module.state_dict(), []
    keys = recording.names_after("final_l2/")
    assert keys
    for key in keys:
        norm, expected = state[key].double().norm(), recording.tensor(f"final_l2/{key}")
        if "running_" not in key and "num_batches" not in key:
            torch.testing.assert_close(norm, expected, **CLOSE, msg=key)
        elif not torch.allclose(norm, expected, **CLOSE):
            differing.append(key)
    return differing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_steps_are_reproduced(path: Path) -> None:
    recording = Recording(path)
    config = recording.config()
    differing = replay(recording, config)
    if differing and set(config.weights) != {"ctr", "cls", *TERMS}:
        # A loss that does not count costs no pass here. A file does not say whether its reference
        # still ran those passes and only left the term out of the sum; they change no loss and no
        # weight, only running statistics. So they are compared with all passes run too.
        config = replace(config, direction="both", weight_ctr=1, weight_cls=1, weight_pred=1)
        differing = replay(recording, config)
    assert differing == []


def test_golden_folder_holds_recordings() -> None:
    assert FILES


@pytest.mark.parametrize("seed", [None, 7])
def test_the_script_makes_recordings_that_are_reproduced(tmp_path: Path, seed: int | None) -> None:
    """Without a seed: the recording of the authors' code, made again from the algorithm."""
    script = [sys.executable, "-m", "tests.golden.make_cocord_steps"]
    options = [] if seed is None else ["--seed", str(seed)]
    command = [*script, *options, "--out", str(tmp_path / "x.npz")]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    made, recorded = Recording(tmp_path / "x.npz"), Recording(FOLDERS[0] / "cocord_steps.npz")
    assert replay(made, made.config()) == []
    assert made.arrays.keys() == recorded.arrays.keys()
    if seed is None:
        for name in made.arrays:
            if name != "hyper":
                torch.testing.assert_close(made.tensor(name), recorded.tensor(name), **CLOSE)
