"""What running a job costs beside the job: expansion, scheduling, real forks, `ablate status`.

    python -m benchmarks.scheduling [--jobs 10000] [--forks 100] [--dir DIR]

The jobs are no-ops. First they are carried out by a launcher that starts no process and leaves at
once what a worker would leave, so that what is timed is the orchestrator: run directories, events,
the scheduler, the index. Then fewer of them by real workers.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._measured import RESULTS, store

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests" / "execute"

#: What was timed -> its seconds.
SECONDS: dict[str, float] = {}

SETTINGS = """
profile = "toy"
[execution]
devices = ["cpu"]
cpu_slots = {slots}
[profiles.toy]
data = "none"
seeds = [0]
"""


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds = SECONDS[what] = time.perf_counter() - start
    each = f"{1000 * seconds / count:9.2f} ms each" if count else ""
    print(f"{what:<46}{seconds:9.3f} s{each}", flush=True)


def write_study(folder: Path, jobs: int) -> Path:
    """A study of one part with a value per job, the baseline included."""
    slots = len(os.sched_getaffinity(0))
    (folder / "ablate.toml").write_text(SETTINGS.format(slots=slots))
    values = ", ".join(str(round(0.001 * number, 3)) for number in range(1, jobs))
    study = folder / "study.toml"
    study.write_text(
        f'title = "No-ops"\nmethod = "{TESTS}/toy_method.py:TOY"\n'
        "[baseline]\nepochs = 1\nwork = 0\n"
        f'[[ablation]]\nablated_part = "shift"\naction = "REPLACE"\nreplacement = [{values}]\n'
    )
    return study


def run(jobs: int, forks: int, folder: Path) -> None:
    from ablate.execute.scheduler.placement import DeviceCapacity
    from ablate.matrix.expand import expand
    from ablate.study.parse import read_study
    from ablate.study.settings import load_settings
    from tests.execute.fake_launcher import FakeLauncher, orchestrate

    study = write_study(folder, jobs)
    with timed(f"expansion of {jobs} jobs"):
        matrix = expand(read_study(study), load_settings(folder / "ablate.toml"), "toy")
    assert len(matrix.configs) == jobs
    launcher = FakeLauncher(at_once=2)
    with timed(f"scheduling of {jobs} no-op jobs", jobs):
        orchestrate(folder / "results", matrix, launcher, [DeviceCapacity("cpu", 2)])
    command = [sys.executable, "-m", "ablate"]
    with timed("ablate status there"):
        subprocess.run([*command, "status"], cwd=folder, check=True, capture_output=True)
    with timed("ablate run there, with nothing to do"):
        subprocess.run([*command, "run", "study.toml"], cwd=folder, check=True, capture_output=True)

    few = folder / "few"
    few.mkdir()
    write_study(few, forks)
    with timed(f"ablate run of {forks} no-op jobs, real forks", forks):
        subprocess.run([*command, "run", "study.toml"], cwd=few, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--forks", type=int, default=100)
    parser.add_argument("--dir", type=Path, help="where to work; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS / "scheduling.json")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.platform()}")
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        run(options.jobs, options.forks, Path(folder))
    store({"jobs": options.jobs, "forks": options.forks, "seconds": SECONDS}, options.out)


if __name__ == "__main__":
    main()
