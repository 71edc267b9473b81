"""Fixtures of the training room."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ablate.training.step import Batch, OptimizerStep
from tests.training.fake_session import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def _never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error where a step makes the host wait for the GPU."""
    take = OptimizerStep.__call__

    def watched(step: OptimizerStep, batch: Batch) -> dict[str, Tensor]:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return take(step, batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(OptimizerStep, "__call__", watched)
