"""Files of the user: where there is none, the one that was meant is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ablate.errors import InputError
from ablate.study.tomlfile import MOST_BYTES, read_toml
from tests.naming import missing_from


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
    assert missing_from(told(path), "no such file", f'"{meant}"') == []


def test_files_that_are_no_studies_are_not_listed(project: Path) -> None:
    listed = "own.toml, studies/lpred_symmetry.toml, studies/tau.toml"
    assert told("nothing_like_it").endswith(f": {listed})"), "these and no others"
    assert told("nowhere/x.toml").endswith("()"), "nothing that could be meant"


def test_a_folder_is_no_study(project: Path) -> None:
    assert missing_from(told("studies"), "folder", '"studies/lpred_symmetry.toml"') == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('title = "T"\n'.encode("utf-16"), "UTF-16"),
        ('title = "T"\n'.encode("utf-16-le"), "UTF-16"),
        ('title = "é"\n'.encode("latin-1"), "UTF-8"),
        (b"#" * (MOST_BYTES + 1), "MiB"),
        (b"title = 'T'\nAblated Part = 'lr'\n", "a key has no spaces"),
        (b"lr = .01\n", "0.01"),
        (b"lr = 1.\n", "1.0"),
        (b"x = True\n", "small"),
        (b"method: cocord\n", "by ="),
        (b"method = cocord\n", "in quotes"),
        (b"title = 'T'\nseeds = [0, 1\nmethod = 'cocord'\n", "(it ends with ])"),
    ],
)
def test_what_is_no_toml_is_told_in_a_sentence(project: Path, content: bytes, named: str) -> None:
    (project / "x.toml").write_bytes(content)
    assert named in told("x.toml")


def test_a_byte_order_mark_and_tabs_do_no_harm(project: Path) -> None:
    (project / "x.toml").write_bytes(b"\xef\xbb\xbftitle\t=\t'T'\r\n")
    assert read_toml(Path("x.toml")) == {"title": "T"}


def test_a_pipe_and_a_device_are_refused_at_once(project: Path) -> None:
    os.mkfifo(project / "x.toml")
    for path in ("x.toml", "/dev/zero"):
        assert "no regular file" in told(path)
