"""A disk that is too small for a table of teacher features is found before anything runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablate.errors import InputError
from ablate.execute.disk import require_room
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TABLE, table_bytes
from ablate.store.rundir import RunDirectory

JOB = JobConfig(
    kind="teacher_table", method="teacher", program=TABLE, seed=0, data="cifar100",
    networks={"teacher": "resnet32x4"},
    settings={"views.augmentation": "crop-flip", "precision": "fp32", "deterministic": True},
)  # fmt: skip
SIZE = 4 * 50_000 * 162 * 256
ID, OTHER = "a" * 64, "b" * 64


def run(results: Path, job: str) -> RunDirectory:
    return RunDirectory.of(results, job)


def check(results: Path, monkeypatch: pytest.MonkeyPatch, free: int, *jobs: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    configs = {ID: JOB, OTHER: replace(JOB, program="ablate.training.programs:supervised")}
    require_room(jobs, configs, lambda job: run(results, job), results)


def test_what_tables_need_is_held_against_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert table_bytes(JOB) == SIZE
    check(tmp_path, monkeypatch, SIZE, ID)
    check(tmp_path, monkeypatch, 0, OTHER)
    with pytest.raises(InputError) as caught:
        check(tmp_path, monkeypatch, SIZE - 1, ID, OTHER)
    assert "7.7 GiB" in str(caught.value)
    assert "teacher.table" in str(caught.value)


def test_what_an_interrupted_job_holds_is_not_needed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(tmp_path, ID).artifacts
    folder.mkdir(parents=True)
    with (folder / "features.bin").open("wb") as file:
        file.truncate(SIZE)
    check(tmp_path, monkeypatch, 0, ID)
