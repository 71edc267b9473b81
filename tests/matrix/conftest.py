"""A lab for studies."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_lab import ROOT, Lab

from ablate.study.settings import load_settings


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, load_settings(ROOT / "ablate.toml"))
