"""A lab for studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.study.settings import load_settings
from tests.matrix.study_lab import ROOT, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, load_settings(ROOT / "ablate.toml"))
