"""Two steps of every row: a typo in a method fails in seconds, and nothing is kept."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from ablate.execute.scratch import PREFIX, remove_left_behind, scratch_folder
from tests.execute.toy_workshop import Workshop

METHOD = """
from ablate.methods.method import Method
from ablate.methods.metrics import TOP1
from ablate.methods.parts import Part, Range
from ablate.methods.session import Outcome

PARTS = (
    Part("a", "a", "a", 1, Range(1, whole=True)),
    Part("epochs", "epochs", "epochs", 3, Range(1, whole=True)),
)
MINE = Method("mine", "Mine", "go", PARTS, metrics=(TOP1,), roles=(), uses_data=False)


def go(session):
    return Outcme({}) if session.config.settings["a"] == 2 else Outcome({"top1": 1.0})
"""


def test_every_row_is_tried_and_nothing_is_kept(workshop: Workshop) -> None:
    temporary = workshop.folder / "tmp"
    temporary.mkdir()
    workshop.environment["TMPDIR"] = str(temporary)
    study = workshop.study(method="TAUGHT", values="[1.0, 2.0]")
    said = workshop.run(study, "--smoke", "--set", "epochs=1000", "--set", "work=100000")
    assert "4 done" in said, "a teacher, the baseline and two rows"
    assert "ablate report" not in said
    assert not workshop.results.exists()
    assert not list(temporary.glob(f"{PREFIX}*"))


def test_a_row_that_fails_is_named_with_its_error(workshop: Workshop) -> None:
    (workshop.folder / "mine.py").write_text(METHOD)
    (workshop.folder / "mine.toml").write_text(
        'title = "Mine"\nmethod = "mine.py:MINE"\n[[ablation]]\nablated_part = "a"\n'
        'action = "REPLACE"\nreplacement = [2]\n'
    )
    said = workshop.run("mine.toml", "--smoke", code=1)
    assert "Outcme" in said
    assert "a = 2" in said
    assert "ablate show" not in said, "there is nothing left to show"


def test_where_no_row_can_be_cut_short_the_trial_is_refused(workshop: Workshop) -> None:
    text = METHOD.replace('    Part("epochs", "epochs", "epochs", 3, Range(1, whole=True)),\n', "")
    (workshop.folder / "mine.py").write_text(text)
    (workshop.folder / "mine.toml").write_text(
        'title = "Mine"\nmethod = "mine.py:MINE"\n[[ablation]]\nablated_part = "a"\n'
        'action = "REPLACE"\nreplacement = [2]\n'
    )
    said = workshop.run("mine.toml", "--smoke", code=2)
    assert "--smoke" in said and "no row of mine" in said and '"epochs"' in said
    assert "nothing to run" not in said


def test_a_scratch_folder_of_a_killed_process_is_removed_and_one_at_work_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pid = os.fork()
    if pid == 0:
        with scratch_folder():
            os._exit(9)  # as a SIGKILL would
    os.waitpid(pid, 0)
    (left,) = tmp_path.glob(f"{PREFIX}*")
    with scratch_folder() as scratch:
        assert not left.exists()
        remove_left_behind(tmp_path)
        assert scratch.path.exists()
    assert not scratch.path.exists()
    with scratch_folder() as kept:
        kept.keep()
    remove_left_behind(tmp_path)
    assert kept.path.exists()
    shutil.rmtree(kept.path)
