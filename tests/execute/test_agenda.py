"""The jobs of one run: their names and rows, found once however many jobs ask for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablate.execute import agenda as agenda_module
from ablate.execute.agenda import Agenda, job_names
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.matrix.identity import job_id
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import JobStatus
from tests.execute.fake_launcher import SETTINGS, FakeLauncher, make_matrix, orchestrate


def with_shared_teacher(students: int) -> Matrix:
    """So many jobs that wait for the same one."""
    matrix = make_matrix(students + 1)
    (teacher, _), *others = matrix.configs.items()
    configs = {teacher: matrix.configs[teacher]}
    for _, config in others:
        waiting = replace(config, upstream={"teacher": teacher})
        configs[job_id(waiting)] = waiting
    jobs = tuple(
        replace(job, id=name, upstream=tuple(config.upstream.values()))
        for job, (name, config) in zip(matrix.plan.jobs, configs.items(), strict=True)
    )
    return Matrix(replace(matrix.plan, jobs=jobs), configs)


def test_names_and_rows_are_found_once() -> None:
    agenda = Agenda((make_matrix(3), make_matrix(5)), SETTINGS, Path())
    assert len(agenda.configs) == len(agenda.rows) == len(agenda.names) == 5
    assert agenda.owners is agenda.owners
    assert agenda.rows is agenda.rows
    assert agenda.configs is agenda.configs
    assert agenda.names is agenda.names


def test_a_teacher_that_fails_names_each_job_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Matrix] = []

    def counted(matrix: Matrix) -> dict[str, str]:
        built.append(matrix)
        return job_names(matrix)

    monkeypatch.setattr(agenda_module, "job_names", counted)
    matrix = with_shared_teacher(40)
    launcher = FakeLauncher(lambda run, order: None, code=lambda job: 1)
    summary, lines = orchestrate(tmp_path, matrix, launcher, [DeviceCapacity("cpu", slots=1)])
    assert summary.count(JobStatus.BLOCKED) == 40
    blocked = [detail for _, status, detail in lines.statuses if status == JobStatus.BLOCKED]
    assert len(blocked) == 40
    assert len(built) == 1
