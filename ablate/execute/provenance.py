"""Provenance of a result: versions and git state, but no environment variables."""

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
    if commit := _git(folder, "rev-parse", "HEAD"):
        facts["git"] = commit + _changes(folder)
    return facts


def _changes(folder: Path) -> str:
    """Suffix of a commit's name; a state that git cannot tell does not count as clean."""
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if changed is None:
        return ", local changes unknown"
    return " with local changes" if changed else ""


def _git(folder: Path, *arguments: str) -> str | None:
    """Output of a git command; None if it fails, or takes too long."""
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
        return None
    return done.stdout.strip() if done.returncode == 0 else None
