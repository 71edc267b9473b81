"""A user's own method, named by a study that lies elsewhere than the command runs."""

from __future__ import annotations

from toy_workshop import Workshop

METHOD = """
from __future__ import annotations

from dataclasses import dataclass

from ablate.methods.method import Method
from ablate.methods.parts import Part, Range
from ablate.methods.session import Outcome, Session


@dataclass
class State:  # dataclasses look up the module that they stand in
    value: float = 0.0


PARTS = (Part("a", "a", "a", 1.0, Range(0, 9)),)
MINE = Method("mine", "Mine", "go", PARTS, uses_teacher=False, networks=False)


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
