"""What a cluster would refuse, or ignore without a word, is told before anything is submitted."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import InputError
from ablate.execute.launch.slurm_checks import check_cluster
from ablate.execute.launch.slurm_client import SlurmClient
from ablate.study.settings import Settings

PARTITIONS = (
    "PartitionName=main Default=YES MaxTime=1:00:00 State=UP\n"
    "PartitionName=long MaxTime=UNLIMITED State=UP\n"
    "PartitionName=old MaxTime=UNLIMITED State=DOWN\n"
)


def cluster(accounting: str = "none", refusal: str = "") -> SlurmClient:
    """A cluster of three partitions, which may refuse every script."""

    def run(
        command: Sequence[str], text: str | None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        if command[0] == "sbatch":
            return subprocess.CompletedProcess(command, bool(refusal), "", refusal)
        config = f"MaxArraySize = 1001\nAccountingStorageType = accounting_storage/{accounting}\n"
        out = PARTITIONS if "partition" in command else config
        return subprocess.CompletedProcess(command, 0, out, "")

    return SlurmClient(run)


def settings(execution: dict[str, Any] | None = None, **slurm: Any) -> Settings:
    executor = {"kind": "slurm", "slurm": slurm}
    return Settings.model_validate(
        {"profiles": {}, "executor": executor, "execution": execution or {}}
    )


def problems(asked: Settings, client: SlurmClient, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        check_cluster(asked, client, folder)
    return str(caught.value)


def test_what_fits_passes(tmp_path: Path) -> None:
    check_cluster(settings(partition="main", time="30", memory="4G"), cluster(), tmp_path)
    check_cluster(settings(account="lab", qos="high"), cluster("slurmdbd"), tmp_path)


@pytest.mark.parametrize(
    ("slurm", "words"),
    [
        ({"partition": "mian"}, ("executor.slurm.partition", "mian", "main")),
        ({"partition": "old"}, ("executor.slurm.partition", "old")),
        ({"partition": "main", "time": "2:00:00"}, ("executor.slurm.time", "2:00:00", "60")),
        ({"time": "1"}, ("executor.slurm.time", "signal_before_s")),
        ({"account": "lab"}, ("executor.slurm.account", "leave account out")),
        ({"qos": "high"}, ("executor.slurm.qos", "leave qos out")),
    ],
)
def test_what_does_not_fit_is_named(
    slurm: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    told = problems(settings(**slurm), cluster(), tmp_path)
    assert all(word in told for word in words), told


def test_threads_and_checkpoints_have_to_fit(tmp_path: Path) -> None:
    asked = settings({"threads": 4, "checkpoint_every": "200 minutes"}, time="30")
    told = problems(asked, cluster(), tmp_path)
    assert "executor.slurm.cpus" in told
    assert "checkpoint_every" in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    told = problems(settings(partition="mian", account="lab", time="1"), cluster(), tmp_path)
    assert told.count("executor.slurm.") == 3


def test_slurms_own_refusal_is_passed_on(tmp_path: Path) -> None:
    told = problems(settings(gres="gpu:9"), cluster(refusal="Invalid gres"), tmp_path)
    assert "Invalid gres" in told
