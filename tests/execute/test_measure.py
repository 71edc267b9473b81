"""Measuring before a run: a few steps of one seed of every row, thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.execute.measure import Reduction, cost_of, measure, reduced
from ablate.matrix.costs import CostTable, epochs
from ablate.matrix.expand import expand
from ablate.matrix.identity import job_id
from ablate.methods.catalog import known_data
from ablate.store.events import EpochEnded, Finished, Started
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory
from ablate.study.parse import read_study
from ablate.study.settings import load_settings
from tests.execute.toy_workshop import Workshop
from tests.matrix.study_lab import HEAD, ROOT, TAU, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, load_settings(ROOT / "ablate.toml"))


def test_short_jobs_stand_for_one_seed_of_every_row_and_for_its_upstream_work(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    small, originals = reduced(matrix)
    assert list(small.configs) == list(originals)
    assert len(originals) < len(matrix.configs)
    assert {(c.kind, c.method) for c in originals.values()} == {
        (c.kind, c.method) for c in matrix.configs.values()
    }
    for identifier, config in small.configs.items():
        assert job_id(config) == identifier
        assert identifier not in matrix.configs, "no short job is taken for a real one"
        assert config.data.startswith("digits[")
        assert int(config.settings.get("epochs", 0)) <= 2
        assert all(upstream in small.configs for upstream in config.upstream.values())
    known = CostTable([])
    assert known.cost(next(iter(originals.values()))).seconds is None


def test_what_cannot_be_cut_short_is_left_out(lab: Lab) -> None:
    method = lab.folder / "own.py"
    method.write_text(
        "from ablate.methods.method import Method\n"
        "from ablate.methods.metrics import TOP1\n"
        "from ablate.methods.parts import Part, Range\n"
        "OWN = Method(name='own', title='Own', program='train', roles=(), uses_data=False,\n"
        "             metrics=(TOP1,), parts=(Part('size', 'size', 's', 1.0, Range(0, 9)),))\n"
        "def train(session): ...\n"
    )
    text = "title = 'T'\nmethod = 'own.py:OWN'\n[[ablation]]\nablated_part = 'size'\n"
    matrix = lab.expand(text + "replacement = [2]\n")
    assert reduced(matrix)[1] == {}
    assert measure(matrix, lab.settings) == ()


def test_a_measured_study_has_a_cost_and_leaves_nothing(workshop: Workshop) -> None:
    study = workshop.study(values="[1.0, 2.0]", method="TAUGHT")
    settings = load_settings(workshop.folder / "ablate.toml")
    matrix = expand(read_study(workshop.folder / study), settings, "toy", {"epochs": 7})
    table = CostTable(measure(matrix, settings))
    for config in matrix.configs.values():
        assert table.cost(config).seconds is not None
    assert not workshop.results.exists()


def test_evaluation_does_not_grow_with_the_training_images(
    lab: Lab,
) -> None:
    """A short job stands for one of more images: its epochs' training grows, the rest not."""
    matrix = lab.expand(HEAD + TAU)
    small, originals = reduced(matrix, Reduction(steps=2))
    identifier, original = next(iter(originals.items()))
    short = small.configs[identifier]
    run = RunDirectory.of(lab.folder / "results", identifier).create(short)
    run.append(Started(attempt=1, time=100.0))
    for epoch in (1, 2):
        ended = 100.0 + 10.0 * epoch
        run.append(
            EpochEnded(attempt=1, epoch=epoch, time=ended, trained_s=10.0 * epoch, evaluation_s=8.0)
        )
    run.append(Finished(attempt=1, time=120.0))
    run.write_result(JobResult(metrics={"top1": 50.0}))
    cost = cost_of(run, short, original)
    assert cost is not None
    data, part = known_data(original.data), known_data(short.data)
    assert data is not None and part is not None and data.train > part.train
    ratio = data.train / part.train
    assert cost.seconds == pytest.approx(epochs(original) * (2.0 * ratio + 8.0))
