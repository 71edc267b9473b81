"""The shipped studies: what they plan under each profile, and rows that read like a paper's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from ablate.matrix.expand import expand
from ablate.matrix.plan import Matrix, Role
from ablate.methods.catalog import NETWORKS
from ablate.study.parse import read_study
from tests.matrix.study_lab import HEAD, ROOT, STUDIES, Lab, labels

MOST_QUICK_JOBS = 40  #: four minutes on two cores


def planned(lab: Lab, name: str, profile: str = "quick") -> Matrix:
    return expand(read_study(ROOT / "studies" / f"{name}.toml"), lab.settings, profile)


def test_every_study_that_was_promised_is_there() -> None:
    assert {path.stem for path in STUDIES} >= {
        "lpred_symmetry", "teacher_momentum_cross_arch",
        "encoder_combinations", "momentum_grid", "temperature", "dictionary_size", "loss_weights",
        "projection_head", "augmentation", "published_pairs", "mismatch_rule", "precision",
    }  # fmt: skip


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("overrides", [{}, {"epochs": 1}])
def test_every_study_expands_under_every_profile(
    lab: Lab, path: Path, overrides: dict[str, int]
) -> None:
    for profile in lab.settings.profiles:
        matrix = expand(read_study(path), lab.settings, profile, overrides)
        plan = matrix.plan
        assert plan.variants[0].role is Role.BASELINE
        assert len(plan.variants) > 1
        assert len(set(labels(matrix))) == len(plan.variants)
        assert plan.seeds[:3] == (0, 1, 2)
        rows = [job for job in plan.jobs if job.variant is not None]
        assert len(rows) == len(plan.variants) * len(plan.pairs) * len(plan.seeds)
        assert {job.id for job in plan.jobs} == matrix.configs.keys()
        assert {up for job in plan.jobs for up in job.upstream} <= matrix.configs.keys()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_quick_runs_are_small_and_on_embedded_data(lab: Lab, path: Path) -> None:
    matrix = expand(read_study(path), lab.settings, "quick")
    assert {config.data for config in matrix.configs.values()} == {"digits"}
    assert len(matrix.configs) <= MOST_QUICK_JOBS
    networks = {name for config in matrix.configs.values() for name in config.pair.split("/")}
    assert networks <= {"resnet8", "resnet14", "resnet8x4", "wrn_16_1", "wrn_16_2"}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lpred_symmetry",
         ["L_pred + L̃_pred, λ_pred = 4", "L_pred only", "L̃_pred only",
          "L_pred only, λ_pred = 8", "L̃_pred only, λ_pred = 8", "λ_pred = 2"]),
        ("teacher_momentum_cross_arch", ["m_c = 1", "m_c = 0.999"]),
        ("mismatch_rule",
         ["matching layers, m_c = 1", "matching layers, m_c = 0.999",
          "learned adapter, m_c = 0.999", "learned adapter, m_c = 1"]),
        ("temperature", ["τ = 0.1", "τ = 0.05", "τ = 0.07", "τ = 0.2", "τ = 0.5", "τ = 1"]),
        ("dictionary_size",
         ["N = 2048", "N = 512", "N = 1024", "N = 4096", "N = 8192", "N = 16384", "N = 50000"]),
        ("loss_weights",
         ["CoCoRD", "w/o L_ctr", "λ_ctr = 0.5", "λ_ctr = 2", "w/o L_cls", "λ_cls = 0.5",
          "λ_cls = 2", "w/o L_pred", "λ_pred = 2", "λ_pred = 8"]),
        ("projection_head",
         ["CoCoRD", "head depth = 1", "head depth = 3", "head width = 512", "head width = 1024",
          "head width = 4096", "layer normalisation in heads", "no normalisation in heads",
          "w/o predictor"]),
        ("augmentation",
         ["crop and flip", "no augmentation", "crop and flip, blur",
          "random-resized crop and flip", "crop and flip, colour jitter",
          "crop and flip, colour jitter, blur"]),
        ("precision", ["precision = fp32", "precision = bf16"]),
        ("published_pairs", ["CoCoRD", "Student", "KD", "CRD", "CRD+KD", "CoCoRD+KD"]),
    ],
)  # fmt: skip
def test_rows_read_like_a_papers(lab: Lab, name: str, rows: list[str]) -> None:
    assert labels(planned(lab, name, "paper")) == rows


def test_the_grids_have_all_their_cells(lab: Lab) -> None:
    encoders = planned(lab, "encoder_combinations", "paper").plan.variants
    assert len(encoders) == 9
    assert encoders[0].label == "contrastive encoder: teacher, cognate encoder: slow student"
    for profile, cells in (("quick", 9), ("paper", 25)):
        plan = planned(lab, "momentum_grid", profile).plan
        assert len(plan.variants) == cells
        assert plan.variants[0].label == "m_c = 0.999, m_r = 0.9"
        assert {"m_c = 0, m_r = 0", "m_c = 1, m_r = 1", "m_c = 0, m_r = 0.9"} <= {
            variant.label for variant in plan.variants
        }
    assert planned(lab, "momentum_grid", "paper").plan.pairs == ("resnet110/resnet32",)


RESNETS, ACROSS = "resnet110/resnet32", (
    "ResNet50/vgg8", "resnet32x4/ShuffleV2", "vgg13/MobileNetV2", "wrn_40_2/ShuffleV1"
)  # fmt: skip

#: Study -> row -> pairs on which the row follows the published recipe of CoCoRD to the letter. The
#: paper has m_c = 0.999 where feature widths agree and m_c = 1 where they differ; a study that
#: holds out images for validation trains on fewer and has no such row.
PUBLISHED = {
    "augmentation": {"crop and flip": (RESNETS,)},
    "dictionary_size": {},
    "encoder_combinations": {
        "contrastive encoder: teacher, cognate encoder: slow student": (RESNETS,)
    },
    "loss_weights": {},
    "lpred_symmetry": {"L_pred + L̃_pred, λ_pred = 4": (RESNETS,)},
    "mismatch_rule": {"matching layers, m_c = 1": ACROSS},
    "momentum_grid": {},
    "precision": {"precision = fp32": (RESNETS,)},
    "projection_head": {"CoCoRD": (RESNETS,)},
    "teacher_momentum_cross_arch": {
        "m_c = 0.999": (RESNETS, "wrn_40_1/resnet20", "resnet110/wrn_16_1"),
        "m_c = 1": ACROSS,
    },
    "temperature": {},
}


@pytest.mark.parametrize(("name", "expected"), PUBLISHED.items(), ids=PUBLISHED)
def test_published_values_stand_beside_rows_that_follow_the_recipe(
    lab: Lab, name: str, expected: dict[str, tuple[str, ...]]
) -> None:
    found = planned(lab, name, "paper").plan.published
    assert found == {row: dict.fromkeys(pairs, "CoCoRD") for row, pairs in expected.items()}
    assert planned(lab, name, "quick").plan.published == {}


def test_every_published_pair_runs_every_published_method(lab: Lab) -> None:
    plan = planned(lab, "published_pairs", "paper").plan
    assert plan.published == {
        title: dict.fromkeys(plan.pairs, title)
        for title in ("CoCoRD", "Student", "KD", "CRD", "CRD+KD", "CoCoRD+KD")
    }


@pytest.mark.parametrize(
    "overrides",
    [{"epochs": 3}, {"lr": 0.02}, {"loss.pred": 2}, {"teacher.epochs": 10}, {"data": "cifar10"},
     {"precision": "bf16"}, {"val": 0.1}],
)  # fmt: skip
def test_no_row_is_as_published_under_another_recipe(lab: Lab, overrides: dict[str, Any]) -> None:
    study = read_study(ROOT / "studies" / "projection_head.toml")
    assert expand(study, lab.settings, "paper", overrides).plan.published == {}


def test_how_it_is_computed_is_no_part_of_the_recipe(lab: Lab) -> None:
    study = read_study(ROOT / "studies" / "projection_head.toml")
    same: dict[str, Any] = {"deterministic": False, "teacher.table": "off", "teacher.seed": 3}
    assert list(expand(study, lab.settings, "paper", same).plan.published) == ["CoCoRD"]


def test_a_row_that_is_another_published_method_is_known_as_that(lab: Lab) -> None:
    text = HEAD.replace("resnet14/resnet8", RESNETS)
    text += '[[ablation]]\nablated_part = "loss.kd"\naction = "ADD"\n'
    assert lab.expand(text, "paper").plan.published == {
        "w/o L_kd": {RESNETS: "CoCoRD"}, "λ_kd = 1": {RESNETS: "CoCoRD+KD"},
    }  # fmt: skip


def test_the_control_of_the_mismatch_rule_shares_its_jobs(lab: Lab) -> None:
    """Rows under the rule "matching layers" on the pair that both have."""
    jobs, more = (
        planned(lab, name).configs for name in ("teacher_momentum_cross_arch", "mismatch_rule")
    )
    assert len(more.keys() - jobs.keys()) == 6, "two rows of the adapter, three seeds"


def test_the_prediction_loss_weighs_the_same_within_each_contrast(lab: Lab) -> None:
    plan = planned(lab, "lpred_symmetry").plan
    sums, directions = {}, {}
    for variant in plan.variants:
        settings = {**plan.baseline, **variant.changes}
        directions[variant.label] = settings["prediction.direction"]
        count = 2 if settings["prediction.direction"] == "both" else 1
        sums[variant.label] = count * float(settings["loss.pred"])
    equal, half, weight, direction = plan.contrasts
    for contrast, total in ((equal, 8), (half, 4)):
        assert {sums[row] for row in (*contrast.rows, *contrast.against)} == {total}
        assert {directions[row] for row in contrast.against} == {"both"}
    assert ({sums[row] for row in weight.rows}, {sums[row] for row in weight.against}) == ({8}, {4})
    assert sorted(directions[row] for row in weight.rows) == sorted(directions.values())[::2]
    assert {directions[row] for row in direction.rows} == {"pred_sym"}
    assert {directions[row] for row in direction.against} == {"pred"}


def test_one_direction_says_how_many_views_it_learns_from(lab: Lab) -> None:
    notes = " ".join(planned(lab, "lpred_symmetry").plan.footnotes)
    assert "L_pred only: the student learns from one view" in notes
    assert "L̃_pred only: the student learns from two views" in notes


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_momentum_across_architectures_separates_momentum_from_the_rule(
    lab: Lab, profile: str
) -> None:
    plan = planned(lab, "teacher_momentum_cross_arch", profile).plan
    assert plan.baseline["momentum.teacher_head"] == 1.0
    assert plan.baseline["mismatch"] == "matching-layers"
    assert any("mismatch rule" in note for note in plan.footnotes)
    differ = {pair: len({NETWORKS[name] for name in pair.split("/")}) == 2 for pair in plan.pairs}
    assert set(differ.values()) == {True, False}
    for group in plan.pair_groups:
        assert {differ[pair] for pair in group.pairs} == {"unequal" in group.name}


@pytest.mark.parametrize(
    "name", ["temperature", "dictionary_size", "momentum_grid", "loss_weights"]
)
def test_sweeps_choose_on_images_held_out(lab: Lab, name: str) -> None:
    plan = planned(lab, name, "paper").plan
    assert plan.baseline["val"] == 0.1
    assert any("held out for validation" in note for note in plan.footnotes)
    assert plan.answers.startswith("own grid")


def test_the_row_without_labels_is_known_for_what_it_is(lab: Lab) -> None:
    def notes(name: str) -> list[str]:
        return [note for note in planned(lab, name).plan.footnotes if "classifier" in note]

    assert len(notes("loss_weights")) == 1
    assert notes("temperature") == []


def test_published_pairs_are_all_of_them_and_no_others(lab: Lab) -> None:
    with (ROOT / "ablate" / "report" / "tables" / "published.csv").open(encoding="utf-8") as file:
        published = {f"{row['teacher']}/{row['student']}" for row in csv.DictReader(file)}
    plan = planned(lab, "published_pairs", "paper").plan
    assert set(plan.pairs) == published
    assert len(plan.pairs) == len(published) == 13
    networks = {job.pair for job in plan.jobs if job.kind == "teacher"}
    assert networks == {pair.partition("/")[0] for pair in published}


def test_the_paper_profile_is_the_published_recipe(lab: Lab) -> None:
    matrix = planned(lab, "published_pairs", "paper")
    assert matrix.plan.data == "CIFAR-100"
    for config in matrix.configs.values():
        if config.kind == "teacher_table":
            continue
        s = config.settings
        small = config.networks.get("student") in ("MobileNetV2", "ShuffleV1", "ShuffleV2")
        assert (s["epochs"], s["batch_size"], s["lr"]) == (240, 64, 0.01 if small else 0.05)


def test_what_quick_cannot_run_is_left_out_and_said(lab: Lab) -> None:
    plan = planned(lab, "augmentation").plan
    assert not [v for v in plan.variants if "jitter" in str(v.changes)]
    assert (
        "left out under profile quick: crop and flip, colour jitter; "
        "crop and flip, colour jitter, blur" in plan.footnotes
    )
