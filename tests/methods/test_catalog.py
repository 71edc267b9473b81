"""The package's own methods: what the plan names is a part, and what each declaration says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ablate.methods.catalog import DATASETS, NETWORKS
from ablate.methods.method import Method, NotFoundError
from ablate.methods.metrics import COSTS, Metric
from ablate.methods.parts import Part, Range, plain
from ablate.methods.registry import BUILT_IN, find_method
from ablate.methods.session import JobConfig
from ablate.methods.teachers import TEACHER, table_mib, teacher_of
from tests.naming import missing_from

COCORD = BUILT_IN["cocord"]


def job(method: str = "cocord", pair: str = "resnet14/resnet8", **changes: Any) -> JobConfig:
    """A job of a built-in method on digits; double underscores stand for dots in parts."""
    teacher, _, student = pair.partition("/")
    declared = BUILT_IN[method]
    named = {"teacher": teacher, "student": student}
    networks = {role: named[role] for role in declared.roles}
    settings = declared.baseline(networks)
    settings |= {name.replace("__", "."): value for name, value in changes.items()}
    return JobConfig(declared.kind, method, declared.program, 0, settings, networks, "digits")


def test_what_plan_and_paper_ablate_is_a_part() -> None:
    assert {part.name for part in COCORD.parts} >= {
        "prediction.direction", "loss.ctr", "loss.cls", "loss.pred", "loss.kd", "temperature",
        "dictionary.size", "momentum.teacher_head", "momentum.slow_student", "mismatch",
        "encoder.contrastive", "encoder.cognate", "head.depth", "head.width", "head.norm",
        "predictor.enabled", "views.augmentation", "batch_size", "lr",
    }  # fmt: skip


def test_baselines_are_the_published_ones() -> None:
    values = COCORD.baseline({"teacher": "resnet110", "student": "resnet32"})
    published = {
        "temperature": 0.1, "dictionary.size": 2048, "momentum.teacher_head": 0.999,
        "momentum.slow_student": 0.9, "head.width": 2048, "head.embedding": 2048,
        "predictor.width": 512, "loss.ctr": 1.0, "loss.cls": 1.0, "loss.pred": 4.0, "loss.kd": 0.0,
        "prediction.direction": "both", "epochs": 240, "batch_size": 64, "lr": 0.05,
        "weight_decay": 5e-4, "sgd_momentum": 0.9, "mismatch": "matching-layers",
        "encoder.contrastive": "teacher", "encoder.cognate": "slow_student",
    }  # fmt: skip
    assert {name: values[name] for name in published} == published


@pytest.mark.parametrize("student", ["MobileNetV2", "ShuffleV1", "ShuffleV2"])
@pytest.mark.parametrize("method", ["cocord", "cocord+kd", "kd", "crd", "student"])
def test_small_students_learn_at_a_fifth_of_the_rate(method: str, student: str) -> None:
    assert BUILT_IN[method].baseline({"teacher": "vgg13", "student": student})["lr"] == 0.01
    assert BUILT_IN[method].baseline({"teacher": "MobileNetV2", "student": "vgg8"})["lr"] == 0.05


def test_adding_kd_is_the_only_difference_of_cocord_kd() -> None:
    one, other = (
        BUILT_IN[n].baseline({"teacher": "vgg13", "student": "vgg8"})
        for n in ("cocord", "cocord+kd")
    )
    assert {n for n in one if one[n] != other[n]} == {"loss.kd"}
    assert BUILT_IN["cocord+kd"].title == "CoCoRD+KD"


@pytest.mark.parametrize("method", BUILT_IN)
def test_methods_are_found_by_the_name_they_have(method: str) -> None:
    assert find_method(method).name == method


def test_titles_tell_methods_apart() -> None:
    titles = [method.title for method in BUILT_IN.values()]
    assert sorted(titles) == ["CRD", "CRD+KD", "CoCoRD", "CoCoRD+KD", "KD", "Student", "Teacher"]


def test_an_unknown_part_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(NotFoundError) as caught:
        COCORD.part("temprature")
    assert missing_from(caught.value.message, '"temprature"', "cocord") == []
    assert '"temperature"' in caught.value.right


def test_a_method_declares_each_part_once() -> None:
    part = Part("a", "a", "a", 1, Range(0))
    with pytest.raises(ValueError, match="method m declares a part twice: a"):
        Method("m", "M", "train", (part, part))


def test_another_baseline_must_be_of_a_part_and_allowed() -> None:
    with pytest.raises(ValueError, match=r'no part "loss\.kdd"'):
        COCORD.with_baseline("x", "X", loss__kdd=1.0)
    with pytest.raises(ValueError, match=r"loss\.kd: baseline = -1 is not allowed"):
        COCORD.with_baseline("x", "X", loss__kd=-1.0)


def test_a_wrong_baseline_for_a_pair_is_an_error() -> None:
    wrong = replace(COCORD, baseline_for=lambda _networks: {"lr": -1})
    with pytest.raises(ValueError, match="number above 0"):
        wrong.baseline({"teacher": "vgg13", "student": "vgg8"})


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Top-1 accuracy (%)", "top1"),
        ("top1", "top1"),
        ("TOP-1 Accuracy(%)", "top1"),
        ("L̃_pred", "loss_pred_sym"),
        ("Training time (s)", "train_seconds"),
        ("Top-1 Accuracy", "top1"),
    ],
)
def test_metrics_are_found_in_the_words_of_plans(words: str, name: str) -> None:
    assert COCORD.metric(words).name == name


def test_metric_names_and_labels_are_told_apart() -> None:
    for metric in (*COCORD.metrics, *COSTS):
        assert {COCORD.metric(word) for word in metric.words()} == {metric}


def test_a_metric_that_the_method_does_not_declare_is_named_with_the_closest() -> None:
    with pytest.raises(NotFoundError, match=r'declares no metric "topp1".*"top1"'):
        COCORD.metric("topp1")
    with pytest.raises(NotFoundError, match="L_crd"):
        BUILT_IN["student"].metric("L_crds")


def test_metrics_come_back_from_json_as_they_were() -> None:
    for metric in (*COCORD.metrics, *COSTS):
        assert Metric.from_json(json.loads(json.dumps(metric.to_json()))) == metric


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, True),
        ({"loss__ctr": 0.0}, False),
        ({"loss__ctr": 0.0, "loss__kd": 1.0}, True),
        ({"encoder__contrastive": "student"}, False),
        ({"encoder__contrastive": "student", "encoder__cognate": "teacher"}, True),
        ({"loss__ctr": 0.0, "loss__pred": 0.0, "encoder__cognate": "teacher"}, False),
    ],
)
def test_the_teacher_is_needed_where_a_loss_looks_at_it(
    changes: dict[str, Any], needed: bool
) -> None:
    made = job(**changes)
    assert ("teacher" in COCORD.upstream(made, lambda m, n: m.baseline({"teacher": n}))) is needed


def test_a_teacher_depends_on_nothing_that_a_variant_sets() -> None:
    changes: dict[str, Any] = {
        "lr": 0.3, "batch_size": 8, "epochs": 3, "views__augmentation": "none",
        "weight_decay": 0.0, "precision": "bf16", "temperature": 1.0,
    }  # fmt: skip
    one, other = (
        COCORD.upstream(made, lambda m, n: m.baseline({"teacher": n}))["teacher"]
        for made in (job(), job(**changes))
    )
    assert one == other
    assert set(one.settings) == {part.name for part in TEACHER.parts}


@pytest.mark.parametrize("method", sorted(BUILT_IN))
def test_seeds_that_are_said_to_share_upstream_work_do(method: str) -> None:
    declared = BUILT_IN[method]
    on: dict[str, Any] = {"loss__kd": 1.0} if declared.has_part("loss.kd") else {}
    made = job(method, **on)
    each = [
        declared.upstream(replace(made, seed=seed), lambda m, n: m.baseline({"teacher": n}))
        for seed in (0, 7)
    ]
    assert declared.seeds_share_upstream == bool(each[0]), "asked per seed for nothing"
    assert each[0] == each[1]


def test_a_teachers_seed_is_a_part() -> None:
    made = job(teacher__seed=7)
    assert teacher_of(made, lambda m, n: m.baseline({"teacher": n})).seed == 7


def test_tables_are_made_where_views_are_few_and_fit() -> None:
    def roles(**changes: Any) -> set[str]:
        return set(COCORD.upstream(job(**changes), lambda m, n: m.baseline({"teacher": n})))

    assert roles() == {"teacher", "teacher_table"}
    assert roles(views__augmentation="none") == {"teacher", "teacher_table"}
    assert roles(views__augmentation="crop-flip-blur") == {"teacher"}
    assert roles(teacher__table="off") == {"teacher"}
    assert roles(epochs=9) == {"teacher", "teacher_table"}
    assert roles(epochs=8) == {"teacher"}, "nine views of each image would not pay"
    assert roles(epochs=8, teacher__table="on") == {"teacher", "teacher_table"}
    assert roles(teacher__table_limit_mib=1) == {"teacher"}
    cifar = DATASETS["cifar100"]
    assert table_mib(cifar, "resnet110", "crop-flip") == pytest.approx(
        50_000 * 162 * 64 * 4 / 2**20
    )
    assert table_mib(cifar, "resnet110", "none") == pytest.approx(50_000 * 64 * 4 / 2**20)


@pytest.mark.parametrize(
    ("method", "pair", "changes", "conflict"),
    [
        ("cocord", "resnet14/resnet8", {}, None),
        ("cocord", "resnet14/resnet8", {"batch_size": 4096}, "batch_size"),
        ("cocord", "resnet14/resnet8", {"batch_size": 4096, "loss__ctr": 0.0}, None),
        ("cocord", "resnet14/resnet8", {"dictionary__size": 63}, "batch_size"),
        ("cocord", "resnet14/resnet8", {"dictionary__size": 64}, None),
        ("cocord", "resnet14/resnet8", {"views__augmentation": "crop-flip-jitter"},
         "views.augmentation"),
        ("student", "/resnet8", {"views__augmentation": "crop-flip-jitter-blur"},
         "views.augmentation"),
        ("cocord", "resnet14/resnet8",
         {"encoder__contrastive": "student", "encoder__contrastive_view": "q"},
         "encoder.contrastive_view"),
        ("cocord", "resnet14/resnet8",
         {"encoder__contrastive": "slow_student", "encoder__contrastive_view": "q"}, None),
        ("cocord", "resnet14/resnet8",
         {"encoder__contrastive": "slow_student", "encoder__contrastive_view": "q",
          "momentum__slow_student": 0.0}, "encoder.contrastive_view"),
        ("cocord", "resnet14/resnet8",
         {"loss__ctr": 0.0, "loss__cls": 0.0, "loss__pred": 0.0}, "loss.cls"),
        ("kd", "resnet14/resnet8", {"loss__cls": 0.0, "loss__kd": 0.0}, "loss.cls"),
        ("crd", "resnet14/resnet8", {"loss__cls": 0.0, "loss__crd": 0.0}, "loss.cls"),
        ("crd", "resnet14/resnet8", {"loss__cls": 0.0}, None),
        ("cocord", "resnet14/resnet8",
         {"views__augmentation": "none", "encoder__contrastive": "student"}, "views.augmentation"),
        ("cocord", "resnet14/resnet8",
         {"views__augmentation": "none", "encoder__contrastive": "slow_student",
          "momentum__slow_student": 0.0}, "views.augmentation"),
        ("cocord", "resnet14/resnet8",
         {"views__augmentation": "none", "encoder__contrastive": "slow_student"}, None),
        ("cocord", "resnet14/resnet8",
         {"views__augmentation": "none", "encoder__contrastive": "student", "loss__ctr": 0.0},
         None),
        ("cocord", "resnet14/resnet8", {"teacher__table": "on"}, None),
        ("cocord", "resnet14/resnet8",
         {"teacher__table": "on", "views__augmentation": "crop-flip-blur"}, "teacher.table"),
        ("cocord", "resnet14/resnet8",
         {"teacher__table": "on", "views__augmentation": "crop-flip-blur", "loss__ctr": 0.0}, None),
        ("kd", "resnet14/resnet8",
         {"teacher__table": "on", "views__augmentation": "crop-flip-blur"}, "teacher.table"),
    ],
)  # fmt: skip
def test_conflicts(method: str, pair: str, changes: dict[str, Any], conflict: str | None) -> None:
    found = [c.part for c in BUILT_IN[method].conflicts(job(method, pair, **changes))]
    assert found == ([conflict] if conflict else [])


NO_CTR, NO_PRED = {"loss__ctr": 0.0}, {"loss__pred": 0.0}
TEACHERS = {"teacher.seed", "teacher.table", "teacher.table_limit_mib"}
CONTRAST = {"temperature", "dictionary.size", "encoder.contrastive", "encoder.contrastive_view"}
PREDICTION = {"prediction.direction", "encoder.cognate", "predictor.enabled", "predictor.width"}
HEADS = {"head.depth", "head.width", "head.embedding", "head.norm", "mismatch"}
TABLE = {"teacher.table", "teacher.table_limit_mib"}  # as chosen by themselves
ALWAYS = {"kd.temperature", "mismatch"} | TABLE  # without KD, at equal widths
VIEW = "encoder.contrastive_view"
NO_VIEWS = {"views__augmentation": "none"}


@pytest.mark.parametrize(
    ("method", "pair", "changes", "inert"),
    [
        ("cocord", "resnet14/resnet8", {}, ALWAYS),
        ("cocord", "resnet8x4/resnet8", {}, {"kd.temperature"} | TABLE),
        ("cocord+kd", "resnet8x4/resnet8", {}, TABLE),
        ("cocord", "resnet14/resnet8", {"epochs": 1}, ALWAYS | {"lr_schedule"}),
        ("cocord", "resnet14/resnet8", NO_VIEWS, ALWAYS | {VIEW}),
        ("cocord", "resnet14/resnet8", {**NO_VIEWS, "encoder__contrastive": "slow_student"},
         ALWAYS | TEACHERS | {VIEW, "momentum.teacher_head"}),
        ("cocord", "resnet14/resnet8", NO_CTR,
         ALWAYS | CONTRAST | TEACHERS | {"momentum.teacher_head"}),
        ("cocord", "resnet14/resnet8", NO_PRED, ALWAYS | PREDICTION | {"momentum.slow_student"}),
        ("cocord", "resnet14/resnet8", {**NO_CTR, **NO_PRED, "loss__kd": 1.0},
         CONTRAST | PREDICTION | HEADS | TABLE
         | {"momentum.slow_student", "momentum.teacher_head"}),
        ("cocord", "resnet14/resnet8", {"predictor__enabled": False},
         ALWAYS | {"predictor.width"}),
        ("cocord", "resnet14/resnet8", {"head__depth": 1}, ALWAYS | {"head.width", "head.norm"}),
        ("cocord", "resnet8x4/resnet8", {"head__depth": 1},
         {"kd.temperature", "head.width", "head.norm", "momentum.teacher_head"} | TABLE),
        ("cocord", "resnet8x4/resnet8", {"head__depth": 1, "mismatch": "adapter"},
         {"kd.temperature", "head.width", "head.norm"} | TABLE),
        ("cocord", "resnet14/resnet8", {"encoder__cognate": "student"},
         ALWAYS | {"momentum.slow_student"}),
        ("cocord", "resnet14/resnet8", {"encoder__contrastive": "slow_student", **NO_PRED},
         ALWAYS | PREDICTION | TEACHERS | {"momentum.teacher_head"}),
        ("kd", "resnet14/resnet8", {}, TABLE),
        ("kd", "resnet14/resnet8", {"teacher__table": "on"}, TABLE),
        ("kd", "resnet14/resnet8", {"teacher__table": "off"}, {"teacher.table_limit_mib"}),
        ("kd", "resnet14/resnet8", {"teacher__table_limit_mib": 1}, {"teacher.table"}),
        ("kd", "resnet14/resnet8", {"epochs": 8}, TABLE),
        ("kd", "resnet14/resnet8", {"epochs": 8, "teacher__table": "on"},
         {"teacher.table_limit_mib"}),
        ("kd", "resnet14/resnet8", {"views__augmentation": "crop-flip-blur"}, TABLE),
        ("kd", "resnet14/resnet8", {"loss__kd": 0.0}, TEACHERS | {"kd.temperature"}),
        ("crd", "resnet14/resnet8", {}, {"kd.temperature"} | TABLE),
        ("crd", "resnet14/resnet8", {"loss__crd": 0.0},
         TEACHERS | {"kd.temperature", "crd.temperature", "crd.negatives", "crd.momentum",
                     "crd.embedding"}),
        ("student", "/resnet8", {"epochs": 1}, {"lr_schedule"}),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_known(
    method: str, pair: str, changes: dict[str, Any], inert: set[str]
) -> None:
    inert = inert | {"fast"}  # a path that is equal to the bit is no other computation
    assert set(BUILT_IN[method].inert(job(method, pair, **changes))) == inert
    tolerant = job(method, pair, **changes, fast="tolerance")
    assert "fast" not in BUILT_IN[method].inert(tolerant)


def test_footnotes_name_the_mismatch_rule_where_widths_differ() -> None:
    def notes(pair: str, **changes: Any) -> list[str]:
        return [n for n in COCORD.footnotes(job(pair=pair, **changes)) if "mismatch" in n]

    assert notes("resnet14/resnet8") == []
    assert notes("resnet8x4/resnet8", mismatch="adapter") == [
        "mismatch rule where feature widths differ: learned adapter"
    ]


def test_footnotes_say_where_the_paper_freezes_the_teacher_head() -> None:
    def notes(pair: str = "resnet8x4/resnet8", **changes: Any) -> list[str]:
        return [n for n in COCORD.footnotes(job(pair=pair, **changes)) if "freezes" in n]

    (note,) = notes(momentum__teacher_head=0.999)
    assert note.startswith("m_c = 0.999 also where feature widths differ")
    assert notes("resnet14/resnet8") == []
    assert notes() == [], "the baseline freezes it, too"
    assert notes(momentum__teacher_head=0.999, loss__ctr=0.0) == [], "nobody looks at it"


@pytest.mark.parametrize(
    ("pair", "m_c"),
    [("resnet110/resnet32", 0.999), ("wrn_40_1/resnet20", 0.999), ("wrn_40_2/wrn_40_1", 1.0),
     ("resnet32x4/ShuffleV2", 1.0), ("ResNet50/vgg8", 1.0)],
)  # fmt: skip
def test_the_teacher_head_is_frozen_where_widths_differ_as_published(pair: str, m_c: float) -> None:
    assert job(pair=pair).settings["momentum.teacher_head"] == m_c
    assert job("cocord+kd", pair).settings["momentum.teacher_head"] == m_c


def test_one_direction_says_from_how_many_views_the_student_learns() -> None:
    def notes(direction: str) -> list[str]:
        return [n for n in COCORD.footnotes(job(prediction__direction=direction)) if "learns" in n]

    assert notes("both") == []
    assert [("one view" in n, "two views" in n) for n in notes("pred")] == [(True, False)]
    assert [("one view" in n, "two views" in n) for n in notes("pred_sym")] == [(False, True)]


@pytest.mark.parametrize("method", BUILT_IN.values(), ids=lambda method: method.name)
def test_names_and_aliases_of_parts_are_told_apart(method: Method) -> None:
    whole: dict[str, str] = {}
    for part in method.parts:
        for word in {plain(word) for word in (part.name, *part.words())}:
            assert whole.setdefault(word, part.name) == part.name, word


@pytest.mark.parametrize("method", ["cocord", "crd"])
def test_footnotes_say_that_nothing_trains_the_classifier(method: str) -> None:
    def notes(**changes: Any) -> list[str]:
        return [n for n in BUILT_IN[method].footnotes(job(method, **changes)) if "classifier" in n]

    assert notes() == []
    assert notes(loss__cls=0.0, loss__kd=1.0) == []
    (note,) = notes(loss__cls=0.0)
    assert note.startswith("where neither L_cls nor L_kd counts, no gradient reaches")


def test_every_published_network_is_in_the_catalogue() -> None:
    assert {"resnet110", "wrn_40_2", "vgg13", "ResNet50", "MobileNetV2", "ShuffleV2"} <= set(
        NETWORKS
    )
