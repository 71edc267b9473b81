"""Files of the user: where there is none, the one that was meant is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import InputError
from ablate.study.tomlfile import read_toml


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory as a user has it."""
    (tmp_path / "studies").mkdir()
    for name in ("ablate", "pyproject", "own", "studies/tau", "studies/lpred_symmetry"):
        (tmp_path / f"{name}.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(path: str) -> str:
    with pytest.raises(InputError) as caught:
        read_toml(Path(path))
    (problem,) = caught.value.problems
    assert problem.where == path
    return f"{problem.message} ({problem.right})"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("lpred_symmetry", "studies/lpred_symmetry.toml"),
        ("tau", "studies/tau.toml"),
        ("tau.toml", "studies/tau.toml"),
        ("studies/tau", "studies/tau.toml"),
        ("studies/lpred_simetry.toml", "studies/lpred_symmetry.toml"),
        ("own", "own.toml"),
    ],
)
def test_a_study_by_its_name(project: Path, path: str, meant: str) -> None:
    assert told(path) == f'no such file (did you mean "{meant}"?)'


def test_files_that_are_no_studies_are_not_listed(project: Path) -> None:
    listed = "own.toml, studies/lpred_symmetry.toml, studies/tau.toml"
    assert told("nothing_like_it") == f"no such file (one of: {listed})"
    assert told("nowhere/x.toml") == "no such file ()"


def test_a_folder_is_no_study(project: Path) -> None:
    right = 'such as "studies/lpred_symmetry.toml"'
    assert told("studies") == f"is a folder; a study is a file ({right})"
