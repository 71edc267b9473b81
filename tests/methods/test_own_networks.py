"""What is known of a user's own networks before torch is loaded."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import InputError
from ablate.methods import own_networks
from ablate.methods.catalog import DATASETS
from ablate.methods.own_networks import OwnNetwork, feature_width, network_inputs, probe_networks

FILE = """
from torch import nn

class Small(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.fc(self.conv(images).mean((2, 3)))

def build(name, num_classes, in_channels):
    print("noise")
    return Small(num_classes, {"narrow": 8, "wide": 16}[name])
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "my_nets.py").write_text(FILE)
    return tmp_path / "my_nets.py"


def probe(path: Path, *names: str, code: str = "c") -> dict[str, OwnNetwork]:
    return probe_networks(names, path=path, function="build", code=code, data=DATASETS["digits"])


def test_widths_are_found_without_torch_and_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = {"torch"} & sys.modules.keys()
    found = probe(path, "narrow", "wide")
    assert {name: feature_width(network) for name, network in found.items()} == {
        "narrow": 8, "wide": 16,
    }  # fmt: skip
    assert {"torch"} & sys.modules.keys() == loaded
    monkeypatch.setattr(own_networks, "_PROBE", "no.such.module")
    assert probe(path, "narrow", "wide") == found
    with pytest.raises(InputError, match="can't be built"):
        probe(path, "narrow", "wide", code="changed")


def test_each_network_that_cannot_be_built_is_named(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        probe(path, "narrow", "large", "larger")
    assert [problem.key for problem in caught.value.problems] == ["large", "larger"]
    assert "KeyError" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("text", "words"),
    [("import nothing_like_this", "nothing_like_this"), ("raise SystemExit(3)", "SystemExit")],
)
def test_a_file_that_does_not_import_is_told(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        probe(path, "narrow")


def test_an_own_network_is_its_name_wherever_it_goes(path: Path) -> None:
    facts: dict[str, Any] = {"path": path, "function": "build", "code": "abc", "width": 8}
    network = OwnNetwork.of("narrow", **facts)
    assert network == "narrow"
    assert json.dumps({"student": network}) == '{"student": "narrow"}'
    for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert {name: getattr(again, name) for name in facts} == facts
    assert network_inputs({"teacher": "resnet20", "student": network}) == {"student:build": "abc"}


def test_networks_of_the_catalogue_and_of_torchvision_have_a_width() -> None:
    assert feature_width("resnet20") == 64
    assert feature_width("vgg13") == 512
    assert feature_width("mobilenet_v3_small") == 1024
    assert feature_width("nothing") is None


def test_the_probe_answers_in_one_line(path: Path) -> None:
    shape = {"classes": 10, "channels": 1, "size": 8}
    order = {"path": str(path), "function": "build", "names": ["narrow"], **shape}
    command = [sys.executable, "-m", "ablate.training.networks.probe"]
    ran = subprocess.run(
        command, input=json.dumps(order), capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == {"narrow": {"width": 8}}
