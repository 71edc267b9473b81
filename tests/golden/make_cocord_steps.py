"""Make a recording of CoCoRD steps from the literal algorithm in tests/training/oracle.py.

    python -m tests.golden.make_cocord_steps                      # the repository's file again
    python -m tests.golden.make_cocord_steps --seed 7 --out FILE  # other weights and images

Without --seed the file's own inputs (weights, views, labels, dictionary) are kept and what
follows from them is computed again; so the first file, which came from running the authors'
code, is checked against the algorithm as it is written down. tests/training/test_golden_cocord.py
replays all recordings, also those of the folder $ABLATE_GOLDEN.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ablate.training import networks
from tests.training.oracle import Hyperparameters, Oracle, head

FILE = Path(__file__).with_name("cocord_steps.npz")
TRAINED = ("student", "teacher", "student_head", "predictor")
TERMS = ("ctr", "cls", "pred", "pred_sym")
Arrays = dict[str, np.ndarray[Any, Any]]


def build(hyper: Mapping[str, Any]) -> dict[str, nn.Module]:
    """The networks of a recording."""
    student, teacher = (networks.build(hyper[n], hyper["num_classes"]) for n in TRAINED[:2])
    hidden, embedding = hyper["hidden_dim"], hyper["embedding_dim"]
    return {
        "student": student,
        "teacher": teacher,
        "student_head": head(student.feature_dim, hidden, embedding),
        "predictor": head(embedding, hyper["predictor_dim"], embedding),
    }


def draw(hyper: Mapping[str, Any], seed: int) -> Arrays:
    """Fresh inputs: weights, dictionary, views and labels."""
    torch.manual_seed(seed)
    steps, batch = hyper["steps"], hyper["batch_size"]
    arrays = {
        f"init/{name}.{key}": value.numpy()
        for name, net in build(hyper).items()
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    dictionary = torch.randn(hyper["queue_size"], hyper["embedding_dim"])
    arrays["init/queue"] = nn.functional.normalize(dictionary, dim=1).numpy()
    for view in "qkt":
        arrays[f"view/{view}"] = torch.randn(steps, batch, 3, 32, 32).half().numpy()
    arrays["labels"] = torch.randint(hyper["num_classes"], (steps, batch)).numpy()
    return arrays


def record(inputs: Arrays, hyper: Mapping[str, Any]) -> Arrays:
    """Run the steps in float64; return what the recording holds beside its inputs."""
    oracle = start(inputs, hyper)
    views = [torch.from_numpy(inputs[f"view/{view}"]).double() for view in "qkt"]
    labels = torch.from_numpy(inputs["labels"])
    steps = [oracle.step(q, k, t, y) for q, k, t, y in zip(*views, labels, strict=True)]
    arrays = {
        f"loss/{name}": torch.stack([losses[name] for losses in steps]).numpy()
        for name in (*TERMS, "total")
    }
    for name in sorted(oracle.nets.keys() - {"teacher"}):
        for key, value in oracle.nets[name].state_dict().items():
            if not key.endswith("num_batches_tracked"):
                arrays[f"final_l2/{name}.{key}"] = value.norm().numpy()
    return {
        **arrays,
        "final/queue": oracle.dictionary.numpy(),
        "final/queue_ptr": np.array(oracle.pointer),
    }


def start(inputs: Arrays, hyper: Mapping[str, Any]) -> Oracle:
    """The oracle at a recording's first weights, in float64."""
    nets = build(hyper)
    for name, net in nets.items():
        prefix = f"init/{name}."
        state = {
            key.removeprefix(prefix): torch.from_numpy(value)
            for key, value in inputs.items()
            if key.startswith(prefix)
        }
        net.load_state_dict(state, strict=False)
        net.double()
    weights = {term: float(hyper[f"w_{term.removesuffix('_sym')}"]) for term in TERMS}
    parameters = Hyperparameters(
        hyper["temperature"], hyper["teacher_head_momentum"], hyper["slow_momentum"], weights
    )
    dictionary: Tensor = torch.from_numpy(inputs["init/queue"]).double()
    return Oracle(nets, dictionary, parameters, lr=hyper["lr"])


def make(source: Path, target: Path, seed: int | None) -> None:
    """Write a recording with the hyperparameters of `source`, and its inputs without a seed."""
    with np.load(source) as file:
        arrays = {name: file[name] for name in file.files}
    hyper = json.loads(str(arrays["hyper"]))
    prefixes = "init/", "view/", "labels"
    inputs = {n: a for n, a in arrays.items() if n.startswith(prefixes)}
    if seed is not None:
        inputs = draw(hyper, seed)
    outputs = record(inputs, hyper)
    np.savez_compressed(target, **inputs, **outputs, hyper=arrays["hyper"])  # type: ignore[arg-type]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, help="draw other weights, views and labels")
    parser.add_argument("--out", type=Path, default=FILE, help="file to write")
    options = parser.parse_args()
    make(FILE, options.out, options.seed)
