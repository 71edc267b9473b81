"""A study of many jobs on a simulated cluster: jobs lost and doubled, queries, time and memory.

    python benchmarks/slurm.py [--jobs 20000] [--gpus 512] [--fault 0.05] [--dir DIR]

The scheduler and the launcher are the product's own; Slurm is simulated at its commands, with
preemptions, dead nodes, time limits, crashes, stragglers and an accounting that is late. Nothing
trains. Time and memory are printed after each tenth of the jobs: both should grow no faster than
the number of jobs. Run directories are made below DIR, best on a file system in memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--gpus", type=int, default=512)
    parser.add_argument("--fault", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=MEMORY if MEMORY.is_dir() else None)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.execute.launch.slurm_simulation import Simulation

    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        simulation = Simulation(
            Path(folder),
            jobs=options.jobs,
            gpus=options.gpus,
            seed=options.seed,
            fault=options.fault,
        )
        outcome = simulation.run()
    print(f"{options.jobs} jobs on {options.gpus} GPUs, {outcome.attempts} attempts")
    faults = ", ".join(f"{count} {name}" for name, count in sorted(outcome.faults.items()))
    print(f"faults: {faults}")
    print(f"lost {outcome.lost}, doubled {outcome.doubled}")
    print(f"{outcome.queries} queries in {outcome.hours:.1f} simulated hours: ", end="")
    print(f"{outcome.queries_a_minute:.2f} a minute")
    print(f"{'done':>8}{'events':>10}{'ms an event':>14}{'peak MiB':>10}")
    before_s, before_events = 0.0, 0
    for row in outcome.progress:
        each = 1000 * (row.seconds - before_s) / max(1, row.events - before_events)
        print(f"{row.done:>8}{row.events:>10}{each:>14.2f}{row.peak_mib:>10.0f}")
        before_s, before_events = row.seconds, row.events


if __name__ == "__main__":
    main()
