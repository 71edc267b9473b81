"""A faster way to take a step that has to prove itself before it is used.

On a GPU the whole step can be one CUDA graph. Whether that gives the same numbers depends on the
driver, the libraries and the networks, so it is not believed: the first steps of a run are taken
both ways from the same state and compared. A difference, or an error, and the run goes on as if
there were no fast way; its log and its facts say so. What was found is remembered (`fast_trials`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ablate.training.fast_trials import TrialFinding, trial
from ablate.training.step import Batch, OptimizerStep

#: Takes one step; returns its losses and measures by metric.
TakeStep = Callable[[Batch], dict[str, Tensor]]
Builder = Callable[[OptimizerStep, Batch], TakeStep]

#: Steps that are compared. The first shows the losses, the second what the optimizer did, the
#: third what its momentum and the averages did.
STEPS = 3

#: What fast = "tolerance" permits: the largest difference of a tensor's values relative to the
#: largest of them, or to `_SMALL` where they are smaller: a bias in front of a BatchNorm is noise.
TOLERANCE, _SMALL = 1e-3, 1e-2


@dataclass(frozen=True)
class Chosen:
    """How the steps of a run are taken."""

    take: TakeStep
    words: str  #: for the log and the facts of the attempt; "" where there was nothing to choose


def builder_for(device: torch.device) -> Builder | None:
    """What builds the fast way of a kind of device; None where there is none."""
    return CudaGraphStep if device.type == "cuda" else None


def choose(step: OptimizerStep, batches: Sequence[Batch], permitted: str, kind: str) -> Chosen:
    """Choose between the plain step and the fast one, which `batches` are to prove.

    Fewer than `STEPS` batches prove nothing. `permitted` is "bits" (the same to the bit),
    "tolerance" (see `TOLERANCE`) or "off". `kind` names the kind of job and machine whose proof is
    remembered (`fast_trials.kind_of`). The state of the step is left as it was.
    """
    build = builder_for(step.precision.device)
    if build is None or permitted == "off" or len(batches) < STEPS:
        return Chosen(step, "")
    tolerance = TOLERANCE if permitted == "tolerance" else 0.0
    start = _State.of(step)
    with trial(kind) as at:
        found, fast = at.earlier, None
        try:
            if found is None:
                fast, difference = _compare(step, build, batches, start)
                found = _judge(difference, tolerance, len(batches))
            elif found.fast:
                fast = build(step, batches[0])
            remembered: TrialFinding | None = found
        except Exception as error:  # whatever a driver or a library comes up with
            words = f"plain steps: the fast path failed with {type(error).__name__}: {error}"
            found = TrialFinding(fast=False, words=words.partition("\n")[0])
            remembered = None  # such as memory that a neighbour had: the next attempt tries again
        start.restore(step)  # fails where the device is lost: then the trial has not returned
        at.end(remembered)
    sys.stderr.write(f"{found.words}\n")
    return Chosen(fast if found.fast and fast is not None else step, found.words)


def _judge(difference: float, tolerance: float, steps: int) -> TrialFinding:
    """Whether a difference over some steps is permitted, in words; NaN never is."""
    if not difference <= tolerance:
        words = f"plain steps: the fast path differs by {difference:.1e} after {steps} steps"
        return TrialFinding(fast=False, words=words)
    equal = "equal to the bit" if difference == 0 else f"within {difference:.1e}"
    return TrialFinding(fast=True, words=f"fast path, {equal} over {steps} steps")


def _compare(
    step: OptimizerStep, build: Builder, batches: Sequence[Batch], start: _State
) -> tuple[TakeStep, float]:
    """The fast way, and how far it is from the plain one in all losses and all of the state."""
    plain = [step(batch) for batch in batches]
    ended = _State.of(step)
    start.restore(step)
    fast = build(step, batches[0])  # which may take steps of its own
    start.restore(step)
    quick = [fast(batch) for batch in batches]
    differences = [_distance(one, other) for one, other in zip(plain, quick, strict=True)]
    differences.append(_distance(ended.tensors, _State.of(step).tensors))
    return fast, _largest(differences)


def _distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Largest difference between two sets of tensors, relative to the largest value of each."""
    if one.keys() != other.keys():
        return math.inf
    differences = [0.0]
    for name, a in one.items():
        b = other[name].double()
        if not torch.equal(a, other[name]):
            scale = a.double().abs().max().clamp(min=_SMALL)
            differences.append(float((a.double() - b).abs().max() / scale))
    return _largest(differences)


def _largest(values: Sequence[float]) -> float:
    """NaN if any is, which Python's max may overlook."""
    return math.nan if any(map(math.isnan, values)) else max(values)


@dataclass(frozen=True)
class _State:
    """A copy of all that a step changes."""

    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, step: OptimizerStep) -> _State:
        return cls({name: tensor.detach().clone() for name, tensor in _tensors(step).items()})

    @torch.no_grad()
    def restore(self, step: OptimizerStep) -> None:
        """Write the copy back in place, where a graph expects it."""
        for name, tensor in _tensors(step).items():
            tensor.copy_(self.tensors[name])


def _tensors(step: OptimizerStep) -> dict[str, Tensor]:
    """Weights and buffers of the method, and the optimizer's momentum."""
    momenta = {
        f"momentum {number}": state["momentum_buffer"]
        for number, state in enumerate(step.optimizer.state.values())
    }
    return {**step.method.state_dict(), **momenta}


class CudaGraphStep:
    """The whole step as one CUDA graph over tensors that stay in place.

    A batch of another size than the example, such as an epoch's last, takes the plain step.
    """

    def __init__(self, step: OptimizerStep, example: Batch) -> None:
        self._step = step
        self._static = _map(example, torch.Tensor.clone)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries choose their algorithms before a capture
            for _ in range(STEPS):
                step(self._static)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._results = step(self._static)

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Take one step."""
        if len(batch.labels) != len(self._static.labels):
            return self._step(batch)
        for static, tensor in zip(_tensors_of(self._static), _tensors_of(batch), strict=True):
            static.copy_(tensor)
        self._graph.replay()
        return {name: value.clone() for name, value in self._results.items()}


def _map(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    return Batch(
        views={view: change(images) for view, images in batch.views.items()},
        labels=change(batch.labels),
        index=change(batch.index),
        step=batch.step,
        teacher={view: change(features) for view, features in batch.teacher.items()},
        negatives=None if batch.negatives is None else change(batch.negatives),
    )


def _tensors_of(batch: Batch) -> list[Tensor]:
    found: list[Tensor] = []
    _map(batch, lambda tensor: found.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return found
