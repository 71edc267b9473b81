"""A study on a folder of images, from the command to the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.store.events import Resumed, Started
from tests.execute.test_training import TINY, prepare
from tests.execute.toy_workshop import Workshop, signal_worker


def write_images(root: Path, depth: int) -> Path:
    """Two classes, dark and bright, of 24 images each; 16 bits hold the picture of 8."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for label, (low, high) in {"dark": (10, 120), "bright": (90, 240)}.items():
            (root / split / label).mkdir(parents=True)
            for i in range(24):
                values = random.integers(low, high, (16, 16), dtype=np.uint8)
                deep = values if depth == 8 else values.astype(np.uint16) * 257
                Image.fromarray(deep).save(root / split / label / f"{i}.png")
    return root


def test_a_study_on_a_folder_of_images(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepare(workshop)
    eight, sixteen = (write_images(tmp_path / f"{depth} bits", depth) for depth in (8, 16))
    command = ("study.toml", *TINY, "--set")
    workshop.run(*command, f"data=folder:{eight}@16")
    done = workshop.outcomes()
    moved = eight.rename(tmp_path / "moved")
    attempts = len(workshop.events(Started))
    workshop.run(*command, f"data=folder:{moved}@16")
    assert workshop.outcomes() == done
    assert len(workshop.events(Started)) == attempts  # the same jobs, wherever the images lie
    (tmp_path / "other").mkdir()
    other = prepare(Workshop(tmp_path / "other"))
    other.run(*command, f"data=folder:{sixteen}@16")
    assert other.outcomes() == done
    other.close()


NETS = """
from torch import nn


class Small(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images):
        return self.fc(self.dropout(self.body(images).mean((2, 3))))


def build(name, num_classes):
    return Small(num_classes, {"narrow": 8, "wide": 24}[name])
"""


def study_on(workshop: Workshop, pair: str, more: str = "") -> None:
    (workshop.folder / "study.toml").write_text(
        f'title = "Direction"\nmethod = "cocord"\npairs = ["{pair}"]\n{more}'
        'references = ["kd", "crd"]\n'
        '[[ablation]]\nablated_part = "prediction.direction"\naction = "REPLACE"\n'
        'replacement = ["L_pred only"]\n'
    )


@pytest.mark.timeout(600)
def test_torchvisions_networks_distil_on_a_folder_of_images(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepare(workshop)
    study_on(workshop, "resnet18/mobilenet_v3_small")
    images = write_images(tmp_path / "images", 8)
    workshop.run("study.toml", *TINY, "--set", f"data=folder:{images}@16")
    rows = {variant for kind, variant, _ in workshop.outcomes() if kind == "student"}
    assert len(rows) == 4
    assert {"KD", "CRD"} <= rows
    report = workshop.ablate("report").stdout
    assert "resnet18/mobilenet_v3_small" in report


def test_a_users_own_networks_resume_to_the_bit(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    outcomes = []
    images = write_images(tmp_path / "images", 8)
    for name, execution in (("whole", {}), ("cut", {"checkpoint_every": "1 step"})):
        (tmp_path / name).mkdir()
        made = prepare(Workshop(tmp_path / name), **execution)
        (made.folder / "my_nets.py").write_text(NETS)
        study_on(made, "wide/narrow", 'networks = "my_nets.py:build"\n')
        command = (
            "study.toml",
            *TINY,
            "--set",
            f"data=folder:{images}@16",
            "--set",
            "batch_size=16",
        )
        if execution:
            run = made.start("run", *command)
            victim, *_ = made.workers(saved=True)
            signal_worker(victim)
            assert made.finish(run).returncode == 0
            assert made.events(Resumed)
        else:
            made.run(*command)
        outcomes.append(made.outcomes())
        made.close()
    assert outcomes[0] == outcomes[1]
