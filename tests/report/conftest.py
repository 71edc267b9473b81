"""Fixtures for reports; the builder itself is in `results_builder.py`, to be imported."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ablate.store.results import StudyResults
from tests.report.results_builder import build, one_pair


@pytest.fixture
def build_results() -> Callable[..., StudyResults]:
    """The builder, for tests that take fixtures."""
    return build


@pytest.fixture
def symmetry() -> StudyResults:
    """Three variants, three seeds, all done."""
    return build(
        {"top1": one_pair([94.31, 93.92, 94.65], [94.02, 93.99, 94.33], [93.87, 93.5, 94.6])}
    )
