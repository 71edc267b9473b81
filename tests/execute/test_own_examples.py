"""The examples of own methods: run, killed and resumed, from the study to every kind of report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.execute.toy_workshop import Workshop

EXAMPLES = Path(__file__).parents[2] / "examples"
STUDY = """
title = "Example"
method = "METHOD"
seeds = [0, 1]
[[ablation]]
ablated_part = "PART"
action = "REMOVE"
"""
PATIENCE_S = 240  #: for workers that import torch on a loaded machine
MOST_LINES = 60  #: of a method in plain torch


def write(workshop: Workshop, method: str, part: str) -> str:
    for file in (*EXAMPLES.glob("*.py"), *(EXAMPLES / "script").iterdir()):
        shutil.copy(file, workshop.folder)
    text = STUDY.replace("METHOD", method).replace("PART", part)
    (workshop.folder / "example.toml").write_text(text)
    return "example.toml"


def test_a_method_in_plain_torch_is_short() -> None:
    assert len((EXAMPLES / "plain_torch.py").read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    ("method", "part", "epochs", "words"),
    [
        ("scikit_learn.py:METHOD", "scaling", 60, "metrics equal"),
        ("plain_torch.py:METHOD", "dropout", 20, "weights and all metrics"),
    ],
)
def test_a_killed_job_ends_as_a_whole_one(
    workshop: Workshop, method: str, part: str, epochs: int, words: str
) -> None:
    study = write(workshop, method, part)
    options = ("--kills", "1", "--set", f"epochs={epochs}")
    proof = workshop.start("verify", study, *options)
    out, err = proof.communicate(timeout=PATIENCE_S)
    assert proof.returncode == 0, out + err
    assert words in out


@pytest.mark.parametrize(
    ("study", "label"), [("example.toml", "macro F1"), ("context.toml", "Perplexity")]
)
def test_from_a_study_to_latex_page_and_figure(workshop: Workshop, study: str, label: str) -> None:
    write(workshop, "scikit_learn.py:METHOD", "scaling")
    said = workshop.run(study, "--seeds", "0-2")
    assert "done" in said
    name = study.removesuffix(".toml")
    options = ("--html", "page.html", "--figures", "figures", "--table", "--format", "latex")
    done = workshop.ablate("report", name, *options)
    assert done.returncode == 0, done.stderr
    assert label in done.stdout and r"\begin{tab" in done.stdout
    page = (workshop.folder / "page.html").read_text()
    assert label in page and "better" in page
    drawn = list((workshop.folder / "figures").rglob("*.svg"))
    assert drawn and any(label in figure.read_text() for figure in drawn)


def test_a_file_may_be_installed_as_it_is(workshop: Workshop) -> None:
    write(workshop, "mlp", "dropout")
    packages = workshop.folder / "site"
    info = packages / "mlp-1.0.dist-info"
    info.mkdir(parents=True)
    (workshop.folder / "plain_torch.py").rename(packages / "own_mlp.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mlp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ablate.methods]\nmlp = own_mlp:METHOD\n")
    workshop.environment["PYTHONPATH"] = str(packages)
    workshop.run("example.toml", "--set", "epochs=2", "--seeds", "0")
    assert {one["status"] for one in workshop.records()} == {"done"}
