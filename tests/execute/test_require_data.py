"""Data that is missing is one sentence before the first job, not a failure of every job."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import InputError, Interrupted
from ablate.execute import require_data
from ablate.execute.run_study import Options, run_studies
from ablate.matrix.plan import Matrix
from tests.execute.fake_launcher import SETTINGS, FakeLauncher, Lines, make_matrix
from tests.execute.test_training import TINY, prepare
from tests.execute.toy_workshop import Workshop

ONLY_CPU = SETTINGS.execution.model_copy(update={"devices": ["cpu"]})


def on_data(matrix: Matrix, name: str) -> Matrix:
    configs = {job: replace(config, data=name) for job, config in matrix.configs.items()}
    return replace(matrix, configs=configs)


def test_missing_data_stops_a_run_before_its_first_job(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    prepare(workshop)
    said = workshop.run("study.toml", *TINY, "--set", "data=kmnist", code=2)
    assert "Kuzushiji-MNIST" in said
    assert "train-images-idx3-ubyte" in said, "the remedy: which files to put there"
    assert "ablate report" not in said
    assert "Traceback" not in said
    assert not list(workshop.results.glob("runs/*"))
    assert not list(workshop.results.glob("studies/*"))


def test_all_missing_sets_are_named_at_once_and_no_job_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        text = '[{"where": "data", "key": "x", "message": "no network", "right": "put it there"}]'
        return subprocess.CompletedProcess(command, 0, f"Downloading\n{text}\n", "")

    monkeypatch.setattr("ablate.execute.require_data.subprocess.run", answer)
    settings = SETTINGS.model_copy(
        update={"data_dir": str(tmp_path / "data"), "execution": ONLY_CPU}
    )
    matrices = [on_data(make_matrix(2), "cifar10[500]"), on_data(make_matrix(3), "kmnist")]
    matrices[0] = replace(
        matrices[0], configs={f"0{job[1:]}": c for job, c in matrices[0].configs.items()}
    )
    launcher, lines = FakeLauncher(), Lines()
    options = Options(launcher=lambda _: launcher)
    with pytest.raises(InputError) as caught:
        run_studies(matrices, tmp_path / "results", settings, lines, options=options)
    assert [command[-2] for command in asked] == ["cifar10", "kmnist"]
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].right == "put it there"
    assert launcher.launched == []
    assert sum("download" in sentence for sentence in lines.said) == 2


def test_a_program_that_dies_without_a_word_is_told_and_ctrl_c_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = on_data(make_matrix(1), "mnist").configs.values()
    code, said = -9, list[str]()

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, "", "some words\nMemoryError")

    monkeypatch.setattr("ablate.execute.require_data.subprocess.run", answer)
    with pytest.raises(InputError, match="MemoryError"):
        require_data.require_data(configs, tmp_path, said.append)
    code = -2
    with pytest.raises(Interrupted):
        require_data.require_data(configs, tmp_path, said.append)


def test_data_that_is_there_costs_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.execute.require_data.subprocess.run", None)
    said: list[str] = []
    for name in ("digits", "digits[100]", "", "folder:/nowhere@32"):
        require_data.require_data(
            on_data(make_matrix(1), name).configs.values(), tmp_path, said.append
        )
    assert said == []
