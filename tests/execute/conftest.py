from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.execute.toy_workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop of whose processes none outlives the test."""
    made = Workshop(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], tuple[str, str]]:
    """What the default study of the taught toy computes if nothing disturbs it."""
    made = Workshop(tmp_path_factory.mktemp("whole"))
    made.run(made.study(method="TAUGHT"))
    return made.outcomes()
