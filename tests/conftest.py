"""What holds for the whole suite: one hypothesis profile, and markers that skip in one place."""

from __future__ import annotations

import functools
import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# A slow or loaded machine fails no test: no deadlines, and no complaint about slow generation.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# Runs of other tests at the same time are no business of this one's.
_RUNTIME = tempfile.TemporaryDirectory(prefix="rt-")
os.environ["XDG_RUNTIME_DIR"] = _RUNTIME.name


@functools.cache
def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests marked `gpu` where there is none."""
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("no CUDA device")
