"""What the wheel holds besides code: without it, a `pip install` is stuck in an empty folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("pip") and find_spec("setuptools")), reason="needs pip")
def test_the_wheel_has_templates_styles_and_license(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(
        ROOT / "ablate", source / "ablate", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        settings = archive.read("ablate/cli/templates/settings.toml")
    assert settings == (ROOT / "ablate.toml").read_bytes()
    for ending in ("study.toml", ".css", ".js", ".j2", ".mplstyle", "published.csv", "LICENSE"):
        assert any(name.endswith(ending) for name in names), ending
