"""The table of a teacher's features: what it holds, and how a job that fills it goes on."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablate.errors import InputError, Interrupted
from ablate.methods import file_digests
from ablate.methods.registry import BUILT_IN
from ablate.training import programs
from ablate.training import teacher_table as table
from ablate.training.programs import Setting
from ablate.training.views import all_views
from tests.training.fake_session import FakeSession, Workshop

PAIR = ("resnet14", "resnet8")
CHUNKS = 3  #: of the 599 digits


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Passes of the teacher."""
    ran, build = Counter[str](), programs._teacher

    def counting(setting: Setting) -> torch.nn.Module:
        teacher = build(setting)
        teacher.conv1.register_forward_hook(lambda *_: ran.update(["teacher"]))
        return teacher

    monkeypatch.setattr(programs, "_teacher", counting)
    return ran


def table_session(workshop: Workshop, name: str, augmentation: str = "crop-flip") -> FakeSession:
    job = workshop.job("kd", *PAIR, views__augmentation=augmentation, teacher__table="on")
    session = workshop.session(job)
    upstream = BUILT_IN["kd"].upstream(job, workshop._recipe)["teacher_table"]
    return FakeSession(
        replace(upstream, upstream={"teacher": "id"}),
        workshop.folder / f"table {name}",
        upstreams={"teacher": session.upstreams["teacher"]},
    )


def rows(session: FakeSession, views: int) -> torch.Tensor:
    """All of a table: (views, 599, 64)."""
    read = table.TeacherTable.open(session.folder, views, 599, 64)
    view, image = torch.arange(views)[:, None].expand(-1, 599), torch.arange(599).expand(views, -1)
    return read.rows(view.flatten(), image.flatten()).view(views, 599, 64)


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
def test_it_holds_every_view_of_every_image(workshop: Workshop, augmentation: str) -> None:
    session = table_session(workshop, f"whole {augmentation}", augmentation)
    outcome = session.run()
    features = rows(session, 9 if augmentation == "crop-flip" else 1)
    content = (session.folder / "features.bin").read_bytes()
    assert outcome.weights_digest == hashlib.sha256(content).hexdigest()
    setting = Setting.of(session)
    teacher, images = programs._teacher(setting), setting.data.train_images
    with torch.no_grad():
        for start in (0, 250, 500):
            chunk = images[start : start + 250]
            for view, rendered in all_views(chunk, setting.data.info, augmentation):
                expected = teacher.features(setting.precision.lay_out(rendered))
                assert torch.equal(features[view, start : start + 250], expected)


@pytest.mark.parametrize("stops", [(1,), (8,), (9,), (14,), (26,), (3, 9, 10, 25)], ids=str)
def test_it_goes_on_after_the_view_at_which_it_was_stopped(
    workshop: Workshop, passes: Counter[str], stops: tuple[int, ...]
) -> None:
    """Within a chunk of images, at its end, and just before the end of all."""
    whole, parts = (table_session(workshop, name) for name in ("whole crop-flip", f"{stops}"))
    if not whole.folder.exists():
        whole.run()
        passes.clear()
    outcome = parts.run_with_stops(*stops)
    for file in ("features.bin", "features.json"):
        assert (parts.folder / file).read_bytes() == (whole.folder / file).read_bytes()
    digest = hashlib.sha256((whole.folder / "features.bin").read_bytes()).hexdigest()
    assert outcome.weights_digest == digest
    assert passes["teacher"] == 9 * CHUNKS, "no view is shown twice"
    assert [p.step for p in parts.positions] == list(range(1, 9 * CHUNKS))


def test_a_checkpoint_is_small_and_its_passes_are_in_the_file(workshop: Workshop) -> None:
    session = table_session(workshop, "size")
    session.stop_after = 14
    with pytest.raises(Interrupted):
        session.run()
    assert session.checkpoint is not None
    assert len(session.checkpoint) < 2**12
    whole = table_session(workshop, "whole size")
    whole.run()
    written = table.Layout(9, 599, 64).offset(1, 5)  # nine views of a chunk, five of the next
    content = (session.folder / "features.bin").read_bytes()
    assert content[:written] == (whole.folder / "features.bin").read_bytes()[:written]


def test_a_file_that_is_gone_is_filled_from_the_start(
    workshop: Workshop, passes: Counter[str]
) -> None:
    session = table_session(workshop, "gone")
    session.stop_after = 14
    with pytest.raises(Interrupted):
        session.run()
    (session.folder / "features.bin").unlink()
    session.stop_after = -1
    session.run()
    assert passes["teacher"] == 14 + 9 * CHUNKS
    rows(session, 9)


def test_a_checkpoint_may_fall_after_each_pass_and_an_epoch_is_a_chunk(workshop: Workshop) -> None:
    session = table_session(workshop, "ends")
    session.run()
    assert [p.step for p in session.positions if p.epoch_ended] == [9, 18]
    assert [p.epoch for p in session.positions] == [i // 9 + 1 for i in range(26)]


@pytest.mark.parametrize(
    ("views", "images", "width", "chunk"), [(9, 599, 4, 250), (1, 10, 3, 10), (4, 11, 2, 5)]
)
def test_every_row_has_a_place_of_its_own(views: int, images: int, width: int, chunk: int) -> None:
    layout = table.Layout(views, images, width, chunk)
    view, image = (t.flatten() for t in torch.meshgrid(
        torch.arange(views), torch.arange(images), indexing="ij"))  # fmt: skip
    row = layout.row(view, image)
    assert torch.equal(row.sort().values, torch.arange(views * images))
    assert layout.size == 4 * views * images * width
    ends = [layout.offset(c, v) for c in range(layout.chunks) for v in range(views)]
    assert ends == sorted(ends), "passes are written from the start to the end"


@pytest.mark.parametrize("damage", ["flipped byte", "shorter", "link", "manifest", "missing"])
def test_a_damaged_table_is_refused_by_name(workshop: Workshop, damage: str) -> None:
    session = table_session(workshop, f"damaged {damage}")
    session.run()
    features, manifest = (session.folder / name for name in ("features.bin", "features.json"))
    content = features.read_bytes()
    if damage == "flipped byte":
        features.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    elif damage == "shorter":
        features.write_bytes(content[:-4])
    elif damage == "link":
        features.rename(session.folder / "elsewhere")
        features.symlink_to(session.folder / "elsewhere")
    elif damage == "manifest":
        manifest.write_bytes(manifest.read_bytes().replace(b"64", b"32"))
    else:
        manifest.unlink()
    with pytest.raises(InputError, match=r"features\.bin"):
        rows(session, 9)
    with pytest.raises(InputError):
        table.TeacherTable.open(session.folder, 9, 600, 64)


def test_its_digest_is_computed_once_per_file(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = table_session(workshop, "once")
    session.run()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    features = session.folder / "features.bin"
    hour_ago = features.stat().st_mtime - 3600
    os.utime(features, (hour_ago, hour_ago))
    read = Counter[str]()
    monkeypatch.setattr(file_digests, "_SETTLED_S", -1)
    digest = file_digests._read
    monkeypatch.setattr(file_digests, "_read", lambda path: read.update(["file"]) or digest(path))
    for _ in range(3):
        rows(session, 9)
    assert read["file"] == 1
