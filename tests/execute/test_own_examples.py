"""The examples of own methods: run, killed and resumed, from the study to every kind of report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.execute import toy_workshop
from tests.execute.toy_workshop import Workshop, signal_worker

EXAMPLES = Path(__file__).parents[2] / "examples"
STUDY = """
title = "Example"
method = "METHOD"
seeds = [0, 1]
[[ablation]]
ablated_part = "PART"
action = "REMOVE"
"""
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
    ("method", "part", "epochs"),
    [("scikit_learn.py:METHOD", "scaling", 200), ("plain_torch.py:METHOD", "dropout", 20)],
)
def test_a_killed_job_ends_as_a_whole_one(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    part: str,
    epochs: int,
) -> None:
    monkeypatch.setattr(toy_workshop, "PATIENCE_S", 280.0)  # three imports of torch
    options = ("--seeds", "0", "--set", f"epochs={epochs}")
    whole = tmp_path / "whole"
    whole.mkdir()
    undisturbed = Workshop(whole)
    undisturbed.run(write(undisturbed, method, part), *options)
    running = workshop.start("run", write(workshop, method, part), *options)
    signal_worker(workshop.workers(step=3, saved=True)[0])
    workshop.finish(running)
    assert any(past.resumed_from for past in workshop.histories())
    assert workshop.outcomes() == undisturbed.outcomes()
    reports_weights = [bool(digest) for digest, _ in workshop.outcomes().values()]
    assert set(reports_weights) == {"torch" in method}


@pytest.mark.parametrize(
    ("study", "metric", "label"),
    [("example.toml", "macro_f1", "macro F1"), ("context.toml", "perplexity", "Perplexity")],
)
def test_from_a_study_to_latex_page_and_figure(
    workshop: Workshop, study: str, metric: str, label: str
) -> None:
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
    drawn = {figure.name for figure in (workshop.folder / "figures").glob("*.png")}
    assert f"{name}-differences-{metric}.png" in drawn


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
