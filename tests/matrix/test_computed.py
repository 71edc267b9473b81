"""What rows compute: each shipped one something of its own, an inert part nothing at all."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from ablate.matrix.expand import expand
from ablate.matrix.identity import job_id
from ablate.methods.catalog import NETWORKS
from ablate.methods.cocord_config import CoCoRDConfig
from ablate.methods.parts import Choice, Part, Value
from ablate.methods.reference_configs import CRDConfig
from ablate.methods.registry import BUILT_IN
from ablate.methods.session import JobConfig
from ablate.study.parse import read_study
from ablate.study.settings import Settings
from ablate.training import networks
from ablate.training.checkpoint import digest
from ablate.training.cocord_step import CoCoRD
from ablate.training.crd import CRD
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.precision import Precision
from ablate.training.randomness import initialising
from ablate.training.step import OptimizerStep, Trainable
from tests.matrix.study_lab import HEAD, STUDIES, Lab, configs
from tests.training.data_sets import digits

STEPS = 3  #: momentum shows after the first optimizer step, in the second step's keys
SMALL = {"batch_size": 16}  #: of everything a few, since values don't matter, only differences
TINY = {
    **SMALL, "head.width": 16, "head.embedding": 16, "predictor.width": 16, "dictionary.size": 64
}  # fmt: skip
Losses = dict[str, list[float]]


def trainable(config: JobConfig) -> Trainable:
    teacher_seed = int(config.settings.get("teacher.seed", 0))
    built, seeds = {}, {"student": config.seed, "teacher": teacher_seed}
    for role, name in config.networks.items():
        with initialising(seeds[role], role):
            built[role] = networks.build(name, 10, 1)
    nets = built["student"], built["teacher"].eval(), NETWORKS[config.networks["teacher"]]
    if config.method == "crd":
        parts = CRDConfig.from_settings(config.settings)
        return CRD(parts, *nets, len(digits().train_labels), config.seed)
    return CoCoRD(CoCoRDConfig.from_settings(config.settings), *nets, config.seed)


def compute(config: JobConfig) -> tuple[Losses, str]:
    """Losses of a job's first steps, and the digest of its student after them.

    A teacher's features come from the teacher itself, never from a table.
    """
    torch.set_num_threads(1)
    hyper = Hyper.from_settings(config.settings)
    precision = Precision(hyper.precision, torch.device("cpu"))
    model = trainable(config)
    step = OptimizerStep.by_recipe(model, hyper, precision)
    feed = Feed(digits(), hyper, config.seed, precision, model.needs)
    losses: Losses = {}
    for _, batch in zip(range(STEPS), feed.epoch(1), strict=False):
        for name, value in step(batch).items():
            if name.startswith("loss_"):
                losses.setdefault(name, []).append(value.item())
    return losses, digest(model.student.state_dict())


@cache
def _computed(identifier: str) -> tuple[Losses, str]:
    return compute(KNOWN[identifier])


REFERENCE = 'references = ["crd"]\n'  #: a study has to hold a second row
KNOWN: dict[str, JobConfig] = {}


def computed(config: JobConfig) -> tuple[Losses, str]:
    identifier = job_id(replace(config, upstream={}))
    KNOWN[identifier] = config
    return _computed(identifier)


def shipped_rows(study: Path, settings: Settings) -> list[tuple[str, JobConfig, JobConfig]]:
    """(label, baseline, variant) of every row of a shipped study under the quick profile."""
    matrix = expand(read_study(study), settings, "quick", SMALL, seeds=[0])
    plan = matrix.plan
    config = {(job.variant, job.pair): matrix.configs[job.id] for job in plan.jobs}
    base, *others = plan.variants
    return [
        (row.label, config[base.label, pair], config[row.label, pair])
        for pair in plan.pairs
        for row in others
        if row.method.startswith("cocord")
    ]


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_row_computes_something_of_its_own(lab: Lab, study: Path) -> None:
    rows = shipped_rows(study, lab.settings)
    assert rows
    for label, baseline, variant in rows:
        (one, first), (other, second) = computed(baseline), computed(variant)
        common = one.keys() & other.keys()
        assert first != second, label
        assert common, label
        assert any(one[name] != other[name] for name in common), label


ALIKE, DIFFERENT = "resnet8/resnet8", "resnet8x4/resnet8"  #: feature widths
CASES: list[tuple[str, str, dict[str, Value]]] = [
    ("cocord", ALIKE, {}),
    ("cocord", ALIKE, {"loss.kd": 1.0}),
    ("cocord", ALIKE, {"loss.ctr": 0.0}),
    ("cocord", ALIKE, {"loss.pred": 0.0}),
    ("cocord", ALIKE, {"loss.ctr": 0.0, "loss.pred": 0.0}),
    ("cocord", ALIKE, {"predictor.enabled": False}),
    ("cocord", ALIKE, {"head.depth": 1}),
    ("cocord", ALIKE, {"encoder.cognate": "student"}),
    ("cocord", ALIKE, {"encoder.contrastive": "slow_student", "encoder.cognate": "teacher"}),
    ("cocord", ALIKE, {"views.augmentation": "none"}),
    ("cocord", ALIKE, {"views.augmentation": "none", "encoder.contrastive": "slow_student"}),
    ("cocord", DIFFERENT, {}),
    ("cocord", DIFFERENT, {"head.depth": 1}),
    ("cocord", DIFFERENT, {"encoder.contrastive": "student"}),
    ("crd", DIFFERENT, {}),
    ("crd", DIFFERENT, {"loss.kd": 1.0}),
    ("crd", ALIKE, {"loss.crd": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "pair", "changes"), CASES, ids=str)
def test_parts_said_to_be_inert_change_nothing_and_the_others_do(
    lab: Lab, name: str, pair: str, changes: dict[str, Value]
) -> None:
    """The declaration that refuses rows is held against what the training code computes."""
    text = HEAD.replace("resnet14/resnet8", pair) + REFERENCE
    method = BUILT_IN[name]
    matrix = lab.expand(text, overrides=TINY, seeds=[0])
    config = next(one for one in configs(matrix, "student") if one.method == name)
    of_teacher = {name: method.part(name).baseline for name in method.upstream_parts}
    config = replace(config, settings={**of_teacher, **config.settings, **changes})
    inert = method.inert(config)
    for part in method.parts:
        if part.name not in ELSEWHERE and part.name not in changes:
            other = {**config.settings, part.name: another(part, config.settings[part.name])}
            varied = replace(config, settings=other)
            if list(method.conflicts(varied)):
                continue
            same = computed(varied) == computed(config)
            assert same == (part.name in inert), part.name


#: Parts that only whole epochs show, or a GPU.
ELSEWHERE = {"epochs", "lr_schedule", "deterministic", "fast"}


def another(part: Part, value: Value) -> Value:
    if isinstance(part.allowed, Choice):
        return next(v for v in part.allowed.values if v != value)
    if part.allowed.whole:
        return int(value) + (1 if part.name == "head.depth" else 32)
    return float(value) / 2 or 0.5


SPELLINGS: list[dict[str, Value]] = [
    {"prediction.direction": "both"},
    {"prediction.direction": "pred"},
    {"prediction.direction": "pred_sym"},
    {"prediction.direction": "pred_sym", "loss.ctr": 0.0},
    {"encoder.contrastive": "slow_student", "encoder.contrastive_view": "k"},
    {"encoder.contrastive": "slow_student", "encoder.contrastive_view": "k",
     "prediction.direction": "pred"},
    {"encoder.contrastive": "slow_student", "encoder.contrastive_view": "t"},
]  # fmt: skip


@pytest.mark.parametrize("changes", SPELLINGS, ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_two_spellings_are_one_where_they_compute_the_same(
    lab: Lab, changes: dict[str, Value], momentum: float
) -> None:
    """A slow student without momentum is the student, but for the passes that it saves."""
    method = BUILT_IN["cocord"]
    config = configs(lab.expand(HEAD + REFERENCE, overrides=TINY, seeds=[0]), "student")[0]
    settings = {**config.settings, **changes, "momentum.slow_student": momentum}
    part = "encoder.contrastive" if "encoder.contrastive" in changes else "encoder.cognate"
    slow, fast = (
        replace(config, settings={**settings, part: encoder})
        for encoder in ("slow_student", "student")
    )
    same = method.canonical(slow) == method.canonical(fast)
    assert same == (computed(slow) == computed(fast))
