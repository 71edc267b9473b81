"""What a job hands over is compared with what it wrote, before anything is built on it."""

import dataclasses
import os
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.store import artifacts
from ablate.store.folders import Folder
from ablate.store.job_result import JobResult


@pytest.fixture
def run(run_directory):
    """A job that is done and left two files."""
    run_directory.artifact_folder.write("weights.pt", b"\1\2\3\4" * 100)
    run_directory.artifact_folder.write("table.bin", b"")
    run_directory.write_result(JobResult(artifacts=artifacts.measure(run_directory)))
    return run_directory


def test_what_is_sound_is_handed_over_with_its_digests(run):
    used = artifacts.checked(run)
    assert used.keys() == {"weights.pt", "table.bin"}
    assert all(len(digest) == 64 for digest in used.values())
    assert artifacts.damage(run, run.read_result()) == ""


def _flip(path):
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "harm",
    [
        _flip,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
        _pipe,
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["a bit", "emptied", "longer", "missing", "a link", "a pipe", "a folder"],
)
def test_what_was_harmed_is_named_and_not_used(run, harm):
    harm(run.artifacts / "weights.pt")
    assert "weights.pt" in artifacts.damage(run, run.read_result())
    with pytest.raises(artifacts.ArtifactError, match=r"weights\.pt"):
        artifacts.checked(run)


def test_what_cannot_be_read_now_is_neither_sound_nor_damaged(run, monkeypatch):
    def stale(*_):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Folder, "open", stale)
    with pytest.raises(StoreError, match="Stale"):
        artifacts.damage(run, JobResult(artifacts={"x": artifacts.Artifact(sha256="", size=0)}))


def test_a_job_without_a_sound_result_hands_over_nothing(run):
    run.result_file.write_text("{}")
    with pytest.raises(artifacts.ArtifactError, match="sound result"):
        artifacts.checked(run)


def test_a_result_of_other_upstream_work_is_outdated(run):
    teacher = run.read_result()
    student = JobResult(upstream={"teacher": artifacts.digests(teacher)})
    assert artifacts.outdated(student, {"teacher": teacher}) == ""
    assert artifacts.outdated(student, {"teacher": None}) == "", "it is being put back"
    other = dataclasses.replace(
        teacher, artifacts={"weights.pt": artifacts.Artifact(sha256="0" * 64, size=400)}
    )
    assert "teacher" in artifacts.outdated(student, {"teacher": other})
