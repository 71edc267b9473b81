"""Where results say that they came from, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ablate.execute.provenance import provenance


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def commit(tmp_path: Path) -> str:
    """The commit of a repository of one file."""
    (tmp_path / "file").write_text("a")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return git(tmp_path, "rev-parse", "HEAD")


def test_a_clean_state_and_one_with_changes(tmp_path: Path, commit: str) -> None:
    (tmp_path / "not tracked").touch()
    assert provenance(tmp_path)["git"] == commit
    (tmp_path / "file").write_text("b")
    assert provenance(tmp_path)["git"] == f"{commit} with local changes"


def test_a_state_that_cannot_be_seen_is_not_clean(tmp_path: Path, commit: str) -> None:
    (tmp_path / ".git" / "index").write_bytes(b"no index")
    assert provenance(tmp_path)["git"] == f"{commit}, local changes unknown"


def test_no_repository(tmp_path: Path) -> None:
    assert "git" not in provenance(tmp_path)
