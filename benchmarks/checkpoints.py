"""What checkpoints cost: the share of training time they take in the quick profile.

    python -m benchmarks.checkpoints [--epochs 24] [--dir DIR]

Runs the first study's baseline under the quick profile at its default interval, as a user would,
and adds up what its workers say: seconds in checkpoints, seconds of training, and how long it took
from a worker's start to its first epoch's end.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def run(epochs: int, folder: Path) -> None:
    from ablate.store.events import CheckpointSaved
    from ablate.store.rundir import run_directories

    study = REPOSITORY / "studies" / "lpred_symmetry.toml"
    results = folder / "results"
    command = [sys.executable, "-m", "ablate", "run", str(study), "--results", str(results)]
    options = ["--seeds", "0", "--set", f"epochs={epochs}", "--set", f"teacher.epochs={epochs}"]
    subprocess.run([*command, *options], cwd=REPOSITORY, check=True, capture_output=True)
    print(f"{'job':<16}{'training':>10}{'saves':>7}{'each':>9}{'size':>10}{'share':>8}")
    for directory in run_directories(results):
        events = directory.events().events
        saves = [event for event in events if isinstance(event, CheckpointSaved)]
        result = directory.read_result()
        trained = result.costs["train_seconds"]
        spent = sum(event.seconds or 0.0 for event in saves)
        size = max(event.bytes or 0 for event in saves) / 2**20
        print(
            f"{directory.config().kind:<16}{trained:8.2f} s{len(saves):7d}"
            f"{1000 * spent / len(saves):6.1f} ms{size:6.2f} MiB{100 * spent / trained:6.2f} %"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.platform()}")
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        run(given.epochs, Path(folder))


if __name__ == "__main__":
    main()
