import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ablate.matrix.identity import job_id
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.session import JobConfig
from ablate.store.events import AttemptEnded, Resumed, Stopped
from ablate.store.index import Index
from ablate.store.rundir import RunDirectory
from tests import REPOSITORY
from tests.store.results_lab import BASE, TEACHER, WARM, Lab


@pytest.fixture
def make_config() -> Callable[..., JobConfig]:
    def make(seed: int = 0, **changes: object) -> JobConfig:
        fields: dict[str, Any] = {
            "kind": "student", "method": "m", "program": "p:q", "data": "digits",
            "networks": {"teacher": "t", "student": "s"}, "seed": seed,
            "settings": {"loss.tau": 0.1, "loss.name": "τ"},
        }  # fmt: skip
        return JobConfig(**{**fields, **changes})

    return make


@pytest.fixture
def run_directory(tmp_path: Path, make_config: Callable[..., JobConfig]) -> RunDirectory:
    config = make_config()
    return RunDirectory.of(tmp_path / "results", job_id(config)).create(config)


@pytest.fixture
def start_python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code in a process of its own; all are killed when the test ends."""
    children: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with 64 KiB of space."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tiny file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "results")


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """A study with a finished, an interrupted, a failed and a waiting job."""
    lab.finish(TEACHER)
    lab.finish(lab.student(BASE, 0))
    interrupted = lab.run(lab.student(BASE, 1))
    lab.start(interrupted)
    lab.epoch(interrupted, 1)
    lab.start(interrupted, 2)
    interrupted.append(Resumed(attempt=2, step=10, epoch=1, time=30.0))
    interrupted.append(Stopped(attempt=2, step=12, time=31.0))
    failed = lab.run(lab.student(WARM, 0))
    lab.start(failed)
    failed.append(
        AttemptEnded(
            attempt=1,
            outcome=AttemptOutcome.ERROR,
            status=JobStatus.FAILED,
            message="boom \udcff",
            time=12.0,
        )
    )
    with Index.open(lab.results, writable=True) as index:
        index.register(lab.plan())
        index.ingest_many(map(lab.run, lab.configs()[:4]))
    return lab


@pytest.fixture
def mount_read_only() -> Iterator[Callable[[Path], None]]:
    """Make a folder truly read-only, which permission bits don't do for root."""
    mounted: list[Path] = []

    def mount(folder: Path) -> None:
        for command in (
            ["--bind", str(folder), str(folder)],
            ["-o", "remount,ro,bind", str(folder)],
        ):
            made = subprocess.run(["mount", *command], capture_output=True, check=False)
            if made.returncode:
                pytest.skip("mounting is not permitted here")
            if folder not in mounted:
                mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
