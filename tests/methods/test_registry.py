"""Methods of the user's own: a file that a study names, and plug-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate.methods.method import NotFoundError
from ablate.methods.registry import BUILT_IN, find_method, installed
from tests.naming import missing_from

METHOD = """
from __future__ import annotations
from dataclasses import dataclass
from ablate.methods.method import Method
from ablate.methods.parts import Part, Range

@dataclass(frozen=True)
class State:  # with postponed annotations, a dataclass looks its module up
    step: int = 0

METHOD = Method(
    name="coin", title="Coin", program="{program}", roles=(), uses_data=False,
    parts=(Part("bias", "bias of the coin", "p", 0.5, Range(0, 1)),),
)
NUMBER = 5

def flip(session):
    return None
"""


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(name: str, folder: Path = Path()) -> tuple[str, str]:
    with pytest.raises(NotFoundError) as caught:
        find_method(name, folder)
    return caught.value.message, caught.value.right


def test_a_file_is_found_from_the_studys_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METHOD.format(program="flip"))
    method = find_method("mine.py:METHOD", tmp_path)
    assert method.title == "Coin"
    assert method.name == "mine.py:METHOD", "under which a study, and its jobs, know it"
    assert method.file == str(tmp_path / "mine.py")
    assert find_method(f"{tmp_path}/mine.py:METHOD").file == method.file


def test_two_files_of_one_name_are_two_methods(tmp_path: Path) -> None:
    for folder, title in (("a", "Coin"), ("b", "Dice")):
        (tmp_path / folder).mkdir()
        text = METHOD.format(program="flip").replace('title="Coin"', f'title="{title}"')
        (tmp_path / folder / "mine.py").write_text(text)
    assert find_method("mine.py:METHOD", tmp_path / "a").title == "Coin"
    assert find_method("mine.py:METHOD", tmp_path / "b").title == "Dice"


def test_a_file_imports_the_modules_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "coin_helper.py").write_text("TITLE = 'Fair coin'\n")
    text = METHOD.replace("{program}", "flip").replace('title="Coin"', "title=coin_helper.TITLE")
    (tmp_path / "own.py").write_text(
        text.replace("NUMBER = 5", "").replace(
            "from dataclasses", "import coin_helper\nfrom dataclasses", 1
        )
    )
    assert find_method("own.py:METHOD", tmp_path).title == "Fair coin"


def test_what_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(METHOD.format(program="flip"))
    message, right = refused("mime.py:METHOD", tmp_path)
    assert str(tmp_path / "mime.py") in message
    assert '"mine.py"' in right
    for attribute in ("METHODS", "NUMBER"):
        message, _ = refused(f"mine.py:{attribute}", tmp_path)
        assert missing_from(message, path, f'"{attribute}"') == []
    assert '"METHOD"' in refused("mine.py:METHODS", tmp_path)[1]
    path.write_text(METHOD.format(program="flop"))
    message, _ = refused("mine.py:METHOD", tmp_path)
    assert missing_from(message, path, '"flop"', "METHOD", "program") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (:", "SyntaxError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("from ablate.methods.parts import *\nPart('a', 'a', 'a', 2, Range(0, 1))", "part a: base"),
    ],
)
def test_a_file_that_does_not_import(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    before = set(sys.modules)
    message, _ = refused("bad.py:METHOD", tmp_path)
    assert message.startswith(f"{tmp_path / 'bad.py'} does not import: ")
    assert told in message
    assert not [name for name in set(sys.modules) - before if name.startswith("ablate_method_")]


def test_an_unknown_name_lists_what_there_is() -> None:
    message, right = refused("cocrod")
    assert '"cocrod"' in message
    assert missing_from(right, '"cocord"', '"file.py:NAME"', '"file.toml"') == []
    assert "one of: cocord, cocord+kd" in refused("zzz")[1]


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Install a fake distribution with one entry point into a folder on the path."""

    def install(target: str, text: str) -> Path:
        site = tmp_path / "site"
        info = site / "coins-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: coins\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ablate.methods]\ncoin-flip = {target}\n")
        (site / "coins").mkdir()
        (site / "coins" / "__init__.py").write_text("")
        (site / "coins" / "declared.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))
        return site

    return install


def test_a_plug_in_is_a_method_under_its_entry_points_name(
    plug_in: Callable[[str, str], Path],
) -> None:
    site = plug_in("coins.declared:METHOD", METHOD.format(program="coins.declared:flip"))
    method = find_method("coin-flip")
    assert method.name == "coin-flip"
    assert method.title == "Coin"
    assert method.file == str(site / "coins"), "its package is code that trains"
    assert [m.name for m in installed()] == [*BUILT_IN, "coin-flip"]
    assert refused("coin-flop")[1].startswith('did you mean "coin-flip"?')


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("coins.declared:NUMBER", "is no ablate Method"),
        ("coins.declared:NOTHING", "does not import: AttributeError"),
        ("coins.nowhere:METHOD", "does not import: ModuleNotFoundError"),
    ],
)
def test_a_broken_plug_in_is_told_and_troubles_nobody_else(
    plug_in: Callable[[str, str], Path], target: str, told: str
) -> None:
    plug_in(target, METHOD.format(program="coins.declared:flip"))
    message, right = refused("coin-flip")
    assert message.startswith('the plug-in "coin-flip"')
    assert told in message
    assert right == target
    assert [m.name for m in installed()] == list(BUILT_IN)
    assert find_method("cocord").name == "cocord"
