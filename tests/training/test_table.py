"""The table of a teacher's features: what it holds, and how a job that fills it goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from fake_session import FakeSession, Workshop

from ablate.methods.registry import BUILT_IN
from ablate.training import checkpoint, programs
from ablate.training import teacher_table as table
from ablate.training.precision import Precision
from ablate.training.programs import Setting
from ablate.training.views import all_views

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


def filled(session: FakeSession) -> torch.Tensor:
    features: torch.Tensor = torch.load(session.folder / "features.pt")["features"]
    return features


@pytest.mark.parametrize("augmentation", ["none", "crop-flip"])
def test_it_holds_every_view_of_every_image(workshop: Workshop, augmentation: str) -> None:
    session = table_session(workshop, f"whole {augmentation}", augmentation)
    outcome = session.run()
    features, views = filled(session), 9 if augmentation == "crop-flip" else 1
    assert features.shape == (views, 599, 64)
    assert features.dtype == torch.float32
    assert outcome.weights_digest == checkpoint.digest({"features": features})
    setting = Setting.of(session)
    teacher, images = programs._teacher(setting), setting.data.train_images
    with torch.no_grad():
        for start in (0, 250, 500):
            chunk = images[start : start + 250]
            for view, rendered in all_views(chunk, setting.data.info, augmentation):
                expected = teacher.features(setting.precision.lay_out(rendered))
                assert torch.equal(features[view, start : start + 250], expected)


@pytest.mark.parametrize("stop", [1, 8, 9, 14, 26])
def test_it_goes_on_after_the_view_at_which_it_was_stopped(
    workshop: Workshop, passes: Counter[str], stop: int
) -> None:
    """Within a chunk of images, at its end, and just before the end of all."""
    whole, parts = (table_session(workshop, name) for name in ("whole crop-flip", "parts"))
    if not whole.folder.exists():
        whole.run()
        passes.clear()
    outcome = parts.run_with_stops(stop)
    assert torch.equal(filled(parts), filled(whole))
    assert outcome.weights_digest == checkpoint.digest({"features": filled(whole)})
    assert passes["teacher"] == 9 * CHUNKS, "no view is shown twice"
    assert [p.step for p in parts.positions] == list(range(1, 9 * CHUNKS))


def test_a_checkpoint_holds_what_is_filled_and_no_more(workshop: Workshop) -> None:
    session = table_session(workshop, "size")
    session.run_with_stops(14)  # the first chunk and five views of the second
    assert session.checkpoint is not None
    assert len(session.checkpoint) < 14 * 250 * 64 * 4 + 2**16


def test_checkpoints_may_fall_all_along_the_way_but_not_at_its_end(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_CHUNK", 10)
    session = table_session(workshop, "ends")
    setting = Setting.of(session)
    tiny = replace(
        setting.data,
        train_images=setting.data.train_images[:450],
        train_labels=setting.data.train_labels[:450],
    )
    precision = Precision("fp32", torch.device("cpu"))
    table.fill_table(session, programs._teacher(setting), tiny, "none", precision)
    ends = [p.step for p in session.positions if p.epoch_ended]
    assert ends == list(range(3, 45, 3)), "45 chunks, three an epoch"
    assert [p.epoch for p in session.positions] == [i // 3 + 1 for i in range(44)]
