"""The local launcher on machines whose temporary folders are not what one expects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.execute.toy_workshop import Workshop

FOLDER = """
import multiprocessing.util, os, sys, tempfile
from ablate.execute.launch.local import make_socket_folder
os.environ["TMPDIR"] = sys.argv[1]
make_socket_folder()
print(multiprocessing.util.get_temp_dir())
print(tempfile.gettempdir())
"""


def socket_folder(temporary: Path) -> tuple[str, str]:
    ran = subprocess.run(
        [sys.executable, "-c", FOLDER, str(temporary)], capture_output=True, text=True, check=True
    )
    found, usual = ran.stdout.splitlines()
    return found, usual


def test_sockets_lie_below_tmpdir_if_that_is_short_enough() -> None:
    found, usual = socket_folder(Path("/tmp"))
    assert found.startswith("/tmp/pymp-")
    assert usual == "/tmp"


@pytest.mark.parametrize("length", [76, 100, 200])
def test_a_long_tmpdir_stays_what_others_use(tmp_path: Path, length: int) -> None:
    long = tmp_path / ("x" * max(1, length - len(str(tmp_path)) - 1))
    long.mkdir()
    found, usual = socket_folder(long)
    assert len(found) + len("/listener-12345678") <= 107
    assert usual == str(long)
    assert not Path(found).exists(), "taken away at the end"


def test_a_run_with_a_long_tmpdir(workshop: Workshop) -> None:
    long = workshop.folder / ("x" * 100)
    long.mkdir()
    workshop.environment["TMPDIR"] = str(long)
    assert "2 done" in workshop.run(workshop.study(), "--seeds", "0")


def test_a_run_with_a_tmpdir_that_is_not_there(workshop: Workshop) -> None:
    workshop.environment["TMPDIR"] = str(workshop.folder / "nowhere")
    assert "2 done" in workshop.run(workshop.study(), "--seeds", "0")
