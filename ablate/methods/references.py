"""Reference rows: what published tables print beside a method."""

from __future__ import annotations

from collections.abc import Iterable

from ablate.methods.method import Conflict, Method
from ablate.methods.metrics import CLASSIFICATION
from ablate.methods.parts import Part, Range
from ablate.methods.recipe import RECIPE, recipe_for, recipe_inert
from ablate.methods.session import STUDENT_ROLE, JobConfig
from ablate.methods.teachers import (
    METRICS,
    SUPERVISED,
    TEACHER_PARTS,
    UPSTREAM_PARTS,
    classifier_footnotes,
    counts,
    distillation_inert,
    jitter_conflicts,
    no_loss_conflicts,
    table_conflicts,
    upstream_of,
)


def _kd_conflicts(job: JobConfig) -> Iterable[Conflict]:
    yield from no_loss_conflicts(job)
    yield from jitter_conflicts(job)
    yield from table_conflicts(job)


def _crd_inert(job: JobConfig) -> dict[str, str]:
    inert = distillation_inert(job)
    if not counts(job.settings, "loss.crd"):
        own = [name for name in job.settings if name.startswith("crd.")]
        inert |= dict.fromkeys(own, "where loss.crd is above 0")
    return inert


STUDENT = Method(
    name="student",
    title="Student",
    program=SUPERVISED,
    parts=RECIPE,
    metrics=CLASSIFICATION,
    roles=(STUDENT_ROLE,),
    baseline_for=recipe_for,
    conflicts=jitter_conflicts,
    inert=recipe_inert,
)

KD = Method(
    name="kd",
    title="KD",
    program="ablate.training.programs:distill",
    parts=(
        Part("loss.cls", "weight of the classification loss", "λ_cls", 0.1, Range(0, 1e6),
             off=0.0, off_label="w/o L_cls"),
        Part("loss.kd", "weight of Hinton's distillation loss", "λ_kd", 0.9, Range(0, 1e6),
             off=0.0, off_label="w/o L_kd"),
        Part("kd.temperature", "temperature of the distillation loss", "T", 4.0,
             Range(0, 1000, open_low=True)),
        *RECIPE,
        *TEACHER_PARTS,
    ),
    metrics=METRICS,
    source="Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015",
    baseline_for=recipe_for,
    conflicts=_kd_conflicts,
    inert=distillation_inert,
    upstream=upstream_of,
    core=("loss.kd",),
    upstream_parts=UPSTREAM_PARTS,
)  # fmt: skip

CRD = Method(
    name="crd",
    title="CRD",
    program="ablate.training.programs:distill",
    parts=(
        Part("loss.cls", "weight of the classification loss", "λ_cls", 1.0, Range(0, 1e6),
             off=0.0, off_label="w/o L_cls"),
        Part("loss.kd", "weight of Hinton's distillation loss", "λ_kd", 0.0, Range(0, 1e6),
             off=0.0, off_label="w/o L_kd", on=1.0),
        Part("loss.crd", "weight of the CRD loss", "λ_crd", 0.8, Range(0, 1e6),
             off=0.0, off_label="w/o L_crd"),
        Part("kd.temperature", "temperature of the distillation loss", "T", 4.0,
             Range(0, 1000, open_low=True)),
        Part("crd.temperature", "temperature of the CRD loss", "τ", 0.07,
             Range(0, 1000, open_low=True)),
        Part("crd.negatives", "negatives per image", "K", 16384, Range(1, whole=True)),
        Part("crd.momentum", "momentum of the memory", "memory momentum", 0.5, Range(0, 1)),
        Part("crd.embedding", "width of the embedding", "embedding", 128,
             Range(1, 65_536, whole=True)),
        *RECIPE,
        *TEACHER_PARTS,
    ),
    metrics=METRICS,
    source="Tian, Krishnan, Isola: Contrastive Representation Distillation, ICLR 2020",
    baseline_for=recipe_for,
    conflicts=_kd_conflicts,
    inert=_crd_inert,
    upstream=upstream_of,
    footnotes=classifier_footnotes,
    core=("loss.crd",),
    upstream_parts=UPSTREAM_PARTS,
)  # fmt: skip
