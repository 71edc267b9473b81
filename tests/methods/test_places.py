"""What installed packages bring by entry points, and what is said of names that are not clear."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ablate.errors import InputError
from ablate.methods.catalog import data_info, resolve_folder
from ablate.methods.installed_networks import InstalledNetwork, file_inputs
from ablate.methods.method import NotFoundError
from ablate.methods.places import DATA_PLACES, NETWORK_PLACES
from ablate.methods.registry import find_method
from ablate.study.plan_pairs import choose_pairs

Install = Callable[..., Path]  #: name of the package, entry points, its line of code


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install packages, each with a module `declared` of one line and its entry points."""

    def install(name: str, entries: str, line: str = "") -> Path:
        site = tmp_path / f"site of {name}"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entries)
        (site / name).mkdir()
        (site / name / "__init__.py").touch()
        (site / name / "declared.py").write_text(line)
        monkeypatch.syspath_prepend(str(site))
        return site / name

    return install


def save_images(path: Path) -> None:
    split = np.where(np.arange(8) < 4, "train", "test")
    np.savez(path, images=np.zeros((8, 8, 8), np.uint8), labels=np.arange(8) % 2, split=split)


@pytest.mark.parametrize(
    "line", ['IMAGES = "npz:set.npz"', 'def IMAGES():\n    return "npz:set.npz"\n']
)
def test_a_data_set_lies_beside_its_module(
    install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = f"pictures{len(line)}"
    folder = install(name, f"[ablate.data]\nmy-set = {name}.declared:IMAGES\n", line)
    save_images(folder / "set.npz")
    info = data_info("my-set")
    assert (info.classes, info.size, info.train, info.test) == (2, 8, 4, 4)
    assert resolve_folder("my-set[2]", Path("/else")) == f"npz:{folder / 'set.npz'}[2]"
    assert data_info("my-set[2]").train == 2


@pytest.mark.parametrize(
    ("number", "line", "told"),
    [
        (1, "import no_such_module", "ModuleNotFoundError"),
        (2, "IMAGES = 3", "gives 3"),
        (3, "def IMAGES():\n    raise OSError('no disk')\n", "no disk"),
        (4, "raise SystemExit('bye')", "bye"),
    ],
)
def test_a_broken_data_set_names_its_package(
    install: Install, number: int, line: str, told: str
) -> None:
    name = f"broken{number}"
    install(name, f"[ablate.data]\nmy-set = {name}.declared:IMAGES\n", line)
    assert resolve_folder("my-set", Path()) == "my-set"
    with pytest.raises(InputError) as caught:
        data_info("my-set")
    [problem] = caught.value.problems
    assert name in str(problem)
    assert told in problem.message


def test_a_name_that_is_built_in_or_brought_twice_is_not_clear(install: Install) -> None:
    assert NETWORK_PLACES.clashes("resnet20") == NETWORK_PLACES.clashes("nothing") == ""
    install("one", "[ablate.networks]\nresnet20 = one.declared:A\nmine = one.declared:A\n")
    assert "one" in NETWORK_PLACES.clashes("resnet20")
    assert NETWORK_PLACES.clashes("mine") == ""
    install("two", "[ablate.networks]\nmine = two.declared:A\n[ablate.data]\nmine = two:A\n")
    assert "one, two" in NETWORK_PLACES.clashes("mine")
    assert DATA_PLACES.clashes("mine") == ""


def test_a_method_that_takes_a_built_in_name_is_refused(install: Install) -> None:
    install("taker", "[ablate.methods]\nkd = taker.declared:KD\n")
    with pytest.raises(NotFoundError, match="taker"):
        find_method("kd")
    assert find_method("crd").name == "crd"


def test_a_network_that_does_not_import_names_its_package(install: Install) -> None:
    install("lost", "[ablate.networks]\nlost-net = lost.nowhere:Net\n")
    assert NETWORK_PLACES.knows("lost-net")
    with pytest.raises(InputError, match=r"lost.*ModuleNotFoundError"):
        NETWORK_PLACES.load("lost-net")


def test_a_plan_may_name_networks_of_packages(install: Install) -> None:
    install("nets", "[ablate.networks]\ntiny-net = nets.declared:Net\n")
    chosen = choose_pairs(find_method("kd"), "temperature on resnet20/tiny-net", "")
    assert chosen.pairs == ("resnet20/tiny-net",)


def test_an_installed_network_is_no_input_and_travels_whole() -> None:
    network = InstalledNetwork.of("net", path=Path("p"), function="a:b", code="c", width=7)
    copied = pickle.loads(pickle.dumps(network))
    assert (type(copied), copied, copied.width) == (InstalledNetwork, "net", 7)
    assert file_inputs({"student": network}) == {}
