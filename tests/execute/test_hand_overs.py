"""Files that jobs hand over: damaged ones are computed anew, and all that follows is as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.store.rundir import RunDirectory
from tests.execute.toy_workshop import Workshop

Outcomes = dict[tuple[str, str, int], tuple[str, str]]


def teachers(workshop: Workshop) -> list[RunDirectory]:
    return [run for run in workshop.runs() if any(run.artifacts.iterdir())]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm", [flip, lambda path: path.unlink(), lambda path: path.write_text("")]
)
def test_a_damaged_artifact_is_computed_anew(workshop: Workshop, whole: Outcomes, harm) -> None:  # type: ignore[no-untyped-def]
    study = workshop.study(method="TAUGHT")
    workshop.run(study)
    teacher = teachers(workshop)[0]
    (artifact,) = teacher.artifacts.iterdir()
    before = artifact.read_bytes()
    harm(artifact)
    output = workshop.run(study)
    assert str(artifact) in output
    assert "runs again" in output
    assert artifact.read_bytes() == before
    assert workshop.outcomes() == whole
    assert "runs again" not in workshop.run(study)


def test_students_name_the_files_that_they_were_computed_with(workshop: Workshop) -> None:
    workshop.run(workshop.study(method="TAUGHT"))
    written = [teacher.read_result().artifacts for teacher in teachers(workshop)]
    digests = [{name: one.sha256 for name, one in files.items()} for files in written]
    students = [run for run in workshop.runs() if run.config().upstream]
    assert students
    for student in students:
        assert student.read_result().upstream["teacher"] in digests
