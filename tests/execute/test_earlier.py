"""What a preview reads of a results folder: jobs whose folder was removed are told apart."""

from __future__ import annotations

import shutil
from pathlib import Path

from ablate.execute.earlier import preview_study
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.matrix.preview import PreviewState
from ablate.store.rundir import RunDirectory
from tests.execute.fake_launcher import SETTINGS, FakeLauncher, make_matrix, orchestrate


def test_a_finished_job_whose_folder_is_gone_says_so_and_runs_again(tmp_path: Path) -> None:
    matrix = make_matrix(2)
    orchestrate(tmp_path, matrix, FakeLauncher(), [DeviceCapacity("cpu", 1)])
    _, gone = matrix.configs
    assert preview_study(matrix, tmp_path, SETTINGS).notices == ()
    shutil.rmtree(RunDirectory.of(tmp_path, gone).path)
    found = preview_study(matrix, tmp_path, SETTINGS)
    assert [job.state for job in found.jobs] == [PreviewState.DONE, PreviewState.NEW]
    assert found.jobs[1].reason == "was done; its folder is gone"
    (notice,) = found.notices
    assert "gone" in notice
    assert found.jobs[1].short_id in notice
