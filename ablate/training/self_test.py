"""What torch can do on this machine, as JSON: `python -m ablate.training.self_test`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ablate.training.networks import build

_STEPS, _HALF = 4, 2


def report() -> dict[str, Any]:
    """Torch's version, its devices with their memory in bytes, and which of them repeat a run."""
    gpus = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        gpus.append({"name": torch.cuda.get_device_name(index), "free": free, "total": total})
    devices = ["cpu", *(f"cuda:{index}" for index in range(len(gpus)))]
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "gpus": gpus,
        "repeats": {device: repeats(device) for device in devices},
    }


def repeats(device: str) -> bool:
    """Whether some steps give the same bits twice, the second time with a stop in the middle."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    whole = _train(device, None, _STEPS)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "half.pt")
        torch.save(_train(device, None, _HALF), saved)
        resumed = _train(device, torch.load(saved, weights_only=True), _STEPS)
    return all(torch.equal(whole[name], resumed[name]) for name in whole)


def _train(device: str, state: dict[str, Any] | None, steps: int) -> dict[str, Any]:
    """Weights, momentum and the number of steps done after plain SGD on random images."""
    torch.manual_seed(0)
    network = build("resnet8", 10).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    first = 0
    if state is not None:
        network.load_state_dict({k[2:]: v for k, v in state.items() if k.startswith("n.")})
        first = int(state["step"])
        for parameter, name in zip(network.parameters(), _names(network), strict=True):
            optimizer.state[parameter]["momentum_buffer"] = state[f"m.{name}"].to(device)
    network.train()
    for step in range(first, steps):
        draw = torch.Generator().manual_seed(step)
        images = torch.randn(16, 3, 32, 32, generator=draw).to(device)
        labels = torch.randint(10, (16,), generator=draw).to(device)
        optimizer.zero_grad()
        logits = network(images)
        logits = logits if isinstance(logits, torch.Tensor) else logits[-1]
        nn.functional.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    weights = {f"n.{name}": value.clone() for name, value in network.state_dict().items()}
    momentum = {
        f"m.{name}": optimizer.state[parameter]["momentum_buffer"].clone()
        for parameter, name in zip(network.parameters(), _names(network), strict=True)
    }
    return {**weights, **momentum, "step": torch.tensor(steps)}


def _names(network: nn.Module) -> list[str]:
    return [name for name, _ in network.named_parameters()]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report()) + "\n")
