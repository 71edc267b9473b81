"""CoCoRD as a method: its parts, in the paper's notation.

Fu, Yang, Yang: Contrastive Consistent Representation Distillation, BMVC 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ablate.methods.catalog import known_data
from ablate.methods.cocord_config import (
    BY_SLOW_STUDENT,
    BY_STUDENT,
    BY_TEACHER,
    DIRECTIONS,
    CoCoRDConfig,
)
from ablate.methods.method import Conflict, Method, Networks, Qualifier, Recipe
from ablate.methods.own_networks import feature_width
from ablate.methods.parts import Part, Values, format_value
from ablate.methods.recipe import RECIPE, recipe_for
from ablate.methods.recipe_config import AUGMENTATION
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE, JobConfig
from ablate.methods.teachers import (
    METRICS,
    TEACHER_PARTS,
    UPSTREAM_PARTS,
    classifier_footnotes,
    distillation_conflicts,
    distillation_inert,
    upstream_of,
)

#: Parts that only these losses, or what they look at, read.
_OF_CONTRAST = (
    "temperature",
    "dictionary.size",
    "encoder.contrastive",
    "encoder.contrastive_view",
)
_OF_PREDICTION = (
    "prediction.direction",
    "encoder.cognate",
    "predictor.enabled",
    "predictor.width",
)
_OF_HEADS = ("head.depth", "head.width", "head.embedding", "head.norm", "mismatch")

PARTS: tuple[Part, ...] = (*CoCoRDConfig.parts(), *RECIPE, *TEACHER_PARTS)


def _baseline_for(networks: Networks) -> Values:
    """The recipe's changes, and m_c = 1 where widths differ, as published (section 1)."""
    values = dict(recipe_for(networks))
    if _widths_differ(networks):
        values["momentum.teacher_head"] = 1.0
    return values


def _widths_differ(networks: Networks) -> bool:
    """Whether teacher and student have features of different widths."""
    return feature_width(networks[TEACHER_ROLE]) != feature_width(networks[STUDENT_ROLE])


def _conflicts(job: JobConfig) -> Iterable[Conflict]:
    config = CoCoRDConfig.from_settings(job.settings)
    batch, views = job.settings["batch_size"], job.settings[AUGMENTATION.name]
    contrast = "ctr" in config.passes.weights
    if contrast and int(batch) > config.dictionary:
        yield Conflict(
            "batch_size",
            f"a batch of {batch} keys does not fit the dictionary of {config.dictionary}",
            f"at most {config.dictionary}, or a larger dictionary.size",
        )
    if contrast and _is_student(config):
        if config.contrastive_view == "q":
            yield Conflict(
                "encoder.contrastive_view",
                "the student's key for view q is the query itself, so the positive is always 1",
                'view "t" or "k"',
            )
        elif views == "none":
            yield Conflict(
                AUGMENTATION.name,
                "without augmentation all views are one, so the student's key is the query itself "
                "and the positive is always 1",
                'views that differ, or encoder.contrastive = "teacher"',
            )
    yield from distillation_conflicts(job, config)


def _is_student(config: CoCoRDConfig) -> bool:
    """Whether the contrastive encoder has the student's weights."""
    copied = config.contrastive == BY_SLOW_STUDENT and config.slow_momentum == 0
    return config.contrastive == BY_STUDENT or copied


def _inert(job: JobConfig) -> dict[str, str]:
    """Parts that change nothing that this job computes -> when they would count."""
    config = CoCoRDConfig.from_settings(job.settings)
    passes, inert = config.passes, distillation_inert(job, config)
    contrast, predicts = "ctr" in passes.weights, bool(passes.directions)
    widths_differ, one_layer = _widths_differ(job.networks), config.depth == 1
    if not contrast:
        inert |= dict.fromkeys(_OF_CONTRAST, "where loss.ctr is above 0")
    elif job.settings[AUGMENTATION.name] == "none":
        inert["encoder.contrastive_view"] = "where views differ"
    if not predicts:
        inert |= dict.fromkeys(_OF_PREDICTION, "where loss.pred is above 0")
    elif not config.predictor:
        inert["predictor.width"] = "with the predictor"
    if not passes.embedded:
        inert |= dict.fromkeys(_OF_HEADS, "where loss.ctr or loss.pred is above 0")
    elif one_layer:
        inert |= dict.fromkeys(("head.width", "head.norm"), "where head.depth is above 1")
    if not widths_differ:
        inert["mismatch"] = "where the feature widths of teacher and student differ"
    if BY_SLOW_STUDENT not in passes.encoders:
        inert["momentum.slow_student"] = "where the slow student encodes keys or targets"
    if BY_TEACHER not in passes.encoders:
        inert["momentum.teacher_head"] = "where the teacher encodes keys or targets"
    elif widths_differ and one_layer and config.mismatch == "matching-layers":
        inert["momentum.teacher_head"] = "where the heads have a layer of equal shape"
    return inert


def _canonical(job: JobConfig) -> Values:
    """Where m_r = 0 makes the slow student the student, say "student".

    Only where the student sees the view anyway: a pass of its own would move its running
    statistics, which the slow student's pass does not.
    """
    config, settings = CoCoRDConfig.from_settings(job.settings), dict(job.settings)
    if config.slow_momentum != 0:
        return settings
    seen = set(config.passes.embedded)
    if config.contrastive == BY_SLOW_STUDENT and config.contrastive_view in seen:
        settings["encoder.contrastive"] = BY_STUDENT
    directions = DIRECTIONS if config.direction == "both" else [config.direction]
    if config.cognate == BY_SLOW_STUDENT and {DIRECTIONS[one][1] for one in directions} <= seen:
        settings["encoder.cognate"] = BY_STUDENT
    return settings


def _upstream(job: JobConfig, recipe: Recipe) -> Mapping[str, JobConfig]:
    return upstream_of(job, recipe, CoCoRDConfig)


def _footnotes(job: JobConfig) -> Iterable[str]:
    config = CoCoRDConfig.from_settings(job.settings)
    if _widths_differ(job.networks):
        yield from _width_footnotes(job, config)
    if len(config.passes.directions) == 1:
        label = CoCoRDConfig.part("prediction.direction").describe(config.direction)
        views = {1: "one view", 2: "two views"}[len(config.passes.student)]
        yield f"{label}: the student learns from {views} of an image"
    data = known_data(job.data)
    if data and not data.flip:
        yield "views are not mirrored on this data set"
    if float(job.settings.get("val", 0)) > 0 and config.teacher_views:
        yield (
            "the images held out for validation are among those that the teacher was trained on, "
            "unless teacher.val holds them out there, too"
        )
    yield from classifier_footnotes(config)


def _width_footnotes(job: JobConfig, config: CoCoRDConfig) -> Iterable[str]:
    """How heads of different widths were made to match."""
    m_c = config.teacher_head_momentum
    if m_c == 1 and config.mismatch == "matching-layers":
        yield "m_c = 1 where feature widths differ, as published: the teacher head stays random"
        return
    rule = CoCoRDConfig.part("mismatch").describe(config.mismatch)
    yield f"mismatch rule where feature widths differ: {rule}"
    if m_c != 1 and "momentum.teacher_head" not in _inert(job):
        yield (
            f"m_c = {format_value(m_c)} also where feature widths differ; "
            "the paper freezes the teacher head there (m_c = 1)"
        )


#: Teachers and students of two families: equal widths first, then published pairs.
_ACROSS = (
    "wrn_40_1/resnet20",
    "resnet110/wrn_16_1",
    "ResNet50/vgg8",
    "resnet32x4/ShuffleV2",
    "vgg13/MobileNetV2",
    "wrn_40_2/ShuffleV1",
)

COCORD = Method(
    name="cocord",
    title="CoCoRD",
    program="ablate.training.cocord_step:train",
    parts=PARTS,
    metrics=METRICS,
    source="Fu, Yang, Yang: Contrastive Consistent Representation Distillation, BMVC 2023",
    baseline_for=_baseline_for,
    conflicts=_conflicts,
    inert=_inert,
    upstream=_upstream,
    seeds_share_upstream=True,
    footnotes=_footnotes,
    canonical=_canonical,
    upstream_parts=UPSTREAM_PARTS,
    usual_pairs=("resnet110/resnet32",),
    usual_profile_pairs={"quick": ("resnet14/resnet8",)},
    qualifiers=(
        Qualifier(
            words=("in cross-architecture distillation", "in cross-architecture KD",
                   "across architectures", "cross-architecture"),
            pairs=_ACROSS,
            profile_pairs={"quick": ("wrn_16_1/resnet8", "wrn_16_2/resnet8")},
        ),
    ),
)  # fmt: skip
COCORD_KD = COCORD.with_baseline("cocord+kd", "CoCoRD+KD", loss__kd=1.0)
