"""Reference rows: what published tables print beside a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ablate.methods.method import Conflict, Method, Recipe
from ablate.methods.metrics import CLASSIFICATION
from ablate.methods.recipe import RECIPE, recipe_for, recipe_inert
from ablate.methods.reference_configs import CRDConfig, KDConfig
from ablate.methods.session import STUDENT_ROLE, JobConfig
from ablate.methods.teachers import (
    METRICS,
    SUPERVISED,
    TEACHER_PARTS,
    UPSTREAM_PARTS,
    classifier_footnotes,
    distillation_conflicts,
    distillation_inert,
    jitter_conflicts,
    upstream_of,
)


def _kd_conflicts(job: JobConfig) -> Iterable[Conflict]:
    return distillation_conflicts(job, KDConfig.from_settings(job.settings))


def _kd_inert(job: JobConfig) -> dict[str, str]:
    return distillation_inert(job, KDConfig.from_settings(job.settings))


def _kd_upstream(job: JobConfig, recipe: Recipe) -> Mapping[str, JobConfig]:
    return upstream_of(job, recipe, KDConfig)


def _crd_conflicts(job: JobConfig) -> Iterable[Conflict]:
    return distillation_conflicts(job, CRDConfig.from_settings(job.settings))


def _crd_inert(job: JobConfig) -> dict[str, str]:
    config = CRDConfig.from_settings(job.settings)
    inert = distillation_inert(job, config)
    if "crd" not in config.weights:
        own = [name for name in job.settings if name.startswith("crd.")]
        inert |= dict.fromkeys(own, "where loss.crd is above 0")
    return inert


def _crd_upstream(job: JobConfig, recipe: Recipe) -> Mapping[str, JobConfig]:
    return upstream_of(job, recipe, CRDConfig)


def _crd_footnotes(job: JobConfig) -> Iterable[str]:
    return classifier_footnotes(CRDConfig.from_settings(job.settings))


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
    program="ablate.training.programs:kd",
    parts=(*KDConfig.parts(), *RECIPE, *TEACHER_PARTS),
    metrics=METRICS,
    source="Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015",
    baseline_for=recipe_for,
    conflicts=_kd_conflicts,
    inert=_kd_inert,
    upstream=_kd_upstream,
    seeds_share_upstream=True,
    core=("loss.kd",),
    upstream_parts=UPSTREAM_PARTS,
)

CRD = Method(
    name="crd",
    title="CRD",
    program="ablate.training.crd:train",
    parts=(*CRDConfig.parts(), *RECIPE, *TEACHER_PARTS),
    metrics=METRICS,
    source="Tian, Krishnan, Isola: Contrastive Representation Distillation, ICLR 2020",
    baseline_for=recipe_for,
    conflicts=_crd_conflicts,
    inert=_crd_inert,
    upstream=_crd_upstream,
    seeds_share_upstream=True,
    footnotes=_crd_footnotes,
    core=("loss.crd",),
    upstream_parts=UPSTREAM_PARTS,
)
CRD_KD = CRD.with_baseline("crd+kd", "CRD+KD", loss__kd=1.0)
