"""Where a result came from: versions and git state, and nothing of the environment's secrets."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def provenance(folder: Path = Path()) -> dict[str, str]:
    """Facts recorded with every attempt; `folder` is where the git state is read."""
    facts = {"python": platform.python_version(), "system": platform.platform()}
    for package in ("ablate", "torch", "torchvision", "numpy"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
        facts["git"] = commit + (" with local changes" if changed else "")
    return facts


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
