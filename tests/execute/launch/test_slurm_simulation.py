"""Jobs on a simulated cluster with faults: none lost, none doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.execute.launch.slurm_simulation import Simulation


@pytest.mark.parametrize("seed", [1, 2])
def test_no_job_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    outcome = Simulation(tmp_path, jobs=120, gpus=8, seed=seed, fault=0.25).run()
    assert (outcome.lost, outcome.doubled) == (0, 0)
    assert outcome.attempts > 120
    assert len(outcome.faults) == 4
    assert outcome.queries <= 2 * 60 * outcome.hours + 1  # one at the start
