"""A study on a folder of images, from the command to the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_execute_training import TINY, prepare
from toy_workshop import Workshop

from ablate.store.events import Started


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
