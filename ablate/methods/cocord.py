"""CoCoRD as a method: its parts, in the paper's notation.

Fu, Yang, Yang: Contrastive Consistent Representation Distillation, BMVC 2023.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ablate.methods.catalog import NETWORKS, known_data
from ablate.methods.method import Conflict, Method
from ablate.methods.parts import Choice, Part, Range, Value, Values, format_value
from ablate.methods.recipe import AUGMENTATION, ON_OFF, RECIPE, recipe_for
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE, JobConfig
from ablate.methods.teachers import (
    METRICS,
    TEACHER_PARTS,
    UPSTREAM_PARTS,
    classifier_footnotes,
    counts,
    distillation_inert,
    encodes,
    jitter_conflicts,
    no_loss_conflicts,
    table_conflicts,
    upstream_of,
)

_ENCODERS = Choice(("teacher", "student", "slow_student"))
_MOMENTUM = Range(0, 1)
_WEIGHT = Range(0, 1e6)
_WIDTH = Range(1, 65_536, whole=True)

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

#: Direction of the prediction loss -> views that predict, and views that are predicted.
_PREDICTING = {"both": {"q", "k"}, "pred": {"q"}, "pred_sym": {"k"}}
_PREDICTED = {"both": {"q", "k"}, "pred": {"k"}, "pred_sym": {"q"}}


def _encoder_labels(role: str) -> dict[Value, str]:
    """Labels such as "cognate encoder: slow student"."""
    return {name: f"{role}: {str(name).replace('_', ' ')}" for name in _ENCODERS.values}


PARTS: tuple[Part, ...] = (
    Part(
        "prediction.direction",
        "symmetrization of the prediction loss",
        "",
        "both",
        Choice(("both", "pred", "pred_sym")),
        value_labels={
            "both": "L_pred + L̃_pred",
            "pred": "L_pred only",
            "pred_sym": "L̃_pred only",
        },
        off="pred",
        help="which view predicts which: k from q (pred), q from k (pred_sym), or both",
    ),
    Part("loss.ctr", "weight of the contrastive loss", "λ_ctr", 1.0, _WEIGHT,
         off=0.0, off_label="w/o L_ctr"),
    Part("loss.cls", "weight of the classification loss", "λ_cls", 1.0, _WEIGHT,
         off=0.0, off_label="w/o L_cls"),
    Part("loss.pred", "weight of the prediction loss", "λ_pred", 4.0, _WEIGHT,
         off=0.0, off_label="w/o L_pred"),
    Part("loss.kd", "weight of Hinton's distillation loss", "λ_kd", 0.0, _WEIGHT,
         off=0.0, off_label="w/o L_kd", on=1.0),
    Part("kd.temperature", "temperature of Hinton's distillation loss", "T", 4.0,
         Range(0, 1000, open_low=True)),
    Part("temperature", "temperature of the contrastive loss", "τ", 0.1,
         Range(0, 1000, open_low=True)),
    Part("dictionary.size", "size of the dictionary", "N", 2048,
         Range(1, 10_000_000, whole=True)),
    Part("momentum.teacher_head", "momentum update of the teacher projection head", "m_c", 0.999,
         _MOMENTUM, off=1.0, help="0: a copy of the student head, 1: frozen"),
    Part("momentum.slow_student", "momentum update of the slow student", "m_r", 0.9,
         _MOMENTUM, off=0.0, help="0: a copy of the student, 1: frozen"),
    Part(
        "mismatch",
        "rule where the feature widths of teacher and student differ",
        "mismatch",
        "matching-layers",
        Choice(("matching-layers", "adapter")),
        value_labels={"matching-layers": "matching layers", "adapter": "learned adapter"},
        help="matching-layers: momentum on the head's layers of equal shape, the first Linear "
        "stays random and frozen; adapter: a learned linear map takes student features to the "
        "teacher's width, so that the whole head matches",
    ),
    Part("encoder.contrastive", "encoder of the dictionary", "contrastive encoder", "teacher",
         _ENCODERS, value_labels=_encoder_labels("contrastive encoder")),
    Part("encoder.cognate", "encoder of the prediction's target", "cognate encoder",
         "slow_student", _ENCODERS, value_labels=_encoder_labels("cognate encoder")),
    Part(
        "encoder.contrastive_view",
        "view that the contrastive encoder sees",
        "contrastive view",
        "t",
        Choice(("t", "k", "q")),
    ),
    Part("head.depth", "depth of the projection heads", "head depth", 2, Range(1, 6, whole=True),
         help="number of linear layers"),
    Part("head.width", "hidden width of the projection heads", "head width", 2048, _WIDTH),
    Part("head.embedding", "width of the embedding", "embedding", 2048, _WIDTH),
    Part("head.norm", "normalisation in the projection heads", "head norm", "batch",
         Choice(("batch", "layer", "none")), off="none",
         value_labels={"batch": "batch normalisation in heads",
                       "layer": "layer normalisation in heads",
                       "none": "no normalisation in heads"}),
    Part("predictor.enabled", "predictor", "predictor", True, ON_OFF,
         value_labels={True: "with predictor", False: "w/o predictor"}, off=False),
    Part("predictor.width", "hidden width of the predictor", "predictor width", 512, _WIDTH),
    *RECIPE,
    *TEACHER_PARTS,
)  # fmt: skip


def _conflicts(job: JobConfig) -> Iterable[Conflict]:
    s = job.settings
    contrast = counts(s, "loss.ctr")
    yield from no_loss_conflicts(job)
    if contrast and int(s["batch_size"]) > int(s["dictionary.size"]):
        yield Conflict(
            "batch_size",
            f"a batch of {s['batch_size']} keys does not fit the dictionary of "
            f"{s['dictionary.size']}",
            f"at most {s['dictionary.size']}, or a larger dictionary.size",
        )
    if contrast and _is_student(s):
        if s["encoder.contrastive_view"] == "q":
            yield Conflict(
                "encoder.contrastive_view",
                "the student's key for view q is the query itself, so the positive is always 1",
                'view "t" or "k"',
            )
        elif s[AUGMENTATION.name] == "none":
            yield Conflict(
                AUGMENTATION.name,
                "without augmentation all views are one, so the student's key is the query itself "
                "and the positive is always 1",
                'views that differ, or encoder.contrastive = "teacher"',
            )
    yield from jitter_conflicts(job)
    yield from table_conflicts(job)


def _widths_differ(networks: Mapping[str, str]) -> bool:
    """Whether teacher and student have features of different widths."""
    return NETWORKS.get(networks[TEACHER_ROLE]) != NETWORKS.get(networks[STUDENT_ROLE])


def _is_student(settings: Values) -> bool:
    """Whether the contrastive encoder has the student's weights."""
    encoder = settings["encoder.contrastive"]
    copied = encoder == "slow_student" and float(settings["momentum.slow_student"]) == 0
    return encoder == "student" or copied


def _inert(job: JobConfig) -> dict[str, str]:
    """Parts that change nothing that this job computes -> when they would count."""
    s, inert = job.settings, distillation_inert(job)
    contrast, predicts = counts(s, "loss.ctr"), counts(s, "loss.pred")
    widths_differ = _widths_differ(job.networks)
    one_layer = int(s["head.depth"]) == 1
    if not contrast:
        inert |= dict.fromkeys(_OF_CONTRAST, "where loss.ctr is above 0")
    elif s[AUGMENTATION.name] == "none":
        inert["encoder.contrastive_view"] = "where views differ"
    if not predicts:
        inert |= dict.fromkeys(_OF_PREDICTION, "where loss.pred is above 0")
    elif not s["predictor.enabled"]:
        inert["predictor.width"] = "with the predictor"
    if not (contrast or predicts):
        inert |= dict.fromkeys(_OF_HEADS, "where loss.ctr or loss.pred is above 0")
    elif one_layer:
        inert |= dict.fromkeys(("head.width", "head.norm"), "where head.depth is above 1")
    if not widths_differ:
        inert["mismatch"] = "where the feature widths of teacher and student differ"
    if not encodes(s, "slow_student"):
        inert["momentum.slow_student"] = "where the slow student encodes keys or targets"
    if not encodes(s, "teacher"):
        inert["momentum.teacher_head"] = "where the teacher encodes keys or targets"
    elif widths_differ and one_layer and s["mismatch"] == "matching-layers":
        inert["momentum.teacher_head"] = "where the heads have a layer of equal shape"
    return inert


def _canonical(job: JobConfig) -> Values:
    """Where m_r = 0 makes the slow student the student, say "student".

    Only where the student sees the view anyway: a pass of its own would move its running
    statistics, which the slow student's pass does not.
    """
    s = dict(job.settings)
    if float(s["momentum.slow_student"]) != 0:
        return s
    seen = _embedded_views(s)
    if s["encoder.contrastive"] == "slow_student" and s["encoder.contrastive_view"] in seen:
        s["encoder.contrastive"] = "student"
    targets = _PREDICTED[str(s["prediction.direction"])]
    if s["encoder.cognate"] == "slow_student" and targets <= seen:
        s["encoder.cognate"] = "student"
    return s


def _embedded_views(settings: Values) -> set[str]:
    """Views of which the student's embedding is learned."""
    views = {"q"} if counts(settings, "loss.ctr") else set()
    if counts(settings, "loss.pred"):
        views |= _PREDICTING[str(settings["prediction.direction"])]
    return views


def _footnotes(job: JobConfig) -> Iterable[str]:
    if _widths_differ(job.networks):
        rule = next(part for part in PARTS if part.name == "mismatch")
        chosen = rule.describe(job.settings[rule.name])
        yield f"mismatch rule where feature widths differ: {chosen}"
        m_c = job.settings["momentum.teacher_head"]
        if float(m_c) != 1 and "momentum.teacher_head" not in _inert(job):
            yield (
                f"m_c = {format_value(m_c)} also where feature widths differ; "
                "the paper freezes the teacher head there (m_c = 1)"
            )
    data = known_data(job.data)
    if data and not data.flip:
        yield "views are not mirrored on this data set"
    yield from classifier_footnotes(job)


COCORD = Method(
    name="cocord",
    title="CoCoRD",
    program="ablate.training.programs:distill",
    parts=PARTS,
    metrics=METRICS,
    source="Fu, Yang, Yang: Contrastive Consistent Representation Distillation, BMVC 2023",
    baseline_for=recipe_for,
    conflicts=_conflicts,
    inert=_inert,
    upstream=upstream_of,
    footnotes=_footnotes,
    canonical=_canonical,
    upstream_parts=UPSTREAM_PARTS,
)
COCORD_KD = COCORD.with_baseline("cocord+kd", "CoCoRD+KD", loss__kd=1.0)
