"""A user's own method, named by a study that lies elsewhere than the command runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import JobError
from ablate.execute.worker.main import check_files
from ablate.execute.worker.order import Order
from ablate.matrix.code_digest import file_code
from ablate.methods.file_digests import file_digest
from ablate.methods.session import JobConfig, Machine
from tests.execute.toy_workshop import Workshop

METHOD = """
from __future__ import annotations

from dataclasses import dataclass

from ablate.methods.method import Method
from ablate.methods.metrics import TOP1
from ablate.methods.parts import Part, Range
from ablate.methods.session import Outcome, Session


@dataclass
class State:  # dataclasses look up the module that they stand in
    value: float = 0.0


PARTS = (Part("a", "a", "a", 1.0, Range(0, 9)),)
MINE = Method("mine", "Mine", "go", PARTS, metrics=(TOP1,), roles=(), uses_data=False)


def go(session: Session) -> Outcome:
    return Outcome({"top1": State(float(session.config.settings["a"])).value})
"""
STUDY = """
title = "Mine"
method = "mine.py:MINE"
seeds = [0]
[[ablation]]
ablated_part = "a"
action = "REPLACE"
replacement = [2.0]
"""


def test_a_method_file_beside_its_study(workshop: Workshop) -> None:
    folder = workshop.folder / "elsewhere"
    folder.mkdir()
    (folder / "mine.py").write_text(METHOD)
    (folder / "mine.toml").write_text(STUDY)
    workshop.run("elsewhere/mine.toml")
    assert sorted(record["metrics"]["top1"] for record in workshop.records()) == [1.0, 2.0]


def test_a_method_file_that_changes_while_its_study_runs(workshop: Workshop) -> None:
    """Its later jobs would else train by other code than their ids say."""
    changing = METHOD.replace(
        "    return",
        "    from pathlib import Path\n"
        "    me = Path(__file__)\n"
        "    me.write_text(me.read_text().replace('0, 9', '0, 8'))\n"
        "    return",
    )
    workshop.settings(cpu_slots=1)
    (workshop.folder / "mine.py").write_text(changing)
    (workshop.folder / "mine.toml").write_text(STUDY)
    said = workshop.run("mine.toml", code=1)
    assert all(len(past.attempts) == 1 for past in workshop.histories()), "once is enough"
    assert sorted(record["status"] for record in workshop.records()) == ["done", "failed"]
    path = workshop.folder / "mine.py"
    assert f"{path} has changed since the study was planned: run the study again" in said
    assert "Traceback" not in said


CONFIG = JobConfig("teacher", "teacher", "a:b", seed=0, settings={}, data="digits")


def test_files_given_must_be_those_that_the_job_was_planned_with(tmp_path: Path) -> None:
    weights, method = tmp_path / "mine.pth", tmp_path / "mine.py"
    weights.write_bytes(b"weights")
    method.write_text("x = 1\n")
    config = replace(CONFIG, inputs={"data": "facts", "checkpoint": file_digest(weights)})
    machine = Machine(files={"checkpoint": weights})
    order = Order(tmp_path, 1, machine, {}, method_file=str(method), method_code=file_code(method))
    check_files(order, config)
    method.write_text("# a remark\nx = 1\n")
    check_files(order, config)
    for path, content in ((method, "x = 2\n"), (method, "x = \n"), (weights, "others")):
        before = path.read_text()
        path.write_text(content)
        with pytest.raises(JobError, match=f"{path.name} has changed since the study was planned"):
            check_files(order, config)
        path.write_text(before)
    check_files(order, config)
    weights.unlink()
    with pytest.raises(JobError, match="has changed"):
        check_files(order, config)


def test_a_metric_that_a_method_does_not_measure_is_told(workshop: Workshop) -> None:
    (workshop.folder / "mine.py").write_text(METHOD.replace('{"top1"', '{"accuracy"'))
    (workshop.folder / "mine.toml").write_text(STUDY)
    words = 'no job of mine measured "top1", only: accuracy, peak_memory_mib, train_seconds'
    assert words in workshop.run("mine.toml").splitlines()
    (workshop.folder / "mine.py").write_text(METHOD)
    assert "no job of this study" not in workshop.run("mine.toml")
