"""What holds for the whole suite: one hypothesis profile, markers that skip in one place, and a
watch over what is opened before the first test."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A slow or loaded machine fails no test: no deadlines, and no complaint about slow generation.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@dataclass
class Collection:
    """The files that this process opens until all tests are collected."""

    opened: set[str] = field(default_factory=set)
    over: bool = False

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take note of an opened file; an audit hook, which cannot be removed again."""
        if not self.over and event == "open":
            self.opened.add(str(arguments[0]))


_COLLECTION = Collection()
sys.addaudithook(_COLLECTION.watch)


def pytest_collection_finish() -> None:
    """End the watch."""
    _COLLECTION.over = True


@pytest.fixture
def opened_at_collection() -> frozenset[str]:
    """The files that were opened while test modules were imported."""
    return frozenset(_COLLECTION.opened)


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
