"""Upstream work of distillation: a trained teacher, and a table of its features.

Both are jobs of their own, so that one teacher serves every variant, seed and study.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol, Self

from ablate.methods.catalog import DataInfo, known_data
from ablate.methods.method import Conflict, Method, Recipe
from ablate.methods.metrics import CLASSIFICATION, Better, Metric
from ablate.methods.own_networks import feature_width, network_input
from ablate.methods.parts import Choice, Part, Range, Value, Values, same, shown
from ablate.methods.recipe import RECIPE, recipe_for, recipe_inert
from ablate.methods.recipe_config import AUGMENTATION, FINITE_VIEWS
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE, JobConfig

SUPERVISED = "ablate.training.programs:supervised"
TABLE = "ablate.training.programs:teacher_table"

TEACHER_SEED = "teacher.seed"
_TABLE = "teacher.table"  #: what the names of parts start with that choose whether there is one

#: What a method declares that distils from a teacher.
TEACHER_PARTS: tuple[Part, ...] = (
    Part(TEACHER_SEED, "seed of the teacher", "teacher seed", 0, Range(0, 2**31, whole=True)),
    Part("teacher.table", "teacher features from a table", "teacher table", "auto",
         Choice(("auto", "on", "off")),
         help="auto: the features of all views are computed once, where that fits and one job "
              "has at least as many epochs as there are views; on: also where only several seeds "
              "together do"),
    Part("teacher.table_limit_mib", "largest table of teacher features", "table limit", 8192,
         Range(0, whole=True)),
)  # fmt: skip

#: What the package's own distillation methods measure; each has those of the terms that it has.
METRICS: tuple[Metric, ...] = (
    *CLASSIFICATION,
    *(
        Metric(name, label=label, better=Better.LOWER, digits=4)
        for name, label in (
            ("loss_ctr", "L_ctr"),
            ("loss_pred", "L_pred"),
            ("loss_pred_sym", "L̃_pred"),
            ("loss_kd", "L_kd"),
            ("loss_crd", "L_crd"),
        )
    ),
    Metric("contrast_acc", label="(N+1)-way contrastive accuracy (%)", unit="%",
           better=Better.HIGHER),
    Metric("slow_top1", label="Top-1 accuracy of the slow student (%)", unit="%",
           better=Better.HIGHER),
)  # fmt: skip

UPSTREAM_PARTS = tuple(part.name for part in TEACHER_PARTS)  #: which show in upstream jobs only

#: Parts that mean the same in every method that has them, so that rows of one table share them.
SHARED_PARTS = frozenset((*(part.name for part in RECIPE), *UPSTREAM_PARTS))


def jitter_conflicts(job: JobConfig) -> Iterable[Conflict]:
    """Colour jitter needs colours."""
    data = known_data(job.data)
    if data and data.channels == 1 and "jitter" in str(job.settings.get(AUGMENTATION.name)):
        yield Conflict(
            AUGMENTATION.name,
            f"colour jitter needs three channels, {data.title} has one",
            '"crop-flip" or "crop-flip-blur"',
        )


TEACHER = Method(
    name="teacher",
    title="Teacher",
    program=SUPERVISED,
    parts=RECIPE,
    metrics=CLASSIFICATION,
    kind="teacher",
    roles=(TEACHER_ROLE,),
    baseline_for=recipe_for,
    conflicts=jitter_conflicts,
    inert=recipe_inert,
)


class DistillationConfig(Protocol):
    """What the typed config of a distillation method tells of a step."""

    @property
    def weights(self) -> Mapping[str, float]:
        """Term -> weight, of the terms that count."""

    @property
    def teacher_views(self) -> tuple[str, ...]:
        """Views of which the teacher's features are read."""

    @classmethod
    def from_settings(cls, settings: Values) -> Self:
        """Read a job's settings."""


def distillation_inert(job: JobConfig, config: DistillationConfig) -> dict[str, str]:
    """Parts that distillation methods share and that change nothing -> when they would count."""
    inert = recipe_inert(job)
    if "kd" not in config.weights:
        inert["kd.temperature"] = "where loss.kd is above 0"
    if not config.teacher_views:
        return inert | {part.name: "where a loss looks at the teacher" for part in TEACHER_PARTS}
    # What another value would choose too is no choice; a table and none differ in their last bits.
    usual = {part.name: part.baseline for part in TEACHER_PARTS if part.name.startswith(_TABLE)}
    for name, value in usual.items():
        if same(job.settings[name], value) or (
            table_serves(job) == table_serves(job.with_settings({name: value}))
        ):
            inert[name] = "where it decides whether there is a table"
    return inert


def table_mib(data: DataInfo, teacher: str, augmentation: Value) -> float:
    """Size of the table of a teacher's features in MiB: images × views × width, 4 bytes each."""
    return data.train * _views(data, augmentation) * (feature_width(teacher) or 0) * 4 / 2**20


def table_bytes(job: JobConfig) -> int:
    """Size of the table that a job fills; 0 where its data or its teacher is not known."""
    data = known_data(job.data)
    teacher, augmentation = job.networks[TEACHER_ROLE], job.settings[AUGMENTATION.name]
    return 0 if data is None else round(table_mib(data, teacher, augmentation) * 2**20)


def _views(data: DataInfo, augmentation: Value) -> int:
    return data.crop_views if augmentation == "crop-flip" else 1


def table_serves(job: JobConfig) -> bool:
    """Whether a table of the teacher's features is asked for, fits, and costs less than it saves.

    Filling it shows every image in every view to the teacher once; a job without it shows every
    image in one view an epoch. One job's epochs have to pay for it, though all seeds and rows
    share it: were they counted, another seed would give finished jobs another id. A study whose
    seeds pay together says `teacher.table = "on"`.
    """
    data, views = known_data(job.data), job.settings[AUGMENTATION.name]
    if data is None or table_obstacle(job):
        return False
    if job.settings["teacher.table"] != "auto":
        return job.settings["teacher.table"] == "on"
    pays = _views(data, views) <= int(job.settings["epochs"])
    limit = float(job.settings["teacher.table_limit_mib"])
    return pays and table_mib(data, job.networks[TEACHER_ROLE], views) <= limit


def table_obstacle(job: JobConfig) -> str:
    """Why there can be no table of the teacher's features; "" where there can."""
    if known_data(job.data) is None:
        return "a user's own data has none"
    if job.settings[AUGMENTATION.name] not in FINITE_VIEWS:
        return f"{AUGMENTATION.name} = {shown(job.settings[AUGMENTATION.name])} has no end of views"
    teacher = job.networks[TEACHER_ROLE]
    return "" if feature_width(teacher) else f"the width of {teacher} is not known"


def distillation_conflicts(job: JobConfig, config: DistillationConfig) -> Iterable[Conflict]:
    """Something must be trained, jitter needs colours, a table asked for has to be possible."""
    if not config.weights:
        yield Conflict(
            "loss.cls",
            "every loss has weight 0, so nothing would be trained",
            f"one of {', '.join(n for n in job.settings if n.startswith('loss.'))} above 0",
        )
    yield from jitter_conflicts(job)
    obstacle = table_obstacle(job)
    if job.settings[_TABLE] == "on" and config.teacher_views and obstacle:
        yield Conflict(_TABLE, f"there can be no table of teacher features: {obstacle}", '"auto"')


def classifier_footnotes(config: DistillationConfig) -> Iterable[str]:
    """What accuracy means where no loss trains the classifier."""
    if not {"cls", "kd"} & config.weights.keys():
        yield (
            "where neither L_cls nor L_kd counts, no gradient reaches the student's classifier: "
            "its accuracy is that of random weights on trained features"
        )


def teacher_of(job: JobConfig, recipe: Recipe) -> JobConfig:
    """The job that trains the teacher of a job; it knows nothing of its student."""
    student = network_input(job.inputs, STUDENT_ROLE)
    return replace(
        job,
        kind=TEACHER.kind,
        method=TEACHER.name,
        program=TEACHER.program,
        networks={TEACHER_ROLE: job.networks[TEACHER_ROLE]},
        seed=int(job.settings.get(TEACHER_SEED, 0)),
        settings=recipe(TEACHER, job.networks[TEACHER_ROLE]),
        upstream={},
        inputs={name: job.inputs[name] for name in job.inputs if name != student},
    )


def upstream_of(
    job: JobConfig, recipe: Recipe, config: type[DistillationConfig]
) -> Mapping[str, JobConfig]:
    """The teacher of a distillation job, and the table of its features where one serves.

    The teacher follows the profile's recipe, never the variant's: an ablated learning rate or
    augmentation must not change the teacher too.
    """
    if not config.from_settings(job.settings).teacher_views:
        return {}
    teacher = teacher_of(job, recipe)
    if not table_serves(job):
        return {"teacher": teacher}
    table = replace(
        teacher,
        kind="teacher_table",
        program=TABLE,
        seed=0,  # a table draws nothing at random
        upstream={"teacher": ""},  # the matrix fills in the id of the role
        settings={
            name: job.settings[name] for name in (AUGMENTATION.name, "precision", "deterministic")
        },
    )
    return {"teacher": teacher, "teacher_table": table}
