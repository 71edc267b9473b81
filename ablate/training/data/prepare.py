"""Load a data set once, and download it where it is missing: `python -m ... NAME DATA_DIR`.

A run starts this program before its first job, so that data that cannot be had is one sentence and
not a failure of every job. Prints JSON: what is wrong, a list of problems.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from ablate.errors import InputError
from ablate.training.data import load


def main(name: str, data_dir: str) -> None:
    """Load the data set, and print what is wrong with it."""
    problems: list[dict[str, str]] = []
    try:
        load(name, Path(data_dir))
    except InputError as error:
        problems = [asdict(problem) for problem in error.problems]
    sys.stdout.write(f"\n{json.dumps(problems)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
