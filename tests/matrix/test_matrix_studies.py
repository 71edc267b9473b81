"""The shipped studies: what they plan under each profile, and rows that read like a paper's."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from study_lab import ROOT, STUDIES, Lab, labels

from ablate.matrix.expand import expand
from ablate.matrix.plan import Matrix, Role
from ablate.study.parse import read_study

MOST_QUICK_JOBS = 35  #: four minutes on two cores


def planned(lab: Lab, name: str, profile: str = "quick") -> Matrix:
    return expand(read_study(ROOT / "studies" / f"{name}.toml"), lab.settings, profile)


def test_every_study_that_was_promised_is_there() -> None:
    assert {path.stem for path in STUDIES} >= {
        "lpred_symmetry", "lpred_matched_weight", "teacher_momentum_cross_arch",
        "encoder_combinations", "momentum_grid", "temperature", "dictionary_size", "loss_weights",
        "projection_head", "augmentation", "published_pairs", "mismatch_rule",
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
    assert networks <= {"resnet8", "resnet14", "resnet8x4"}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("lpred_symmetry", ["L_pred + L̃_pred", "L_pred only", "L̃_pred only"]),
        ("lpred_matched_weight",
         ["L_pred + L̃_pred, λ_pred = 4", "L_pred only, λ_pred = 4", "L̃_pred only, λ_pred = 4",
          "L_pred only, λ_pred = 8", "L̃_pred only, λ_pred = 8"]),
        ("teacher_momentum_cross_arch", ["m_c = 0.999", "m_c = 1"]),
        ("mismatch_rule",
         ["matching layers, m_c = 0.999", "matching layers, m_c = 1",
          "learned adapter, m_c = 0.999", "learned adapter, m_c = 1"]),
        ("temperature", ["τ = 0.1", "τ = 0.05", "τ = 0.2", "τ = 0.5", "τ = 1"]),
        ("dictionary_size",
         ["N = 2048", "N = 512", "N = 1024", "N = 4096", "N = 8192", "N = 16384"]),
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
        ("published_pairs", ["CoCoRD", "Student", "KD", "CRD", "CoCoRD+KD"]),
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


@pytest.mark.parametrize(
    ("study", "control"),
    [
        ("lpred_symmetry", "lpred_matched_weight"),
        ("teacher_momentum_cross_arch", "mismatch_rule"),
    ],
)
def test_a_control_shares_its_jobs_with_the_study_it_controls(
    lab: Lab, study: str, control: str
) -> None:
    jobs, more = (planned(lab, name).configs for name in (study, control))
    assert jobs.keys() < more.keys()
    assert len(more) - len(jobs) == 6


def test_matched_weights_match(lab: Lab) -> None:
    plan = planned(lab, "lpred_matched_weight").plan
    sums = {}
    for variant in plan.variants:
        settings = {**plan.baseline, **variant.changes}
        directions = 2 if settings["prediction.direction"] == "both" else 1
        sums[variant.label] = directions * float(settings["loss.pred"])
    assert sums["L_pred + L̃_pred, λ_pred = 4"] == sums["L_pred only, λ_pred = 8"] == 8
    assert sums["L̃_pred only, λ_pred = 8"] == 8


def test_momentum_across_architectures_names_the_rule_it_ran(lab: Lab) -> None:
    for profile in ("quick", "paper"):
        plan = planned(lab, "teacher_momentum_cross_arch", profile).plan
        assert plan.baseline["mismatch"] == "matching-layers"
        assert "mismatch rule where feature widths differ: matching layers" in plan.footnotes


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
