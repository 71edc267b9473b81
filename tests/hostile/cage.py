"""A cage: processes and mounts of its own, in which nothing outside one folder can be changed."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]  #: from which tests import each other
UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc")

#: Makes everything read-only but a file system in memory at $1, and runs the rest there.
_CLOSE = r"""
set -e
mount -t tmpfs -o size=512m none "$1"
for place in $(awk '$6 !~ /^ro/ {print $5}' /proc/self/mountinfo); do
    case "$place" in "$1"|/proc*|/dev*|/sys*) ;; *)
        mount -o remount,ro,bind "$place" 2>/dev/null || true ;;
    esac
done
cd "$1"; shift
mkdir tmp run home
export TMPDIR="$PWD/tmp" XDG_RUNTIME_DIR="$PWD/run" HOME="$PWD/home" MPLCONFIGDIR="$PWD/home"
"$@"
"""


@functools.cache
def why_none() -> str:
    """Why no cage can be had here; "" where one can."""
    try:
        made = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return made.stderr.strip() or "unshare failed" if made.returncode else ""


def needs_cage() -> None:
    """Skip the test where no cage can be had; fail it where one must be: in CI as root."""
    if why := why_none():
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(f"no cage could be made: {why}")
        pytest.skip(f"no cage for hostile processes can be made here: {why}")


def in_cage(
    folder: Path, script: Path, *arguments: object, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a Python script in a cage, in an empty folder in memory that is gone afterwards."""
    words = [sys.executable, str(script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*UNSHARE, "bash", "-c", _CLOSE, "cage", str(folder), *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environment,
    )
