"""How long a command takes before it says anything: help, status, a preview, a finished study.

    python -m benchmarks.start [--jobs 1000] [--rounds 5] [--dir DIR]

Each command runs as a user runs it, start of Python included, `--rounds` times after one that does
not count. The first study is planned with as many jobs as asked for; its finished copy has three
seeds, whose results a launcher without processes leaves.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
STUDY, ROWS = "lpred_symmetry", 3
#: Command -> seconds on two quiet cores that people should not have to exceed.
PROMISED = {"--help": 0.15, "status": 0.5, "run": 0.8, "preview": 1.0}


def finished_study(folder: Path) -> None:
    """A project whose study is done: every job has a result that no worker computed."""
    from ablate.execute.scheduler.placement import DeviceCapacity
    from ablate.matrix.expand import expand
    from ablate.study.parse import read_study
    from ablate.study.settings import load_settings
    from tests.execute.fake_launcher import FakeLauncher, orchestrate

    for name in ("ablate.toml", f"studies/{STUDY}.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    settings = load_settings(folder / "ablate.toml")
    matrix = expand(read_study(folder / f"studies/{STUDY}.toml"), settings, settings.profile)
    orchestrate(folder / "results", matrix, FakeLauncher(), [DeviceCapacity("cpu", 2)])


def measure(folder: Path, rounds: int, *arguments: str) -> None:
    """Print the fastest run of a command and the processor time that it took."""
    command = [sys.executable, "-m", "ablate", *arguments]
    walls, used = [], []
    for number in range(rounds + 1):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if number:
            walls.append(wall)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    promised = PROMISED[arguments[0]]
    print(
        f"{'ablate ' + ' '.join(arguments):<52}{min(walls):7.3f} s"
        f"{min(used):9.3f} s of a processor{promised:7.2f} s promised",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1_000, help="of the study that is previewed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.platform()}")
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        folder = Path(name)
        finished_study(folder)
        measure(folder, options.rounds, "--help")
        measure(folder, options.rounds, "status")
        measure(folder, options.rounds, "run", f"studies/{STUDY}.toml")
        last = max(0, options.jobs // ROWS - 1)
        measure(folder, options.rounds, "preview", f"studies/{STUDY}.toml", "--seeds", f"0-{last}")


if __name__ == "__main__":
    main()
