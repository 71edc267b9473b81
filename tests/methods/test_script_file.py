"""The declaration of a script: what it may say, and every problem of it at once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import InputError, Problem
from ablate.methods.metrics import Better
from ablate.methods.parts import Choice, Range, Value
from ablate.methods.registry import find_method
from ablate.methods.script import MAIN, Passing, Way, arguments, variables
from ablate.methods.script_code import code_files, script_digests
from ablate.methods.script_file import read_script

EXAMPLE = Path(__file__).parents[2] / "examples" / "script" / "letters.toml"
DECLARATION = """
title = "T"
command = ["python", "train.py", "--seed={seed}"]
code = ["train.py", "lib"]
resume = ["--resume={checkpoints}"]
[environment]
MODE = "run {seed}"
[[metric]]
name = "f1"
label = "macro F1"
better = "higher"
pattern = 'f1=(\\d+)'
[[part]]
name = "lr"
label = "learning rate"
baseline = 0.1
above = 0
flag = "--lr"
[[part]]
name = "layers"
baseline = 3
minimum = 1
maximum = 9
hydra = "model.layers"
[[part]]
name = "kind"
baseline = "a"
choices = ["a", "b,c"]
value_labels = { "b,c" = "both" }
hydra = "model.kind"
[[part]]
name = "deep"
baseline = false
switch = "--deep"
[[part]]
name = "word"
baseline = "x"
choices = ["x", "y z"]
variable = "WORD"
"""
SETTINGS: dict[str, Value] = {"lr": 0.5, "layers": 4, "kind": "b,c", "deep": True, "word": "y z"}


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Path]:
    def write(*changes: tuple[str, str], text: str = DECLARATION) -> Path:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "lib").mkdir(exist_ok=True)
        for name in ("train.py", "lib/a.py", "lib/.hidden"):
            (tmp_path / name).write_text("pass\n")
        path = tmp_path / "my.toml"
        path.write_text(text)
        return path

    return write


def problems(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_script(path)
    assert {problem.where for problem in caught.value.problems} == {str(path)}
    return list(caught.value.problems)


def test_each_part_reaches_the_command_in_its_way(declare: Callable[..., Path]) -> None:
    script = read_script(declare()).script
    places = {"seed": "7", "checkpoints": "/c"}
    stage = script.stages[MAIN]
    given = arguments(script, stage, SETTINGS, places, resumed=True)
    assert given == [
        "python", "train.py", "--seed=7", "--lr=0.5", "model.layers=4", "model.kind='b,c'",
        "--deep", "--resume=/c",
    ]  # fmt: skip
    assert "--resume=/c" not in arguments(script, stage, SETTINGS, places, resumed=False)
    off = arguments(script, stage, SETTINGS | {"deep": False}, places, resumed=False)
    assert not any("deep" in argument for argument in off)
    assert variables(script, stage, SETTINGS, places) == {"MODE": "run 7", "WORD": "y z"}


def test_a_value_is_never_taken_for_a_placeholder() -> None:
    assert Passing(Way.FLAG, "--a").argument("{seed}") == "--a={seed}"


def test_parts_and_metrics_are_declared_like_any_other(declare: Callable[..., Path]) -> None:
    path = declare()
    method = find_method("my.toml", path.parent)
    assert (method.name, method.title, method.file) == ("my.toml", "T", str(path))
    assert method.part("lr").allowed == Range(0, open_low=True)
    assert method.part("layers").allowed == Range(1, 9, whole=True)
    assert method.part("deep").allowed == Choice((True, False))
    assert method.part("kind").describe("b,c") == "both"
    assert method.metric("macro F1").better is Better.HIGHER


@pytest.mark.parametrize(
    ("old", "new", "key", "named"),
    [
        ('title = "T"', "", "title", "missing"),
        ('title = "T"', 'titel = "T"\ntitle = "T"', "titel", "title"),
        ('"--seed={seed}"', '"{seed}{outptu}"', "command", "{output}"),
        ('"--seed={seed}"', '"{seed}{stage.x}"', "command", "stage.x"),
        ('code = ["train.py", "lib"]', "", "code", "missing"),
        ('code = ["train.py", "lib"]', "progress = 'e (.)'\ncode = []", "progress", "epoch"),
        ("'f1=(\\d+)'", "'f1=(\\d+'", "metric[0].pattern", "expression"),
        ("'f1=(\\d+)'", "'f1='", "metric[0].pattern", "group"),
        ("pattern = 'f1=(\\d+)'", "json = 'm.json'", "metric[0].json", "{output}"),
        (
            "pattern = 'f1=(\\d+)'",
            "json = 'm.json'",
            "metric[0].json",
            'all jobs would write the same file (use "{output}/m.json"',
        ),
        ("pattern = 'f1=(\\d+)'", "", "metric[0]", "pattern"),
        ('better = "higher"', 'better = "up"', "metric[0].better", "higher"),
        ('better = "higher"', 'take = "best"', "metric[0].take", "better"),
        ('flag = "--lr"', "", "part[0]", "flag"),
        ('flag = "--lr"', 'flag = "--lr"\nvariable = "LR"', "part[0]", "one way"),
        ('flag = "--lr"', 'switch = "--lr"', "part[0].switch", "true"),
        ('flag = "--lr"', 'flag = "--lr"\nstages = ["pre"]', "part[0].stages", "pre"),
        ("above = 0", "above = 1", "part[0]", "0.1"),
        ("above = 0", "above = '1'", "part[0].above", "number"),
        ('choices = ["x", "y z"]', "", "part[4].choices", "missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(
    declare: Callable[..., Path], old: str, new: str, key: str, named: str
) -> None:
    found = problems(declare((old, new)))
    assert [named in str(one) for one in found if one.key == key][:1] == [True], found


def test_a_command_that_takes_no_seed_makes_all_seeds_one(declare: Callable[..., Path]) -> None:
    [found] = problems(declare(('"--seed={seed}"', '"x"'), ("run {seed}", "run")))
    assert (found.key, "{seed}" in found.right) == ("command", True)


def test_all_problems_are_told_at_once_with_those_of_the_study(
    declare: Callable[..., Path],
) -> None:
    path = declare(('title = "T"', ""), ('better = "higher"', 'better = "up"'))
    assert {one.key for one in problems(path)} == {"title", "metric[0].better"}
    path.write_text("title = ")
    assert "TOML" in problems(path)[0].message


def test_what_changes_a_result_changes_the_digest(declare: Callable[..., Path]) -> None:
    def digests(*changes: tuple[str, str]) -> dict[str, str]:
        return script_digests(declare(*changes))

    before = digests()
    sections = {f"{name} of my.toml" for name in ("commands", "parts", "metrics")}
    assert set(before) == {*sections, "train.py", "lib/a.py"}
    assert digests(("macro F1", "Macro F1"), ('"learning rate"', '"lr"')) == before
    for section, change in [
        ("metrics", ("f1=(", "F1=(")), ("parts", ('flag = "--lr"', 'flag = "--rate"')),
        ("commands", ("run {seed}", "go {seed}")), ("commands", ("--resume=", "--from=")),
        ("commands", ('"python"', '"python3"')),
    ]:  # fmt: skip
        after = digests(change)
        assert {name for name in after if after[name] != before[name]} == {f"{section} of my.toml"}
    path = declare()
    (path.parent / "lib" / "a.py").write_text("fail\n")
    assert script_digests(path)["lib/a.py"] != before["lib/a.py"]


def test_code_that_is_not_there_is_a_problem(declare: Callable[..., Path]) -> None:
    path = declare(('"lib"', '"libs"'))
    with pytest.raises(InputError, match=r"code\[1\].*libs"):
        script_digests(path)


def test_a_git_tree_as_code(declare: Callable[..., Path]) -> None:
    path = declare(('["train.py", "lib"]', '"git"'))
    with pytest.raises(InputError, match="git"):
        script_digests(path)
    for command in (["init", "-q"], ["add", "train.py", "lib/a.py"]):
        subprocess.run(["git", *command], cwd=path.parent, check=True)
    assert list(code_files(read_script(path).script, path)) == ["lib/a.py", "train.py"]
    before = script_digests(path)
    (path.parent / "train.py").write_text("fail\n")
    assert script_digests(path) != before, "as it is there, committed or not"


def test_the_example_is_read() -> None:
    assert [part.name for part in read_script(EXAMPLE).method.parts][:2] == ["epochs", "lr"]
