"""Results folders from strangers, and machines that fail: in a cage, by seeded mutations."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hostile.cage import in_cage, needs_cage

HERE = Path(__file__).parent
SHARE = 10  #: mutations of one test, so that several run at once


def told(folder: Path, script: str, *arguments: int, timeout_s: float) -> dict[str, object]:
    needs_cage()
    done = in_cage(folder, HERE / script, *arguments, timeout_s=timeout_s)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(0, 50, SHARE))
def test_every_command_over_folders_from_strangers(tmp_path: Path, first: int) -> None:
    found = told(tmp_path, "drive.py", first, first + SHARE, timeout_s=880)
    assert found["found"] == [], json.dumps(found["found"], indent=1)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_more_folders_from_strangers(tmp_path: Path) -> None:
    """As many more as HOSTILE_MUTATIONS says; seeds go on where those of the suite end."""
    last = 50 + int(os.environ.get("HOSTILE_MUTATIONS", "100"))
    found = told(tmp_path, "drive.py", 50, last, timeout_s=7000)
    assert found["found"] == [], json.dumps(found["found"], indent=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [5, 6])
def test_chaos_on_a_machine_that_fails(tmp_path: Path, seed: int) -> None:
    faults = told(tmp_path, "chaos_faults.py", seed, 25, timeout_s=1700)
    assert {"disk", "inodes", "files", "copy", "output"} <= faults.keys()
