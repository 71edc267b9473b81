"""A network and a data set of an installed package, from the command to the table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ablate.store.events import Started
from tests.execute.test_training import prepare
from tests.execute.toy_workshop import Workshop

NETS = """
from torch import nn

from .layers import WIDTH


class Small(nn.Module):
    def __init__(self, num_classes, in_channels=3):
        super().__init__()
        self.body = nn.Conv2d(in_channels, WIDTH, 3, 2, 1)
        self.fc = nn.Linear(WIDTH, num_classes)

    def forward(self, images):
        return self.fc(self.body(images).relu().mean((2, 3)))
"""

ENTRIES = """[ablate.networks]
tiny-net = tiny_things.nets:Small
[ablate.data]
tiny-set = tiny_things.data:TINY_SET
"""


def write_images(path: Path) -> None:
    """Two classes of 24 images that train and 24 that test, 8×8 and grey."""
    random = np.random.default_rng(0)
    labels = np.arange(96) % 2
    images = random.integers(0, 120, (96, 8, 8)) + 120 * labels[:, None, None]
    split = np.where(np.arange(96) < 48, "train", "test")
    np.savez(path, images=images.astype(np.uint8), labels=labels, split=split)


def install(site: Path) -> Path:
    """A small package with its metadata, as an installer leaves it in a folder on the path."""
    package, info = site / "tiny_things", site / "tiny_things-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (package / "__init__.py").touch()
    (package / "nets.py").write_text(NETS)
    (package / "layers.py").write_text("WIDTH = 6\n")
    (package / "data.py").write_text('TINY_SET = "npz:tiny.npz"\n')
    write_images(package / "tiny.npz")
    return package


@pytest.fixture
def packaged(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepare(workshop)
    (workshop.folder / "study.toml").write_text(
        'title = "Temperature"\nmethod = "kd"\npairs = ["resnet8/tiny-net", "resnet8/resnet14"]\n'
        '[[ablation]]\nablated_part = "kd.temperature"\naction = "REPLACE"\nreplacement = [2]\n'
    )
    workshop.environment["PYTHONPATH"] = str(tmp_path / "site")
    return install(tmp_path / "site")


EPOCHS = ("--set", "epochs=2", "--set", "teacher.epochs=2", "--seeds", "0")
COMMAND = ("study.toml", *EPOCHS, "--set", "data=tiny-set", "--set", "batch_size=16")


def test_a_package_brings_a_network_and_a_data_set(workshop: Workshop, packaged: Path) -> None:
    preview = workshop.ablate("preview", *COMMAND)
    assert preview.returncode == 0, preview.stderr
    shown = " ".join(preview.stdout.split())
    assert "tiny-net is built by the installed package tiny-things" in shown
    assert "features are 6 wide" in shown
    assert "tiny-set is a data set of the installed package tiny-things" in shown
    workshop.run(*COMMAND)
    done = {(pair, status) for pair, status in pairs_of(workshop)}
    assert {("resnet8/tiny-net", "done"), ("resnet8/resnet14", "done")} <= done
    table = workshop.ablate("report", "--table")
    assert table.returncode == 0, table.stderr
    assert "resnet8/tiny-net" in table.stdout
    first = len(workshop.events(Started))
    (packaged / "data.py").write_text('# the images\nTINY_SET = "npz:tiny.npz"\n')
    (packaged / "layers.py").write_text("WIDTH = 6  # channels\n")
    workshop.run(*COMMAND)
    assert len(workshop.events(Started)) == first
    (packaged / "layers.py").write_text("WIDTH = 7\n")
    workshop.run(*COMMAND)
    assert len(workshop.events(Started)) == first + 2  # two rows of tiny-net, and nothing else


def pairs_of(workshop: Workshop) -> list[tuple[str, str]]:
    return [(str(one["pair"]), str(one["status"])) for one in workshop.records()]


def test_planning_loads_no_torch(workshop: Workshop, packaged: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ablate.matrix.expand import expand\n"
        "from ablate.study.parse import read_study\n"
        "from ablate.study.settings import load_settings\n"
        "settings = load_settings(Path('ablate.toml'))\n"
        "matrix = expand(read_study(Path('study.toml')), settings, 'quick', {'data': 'tiny-set'})\n"
        "assert any('tiny-net' in one.networks.values() for one in matrix.configs.values())\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=workshop.folder,
        env={**os.environ, **workshop.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["False"], done.stderr


def test_a_study_whose_package_is_gone_says_so(
    workshop: Workshop, packaged: Path, tmp_path: Path
) -> None:
    packaged.parent.rename(tmp_path / "gone")
    done = workshop.ablate("run", *COMMAND)
    assert done.returncode == 2
    assert 'no network "tiny-net"' in done.stderr
    words = " ".join(done.stderr.split())
    assert words.count("install the package that brings it") == 2, "the network and the data"
    assert "Traceback" not in done.stderr
