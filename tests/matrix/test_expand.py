"""Expansion: rows and labels, seeds and pairs, what jobs wait for and what they depend on."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from ablate.matrix.expand import MOST_JOBS
from ablate.matrix.plan import Matrix, Role
from ablate.methods.parts import Value
from ablate.methods.registry import BUILT_IN
from tests.matrix.study_lab import HEAD, TAU, Lab, configs, jobs_of, labels
from tests.naming import missing_from

NO_TEACHER = "[baseline]\nloss.ctr = 0\n"
LR = '[[ablation]]\nablated_part = "lr"\naction = "REPLACE"\nreplacement = [0.2]\n'
PRED = '[[ablation]]\nablated_part = "loss.pred"\naction = "REPLACE"\nreplacement = [2]\n'


def teachers(matrix: Matrix) -> set[str]:
    return {job for job, config in matrix.configs.items() if config.kind == "teacher"}


def table(matrix: Matrix) -> list[tuple[str, Role, str]]:
    return [(v.label, v.role, v.group) for v in matrix.plan.variants]


def test_a_study_of_one_part_names_its_baseline_by_that_part(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    group = "temperature of the contrastive loss"
    assert table(matrix) == [
        ("τ = 0.1", Role.BASELINE, group),
        ("τ = 0.2", Role.VARIANT, group),
        ("τ = 0.5", Role.VARIANT, group),
    ]
    assert matrix.plan.part_labels["temperature"] == "τ"


def test_a_study_of_several_parts_names_its_baseline_by_the_method(lab: Lab) -> None:
    assert labels(lab.expand(HEAD + TAU + PRED)) == ["CoCoRD", "τ = 0.2", "τ = 0.5", "λ_pred = 2"]


def test_a_grids_baseline_stands_in_its_cell(lab: Lab) -> None:
    grid = "[[grid]]\nparts.momentum.teacher_head = [0.999, 1]\n"
    matrix = lab.expand(HEAD + grid + "parts.momentum.slow_student = [0, 0.9]\n")
    assert labels(matrix) == [
        "m_c = 0.999, m_r = 0.9",
        "m_c = 0.999, m_r = 0",
        "m_c = 1, m_r = 0",
        "m_c = 1, m_r = 0.9",
    ]


def test_variants_of_two_parts_name_their_baseline_by_both(lab: Lab) -> None:
    text = "[[variant]]\nset = { loss.pred = 8, loss.ctr = 2 }\n"
    assert labels(lab.expand(HEAD + text))[0] == "λ_pred = 4, λ_ctr = 1"


def test_a_declared_baseline_may_stand_in_the_list(lab: Lab) -> None:
    text = HEAD + TAU.replace("[0.2, 0.5]", "[0.2, 0.5]\nbaseline = 0.2")
    matrix = lab.expand(text)
    assert labels(matrix) == ["τ = 0.2", "τ = 0.5"]
    assert matrix.plan.baseline["temperature"] == 0.2
    (base,) = {matrix.configs[job.id].settings["temperature"] for job in jobs_of(matrix, "τ = 0.2")}
    assert base == 0.2


def test_an_override_moves_a_declared_baseline(lab: Lab) -> None:
    text = HEAD + TAU.replace("[0.2, 0.5]", "[0.2, 0.5]\nbaseline = 0.2")
    assert labels(lab.expand(text, overrides={"temperature": 0.5})) == ["τ = 0.5", "τ = 0.2"]


def test_an_override_that_meets_a_variant_is_an_error(lab: Lab) -> None:
    key, message, _ = lab.problem(HEAD + TAU, overrides={"temperature": 0.5})
    assert key == "ablation[0].replacement[1]"
    assert message.startswith("equals the baseline (temperature = 0.5)")


def test_every_row_has_a_job_per_pair_and_seed(lab: Lab) -> None:
    text = HEAD.replace("]", ', "resnet8x4/resnet8"]') + "seeds = [3, 1]\n" + TAU
    matrix = lab.expand(text)
    assert [(j.variant, j.pair, j.seed) for j in matrix.plan.jobs if j.variant is not None] == [
        (label, pair, seed)
        for pair in ("resnet14/resnet8", "resnet8x4/resnet8")
        for label in ("τ = 0.1", "τ = 0.2", "τ = 0.5")
        for seed in (3, 1)
    ]
    assert matrix.plan.seeds == (3, 1)
    for job in matrix.plan.jobs:
        config = matrix.configs[job.id]
        assert config.seed == job.seed
        assert config.kind == job.kind
        assert set(job.upstream) == set(config.upstream.values())


def test_upstream_jobs_come_before_those_that_wait_for_them(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU)
    place = {job.id: i for i, job in enumerate(matrix.plan.jobs)}
    waiting = [(job, up) for job in matrix.plan.jobs for up in job.upstream]
    assert waiting
    assert all(place[up] < place[job.id] for job, up in waiting)
    assert [job.kind for job in matrix.plan.jobs[:3]] == ["teacher", "teacher_table", "student"]
    assert list(matrix.configs) == [job.id for job in matrix.plan.jobs]


@pytest.mark.parametrize(
    ("file", "section", "profile", "option", "seeds"),
    [
        ("", "", "", None, (0, 1, 2)),
        ("", "", "[5]", None, (5,)),
        ("[7, 8]", "", "[5]", None, (7, 8)),
        ("[7, 8]", "[9]", "[5]", None, (9,)),
        ("[7, 8]", "[9]", "[5]", (4, 3), (4, 3)),
    ],
)
def test_whose_seeds_count(
    lab: Lab, file: str, section: str, profile: str, option: tuple[int, ...] | None,
    seeds: tuple[int, ...],
) -> None:  # fmt: skip
    lab.use('[profiles.quick]\ndata = "digits"\n' + (f"seeds = {profile}\n" if profile else ""))
    text = HEAD + (f"seeds = {file}\n" if file else "") + TAU
    text += f"[profiles.quick]\nseeds = {section}\n" if section else ""
    assert lab.expand(text, seeds=option).plan.seeds == seeds


def test_a_profile_has_its_own_pairs_baseline_and_rows(lab: Lab) -> None:
    text = HEAD + TAU + 'profiles = ["paper"]\n' + PRED + "[baseline]\nloss.ctr = 2\n"
    text += '[profiles.quick]\npairs = ["resnet8x4/resnet8"]\nbaseline.loss.ctr = 3\n'
    quick, paper = lab.expand(text), lab.expand(text, "paper")
    assert quick.plan.pairs == ("resnet8x4/resnet8",)
    assert paper.plan.pairs == ("resnet14/resnet8",)
    assert quick.plan.baseline["loss.ctr"] == 3.0
    assert paper.plan.baseline["loss.ctr"] == 2.0
    assert labels(quick) == ["λ_pred = 4", "λ_pred = 2"]
    assert labels(paper) == ["CoCoRD", "τ = 0.2", "τ = 0.5", "λ_pred = 2"]
    assert "left out under profile quick: τ = 0.2; τ = 0.5" in quick.plan.footnotes
    assert "the study's own baseline: loss.ctr = 3" in quick.plan.footnotes
    assert "the study's own baseline: loss.ctr = 2" in paper.plan.footnotes
    by_hand = lab.expand(text, overrides={"loss.ctr": 4}).plan
    assert not [note for note in by_hand.footnotes if "own baseline" in note], "an override says so"
    assert not [note for note in paper.plan.footnotes if "left out" in note]


def test_many_rows_left_out_are_counted(lab: Lab) -> None:
    values = [round(0.2 + i / 10, 1) for i in range(9)]
    text = HEAD + PRED + TAU.replace("[0.2, 0.5]", f'{values}\nprofiles = ["paper"]')
    (note,) = [n for n in lab.expand(text).plan.footnotes if "left out" in n]
    assert missing_from(note, "quick", "τ = 0.2", "τ = 0.3", "τ = 0.4", "τ = 0.5", "5 more") == []
    assert "τ = 0.6" not in note


def test_what_the_profile_says_counts_for_rows_and_what_set_says_counts_more(lab: Lab) -> None:
    matrix = lab.expand(HEAD + TAU, overrides={"lr": 0.02, "head.width": 32})
    for config in configs(matrix, "student"):
        assert (config.settings["lr"], config.settings["head.width"]) == (0.02, 32)
        assert (
            config.settings["batch_size"] == lab.settings.profiles["quick"].settings["batch_size"]
        )
    assert matrix.plan.overrides == {"lr": 0.02, "head.width": 32}


def test_set_counts_more_than_the_study(lab: Lab) -> None:
    text = HEAD + TAU + "[baseline]\nloss.ctr = 2\n[profiles.quick.baseline]\nloss.pred = 3\n"
    matrix = lab.expand(text, overrides={"loss.ctr": 5, "loss.pred": 6})
    assert [matrix.plan.baseline[name] for name in ("loss.ctr", "loss.pred")] == [5.0, 6.0]


def test_an_override_reaches_the_teacher_but_for_its_epochs(lab: Lab) -> None:
    text = HEAD + TAU
    (plain,) = configs(lab.expand(text), "teacher")
    (changed,) = configs(lab.expand(text, overrides={"weight_decay": 0.02, "epochs": 3}), "teacher")
    assert changed.settings["weight_decay"] == 0.02
    assert changed.settings["epochs"] == plain.settings["epochs"]
    (own,) = configs(
        lab.expand(text, overrides={"teacher.epochs": 3, "teacher.lr": 0.3}), "teacher"
    )
    assert (own.settings["epochs"], own.settings["lr"]) == (3, 0.3)
    students = configs(lab.expand(text, overrides={"teacher.lr": 0.3}), "student")
    assert {config.settings["lr"] for config in students} == {
        config.settings["lr"] for config in configs(lab.expand(text), "student")
    }


ABLATED = [
    ("lr", "0.2"),
    ("batch_size", "128"),
    ("epochs", "3"),
    ("weight_decay", "0"),
    ("sgd_momentum", "0.5"),
    ("lr_schedule", '"constant"'),
    ("precision", '"bf16"'),
    ("views.augmentation", '"none"'),
    ("views.augmentation", '"random-resized-crop"'),
    ("dictionary.size", "64"),
    ("teacher.table", '"off"'),
]


@pytest.mark.parametrize(("part", "value"), ABLATED)
@pytest.mark.parametrize("place", ["ablation", "baseline", "variant", "profile"])
def test_a_teacher_never_depends_on_what_a_study_changes(
    lab: Lab, part: str, value: str, place: str
) -> None:
    change = {
        "ablation": f'[[ablation]]\nablated_part = "{part}"\nreplacement = [{value}]\n',
        "baseline": f"{TAU}[baseline]\n{part} = {value}\n",
        "variant": f"[[variant]]\nset.{part} = {value}\n",
        "profile": f"{TAU}[profiles.quick.baseline]\n{part} = {value}\n",
    }
    changed = lab.expand(HEAD + change[place])
    assert teachers(changed) == teachers(lab.expand(HEAD + PRED))


def test_one_teacher_serves_all_studies_and_methods(lab: Lab) -> None:
    one = lab.expand(HEAD + TAU)
    other = lab.expand(HEAD.replace("cocord", "kd") + 'references = ["crd"]\n' + LR)
    assert teachers(one) == teachers(other)
    assert len(teachers(one)) == 1


def test_two_studies_share_the_jobs_that_are_the_same(lab: Lab) -> None:
    one, other = lab.expand(HEAD + TAU), lab.expand(HEAD + TAU + PRED)
    assert one.configs.keys() < other.configs.keys()
    assert len(other.configs) - len(one.configs) == 3


def test_without_need_of_a_teacher_there_is_none(lab: Lab) -> None:
    matrix = lab.expand(HEAD + NO_TEACHER + PRED)
    assert {config.kind for config in matrix.configs.values()} == {"student"}
    assert all(job.upstream == () for job in matrix.plan.jobs)
    assert matrix.plan.pairs == ("resnet14/resnet8",)


def test_how_a_teacher_is_chosen_shows_in_its_job_only(lab: Lab) -> None:
    usual = lab.expand(HEAD + TAU)
    for same in ({"teacher.table_limit_mib": 4096}, {"teacher.table": "on"}):
        assert lab.expand(HEAD + TAU, overrides=same).configs == usual.configs
    for other in ({"teacher.table_limit_mib": 0}, {"teacher.table": "off"}, {"teacher.seed": 1}):
        students = configs(lab.expand(HEAD + TAU, overrides=other), "student")
        assert not [config for config in students if config in usual.configs.values()]


def test_only_those_wait_that_need_the_teacher(lab: Lab) -> None:
    text = '[[ablation]]\nablated_part = "loss.ctr"\naction = "REMOVE"\n'
    matrix = lab.expand(HEAD + text)
    waiting = {job.variant: bool(job.upstream) for job in matrix.plan.jobs if job.variant}
    assert waiting == {"λ_ctr = 1": True, "w/o L_ctr": False}


def test_views_without_number_wait_for_the_teacher_but_for_no_table(lab: Lab) -> None:
    text = '[[ablation]]\nablated_part = "views.augmentation"\nreplacement = ["crop-flip-blur"]\n'
    matrix = lab.expand(HEAD + text)
    roles = {
        label: {role for job in jobs_of(matrix, label) for role in matrix.configs[job.id].upstream}
        for label in labels(matrix)
    }
    assert roles == {
        "crop and flip": {"teacher", "teacher_table"},
        "crop and flip, blur": {"teacher"},
    }


def test_a_table_follows_its_teacher_and_its_views(lab: Lab) -> None:
    text = '[[ablation]]\nablated_part = "views.augmentation"\nreplacement = ["none"]\n'
    matrix = lab.expand(HEAD + text)
    tables = configs(matrix, "teacher_table")
    assert {config.settings["views.augmentation"] for config in tables} == {"none", "crop-flip"}
    assert {config.upstream["teacher"] for config in tables} == teachers(matrix)


def test_references_stand_below_as_they_are(lab: Lab) -> None:
    text = HEAD + 'references = ["teacher", "student", "kd", "crd", "cocord+kd"]\n'
    matrix = lab.expand(text + TAU)
    assert [(v.label, v.method) for v in matrix.plan.variants if v.role is Role.REFERENCE] == [
        ("Student", "student"), ("KD", "kd"), ("CRD", "crd"), ("CoCoRD+KD", "cocord+kd"),
    ]  # fmt: skip
    (student,) = {
        matrix.configs[job.id].networks.get("teacher", "") for job in jobs_of(matrix, "Student")
    }
    assert student == ""
    (weights,) = settings_of(matrix, "KD", "loss.cls", "loss.kd")
    assert weights == (0.1, 0.9)


def settings_of(matrix: Matrix, label: str, *names: str) -> set[tuple[Value, ...]]:
    jobs = [matrix.configs[job.id] for job in jobs_of(matrix, label)]
    return {tuple(config.settings[name] for name in names) for config in jobs}


def test_the_recipe_that_a_study_says_counts_for_every_row(lab: Lab) -> None:
    text = HEAD + 'references = ["student", "kd", "crd", "cocord+kd"]\n' + TAU
    text += "[baseline]\nepochs = 4\nlr = 0.2\nteacher.seed = 7\nloss.cls = 3\n"
    text += "temperature = 0.3\n[profiles.quick]\nbaseline.weight_decay = 0.25\n"
    matrix = lab.expand(text, overrides={"lr": 0.5})
    for label in ("CoCoRD", "Student", "KD", "CRD", "CoCoRD+KD"):
        row = "τ = 0.3" if label == "CoCoRD" else label
        assert settings_of(matrix, row, "epochs", "lr", "weight_decay") == {(4, 0.5, 0.25)}, label
    assert {config.seed for config in configs(matrix, "teacher")} == {7}
    assert settings_of(matrix, "KD", "loss.cls") == {(0.1,)}, "a part of its own"
    assert settings_of(matrix, "CRD", "loss.cls") == {(1.0,)}


def test_all_that_a_study_says_counts_for_siblings_but_for_what_sets_them_apart(lab: Lab) -> None:
    text = 'references = ["{}"]\n' + TAU + "[baseline]\ntemperature = 0.3\nloss.kd = 2\n"
    names = "temperature", "loss.kd"
    matrix = lab.expand(HEAD + text.format("cocord+kd"))
    assert settings_of(matrix, "τ = 0.3", *names) == {(0.3, 2.0)}
    assert settings_of(matrix, "CoCoRD+KD", *names) == {(0.3, 1.0)}
    other = lab.expand(HEAD.replace("cocord", "cocord+kd") + text.format("cocord"))
    assert settings_of(other, "τ = 0.3", *names) == {(0.3, 2.0)}
    assert settings_of(other, "CoCoRD", *names) == {(0.3, 0.0)}


def test_a_wrong_value_for_all_rows_is_told_of_the_study(lab: Lab) -> None:
    text = HEAD + 'references = ["student"]\n' + TAU
    text += '[baseline]\nviews.augmentation = "crop-flip-jitter"\n'
    assert {p.key for p in lab.problems(text)} == {"baseline.views.augmentation"}


@pytest.mark.parametrize(
    ("reference", "part", "title"),
    [("kd", "loss.kd", "KD"), ("crd", "loss.crd", "CRD"), ("cocord+kd", "loss.kd", "CoCoRD+KD")],
)
def test_a_reference_without_what_makes_it_itself_is_an_error(
    lab: Lab, reference: str, part: str, title: str
) -> None:
    text = HEAD + f'references = ["{reference}"]\n' + TAU
    (problem,) = lab.problems(text, overrides={part: 0})
    assert (problem.where, problem.key) == ("--set", part)
    assert missing_from(problem.message, "0", title) == []
    assert reference in problem.right
    lab.use(f'[profiles.quick]\ndata = "digits"\nsettings.{part} = 0\n')
    (problem,) = lab.problems(text)
    assert (problem.where, problem.key) == ("ablate.toml", f"profiles.quick.settings.{part}")
    assert missing_from(problem.message, "0", title) == []


def test_a_method_may_be_studied_without_what_makes_it_itself(lab: Lab) -> None:
    text = HEAD.replace("cocord", "kd") + '[[ablation]]\nablated_part = "loss.kd"\n'
    assert labels(lab.expand(text + 'action = "REMOVE"\n')) == ["λ_kd = 0.9", "w/o L_kd"]


@pytest.mark.parametrize(
    ("text", "overrides", "row", "twin"),
    [
        (TAU, {"loss.kd": 1}, "CoCoRD+KD", "τ = 0.1"),
        ('[[ablation]]\nablated_part = "loss.kd"\naction = "ADD"\n', {}, "CoCoRD+KD", "λ_kd = 1"),
    ],
)
def test_a_reference_that_computes_what_another_row_does_is_an_error(
    lab: Lab, text: str, overrides: dict[str, Value], row: str, twin: str
) -> None:
    text = HEAD + 'references = ["cocord+kd"]\n' + text
    key, message, right = lab.problem(text, overrides=overrides)
    assert key == "references[0]"
    assert missing_from(message, row, f'"{twin}"', "resnet14/resnet8") == []
    assert missing_from(right, "CoCoRD+KD", "loss.kd") == []


def test_a_teacher_for_reference_is_planned_even_if_nobody_needs_it(lab: Lab) -> None:
    text = HEAD + 'references = ["teacher"]\n' + NO_TEACHER + PRED
    matrix = lab.expand(text)
    assert [(job.kind, job.pair) for job in matrix.plan.jobs if job.variant is None] == [
        ("teacher", "resnet14")
    ]
    assert teachers(matrix) == teachers(lab.expand(HEAD + TAU))
    assert "Teacher" not in labels(matrix)


def test_a_teacher_for_reference_only_is_the_one_that_is_given(lab: Lab) -> None:
    digest = checkpoint(lab.folder / "mine.pth")
    pair = '{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "mine.pth" }'
    text = HEAD.replace("cocord", "student").replace('"resnet14/resnet8"', pair)
    (teacher,) = configs(lab.expand(text + 'references = ["teacher"]\n' + LR), "teacher")
    assert teacher.inputs["checkpoint"] == digest


def test_a_teacher_for_reference_is_the_one_that_others_learn_from(lab: Lab) -> None:
    text = HEAD.replace("cocord", "student") + 'references = ["teacher", "kd"]\n' + LR
    (teacher,) = configs(lab.expand(text, overrides={"teacher.seed": 5}), "teacher")
    assert teacher.seed == 5


def test_a_student_alone_is_one_job_in_the_rows_of_all_its_teachers(lab: Lab) -> None:
    text = HEAD.replace("]", ', "resnet8x4/resnet8"]') + 'references = ["student"]\nseeds = [0]\n'
    matrix = lab.expand(text)
    planned = jobs_of(matrix, "Student")
    assert [job.pair for job in planned] == ["resnet14/resnet8", "resnet8x4/resnet8"]
    assert len({job.id for job in planned}) == 1
    assert len(matrix.plan.jobs) == len(matrix.configs) + 1


def test_references_alone_make_a_study(lab: Lab) -> None:
    assert labels(lab.expand(HEAD + 'references = ["kd"]\n')) == ["CoCoRD", "KD"]


def test_a_reference_that_needs_a_teacher_needs_one_in_every_pair(lab: Lab) -> None:
    text = HEAD.replace("cocord", "student").replace("resnet14/", "")
    key, message, _ = lab.problem(text + 'references = ["kd"]\n' + LR)
    assert key == "pairs[0]"
    assert missing_from(message, "no teacher", "kd") == []
    matrix = lab.expand(text + LR)
    assert matrix.plan.pairs == ("resnet8",)
    assert {config.kind for config in matrix.configs.values()} == {"student"}


@pytest.mark.parametrize(
    ("baseline", "part", "value", "counts"),
    [
        ({"loss.ctr": 0}, "temperature", "0.5", "temperature counts where loss.ctr is above 0"),
        ({"loss.ctr": 0}, "momentum.teacher_head", "0.5",
         "momentum.teacher_head counts where the teacher encodes keys or targets"),
        ({"loss.pred": 0}, "prediction.direction", '"pred"',
         "prediction.direction counts where loss.pred is above 0"),
        ({"predictor.enabled": "false"}, "predictor.width", "8",
         "predictor.width counts with the predictor"),
        ({"head.depth": 1}, "head.norm", '"none"',
         "head.norm counts where head.depth is above 1"),
        ({}, "mismatch", '"adapter"',
         "mismatch counts where the feature widths of teacher and student differ"),
        ({}, "kd.temperature", "2", "kd.temperature counts where loss.kd is above 0"),
        ({"epochs": 1}, "lr_schedule", '"constant"', "lr_schedule counts with more than one epoch"),
    ],
)  # fmt: skip
def test_a_row_that_would_compute_what_the_baseline_does_is_an_error(
    lab: Lab, baseline: dict[str, str], part: str, value: str, counts: str
) -> None:
    text = f'{HEAD}[[ablation]]\nablated_part = "{part}"\nreplacement = [{value}]\n[baseline]\n'
    text += "".join(f"{name} = {written}\n" for name, written in baseline.items())
    key, message, right = lab.problem(text)
    assert key == "ablation[0].replacement[0]"
    assert message.endswith("changes nothing on resnet14/resnet8")
    assert right == counts


def test_so_is_one_that_spells_the_baseline_in_other_words(lab: Lab) -> None:
    text = '[[ablation]]\nablated_part = "encoder.cognate"\nreplacement = ["student"]\n'
    text += "[baseline]\nmomentum.slow_student = 0\n"
    key, message, _ = lab.problem(HEAD + text)
    assert key == "ablation[0].replacement[0]"
    row, twin = "cognate encoder: student:", '"cognate encoder: slow student"'
    assert missing_from(message, row, twin, "resnet14/resnet8") == []
    one_way = HEAD + text + 'prediction.direction = "pred"\n'
    assert len(labels(lab.expand(one_way))) == 2, "a pass of its own moves running statistics"


def test_so_is_a_grid_or_list_of_nothing_but_the_baseline(lab: Lab) -> None:
    grid = "[[grid]]\nparts.temperature = [0.1]\nparts.dictionary.size = [256]\n"
    for text in (grid, TAU.replace("[0.2, 0.5]", "[0.1]\nbaseline = 0.1")):
        key, message, right = lab.problem(HEAD + text)
        assert key == ""
        assert missing_from(message, "study", "nothing", "quick") == []
        assert "baseline" in right


def test_the_seed_of_a_teacher_whose_weights_are_given_is_no_choice(lab: Lab) -> None:
    checkpoint(lab.folder / "mine.pth")
    pair = '{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "mine.pth" }'
    text = '[[ablation]]\nablated_part = "teacher.seed"\nreplacement = [1, 2]\n'
    assert len(labels(lab.expand(HEAD + text))) == 3
    problems = lab.problems(HEAD.replace('"resnet14/resnet8"', pair) + text)
    assert [problem.key for problem in problems] == [
        "ablation[0].replacement[0]",
        "ablation[0].replacement[1]",
    ]
    for seed, problem in enumerate(problems, 1):
        assert missing_from(problem.message, f"teacher seed = {seed}", "resnet14/resnet8") == []
        assert missing_from(problem.right, "teacher.seed", "weights") == []


def test_so_is_a_row_that_would_compute_what_another_does(lab: Lab) -> None:
    grid = "[[grid]]\nparts.head.depth = [1, 2]\nparts.head.width = [64, 128]\n"
    key, message, right = lab.problem(HEAD + grid)
    assert key == "grid[0]"
    row, twin = "head depth = 1, head width = 128", '"head depth = 1, head width = 64"'
    assert missing_from(message, row, twin, "resnet14/resnet8") == []
    assert missing_from(right, "head.width", "head.depth", "1") == []


GRID = "[[grid]]\nparts.temperature = [0.2]\nparts.loss.pred = [4, 8]\n"


@pytest.mark.parametrize("text", [TAU + GRID, GRID + TAU])
def test_a_row_of_a_grid_and_of_a_list_runs_once_and_is_shown_in_both(lab: Lab, text: str) -> None:
    plan = lab.expand(HEAD + text).plan
    twins = {"τ = 0.2", "τ = 0.2, λ_pred = 4"}
    shared = [variant for variant in plan.variants if variant.same_as]
    assert len(shared) == 1
    assert {shared[0].label, shared[0].same_as} == twins
    first, second = (
        {(job.pair, job.seed, job.id) for job in plan.jobs if job.variant == label}
        for label in twins
    )
    assert first == second
    assert len(first) == len(plan.seeds)


def test_rows_of_two_grids_are_shared_too(lab: Lab) -> None:
    other = "[[grid]]\nparts.temperature = [0.2, 0.5]\nparts.lr = [0.01]\n"
    plan = lab.expand(HEAD + GRID + other).plan
    assert {v.label: v.same_as for v in plan.variants if v.same_as} == {
        "τ = 0.2, lr = 0.01": "τ = 0.2, λ_pred = 4"
    }


def test_grids_of_the_same_parts_may_overlap(lab: Lab) -> None:
    other = GRID.replace("[4, 8]", "[8, 2]")
    assert len(labels(lab.expand(HEAD + GRID + other))) == 4


def test_a_row_that_was_written_twice_is_told(lab: Lab) -> None:
    variant = "[[variant]]\nlabel = 'cold'\nset.temperature = 0.2\n"
    key, message, right = lab.problem(HEAD + TAU + variant)
    assert key == "variant[0].set"
    assert missing_from(message, "cold", '"τ = 0.2"', "resnet14/resnet8") == []
    assert "once" in right


def test_a_matrix_that_nobody_can_run_is_refused_before_it_is_made(lab: Lab) -> None:
    text = HEAD + "seeds = '0-9999'\n" + TAU.replace("0.2, 0.5", "0.2, 0.3, 0.4, 0.5, 0.6, 0.7")
    for i in range(1, 5):
        text += TAU.replace("temperature", "loss.ctr").replace("0.2, 0.5", f"0.{i}1")
    key, message, _ = lab.problem(text)
    assert key == ""
    assert "110,000" in message
    assert f"{MOST_JOBS:,}" in message


def test_a_part_that_counts_on_one_pair_only_is_told_with_the_other(lab: Lab) -> None:
    text = HEAD.replace("]", ', "resnet8x4/resnet8"]')
    text += '[[ablation]]\nablated_part = "mismatch"\nreplacement = ["adapter"]\n'
    _, message, _ = lab.problem(text)
    assert missing_from(message, "learned adapter", "resnet14/resnet8") == []
    assert "resnet8x4/resnet8" not in message


def test_an_ablated_part_has_one_baseline_for_all_pairs(lab: Lab) -> None:
    text = HEAD.replace("resnet14/resnet8", 'vgg13/vgg8", "vgg13/MobileNetV2') + LR
    key, message, right = lab.problem(text, "paper")
    assert key == "ablation[0].replacement[0]"
    values = "0.05 on vgg13/vgg8", "0.01 on vgg13/MobileNetV2"
    assert missing_from(message, "baseline", "lr", *values) == []
    assert "[baseline] lr = " in right
    assert labels(lab.expand(text + "baseline = 0.05\n", "paper")) == ["lr = 0.05", "lr = 0.2"]


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({"batch_size": 512}, "--set: batch_size: "),
        ({"dictionary.size": 32}, "--set: batch_size: "),
        ({"views.augmentation": "crop-flip-jitter"}, "--set: views.augmentation: "),
    ],
)
def test_a_conflict_of_the_baseline_is_told_once_where_it_comes_from(
    lab: Lab, overrides: dict[str, Value], place: str
) -> None:
    (problem,) = lab.problems(HEAD + TAU, overrides=overrides)
    assert str(problem).startswith(place)


def test_a_conflict_of_a_profile_is_told_there(lab: Lab) -> None:
    lab.use('[profiles.quick]\ndata = "digits"\nsettings.batch_size = 4096\n')
    (problem,) = lab.problems(HEAD + TAU)
    assert str(problem).startswith("ablate.toml: profiles.quick.settings.batch_size: a batch of ")


JITTER = "crop-flip-jitter"
TWO_TEACHERS = HEAD.replace("]", ', "resnet8x4/resnet8"]')


@pytest.mark.parametrize(
    "text", [HEAD + TAU, HEAD + 'references = ["teacher"]\n' + NO_TEACHER + PRED]
)
def test_a_teacher_that_could_not_run_is_told_before_anything_runs(lab: Lab, text: str) -> None:
    (problem,) = lab.problems(text, overrides={"teacher.views.augmentation": JITTER})
    assert (problem.where, problem.key) == ("--set", "teacher.views.augmentation")
    assert missing_from(problem.message, "teacher resnet14", "channels", "digits") == []
    assert missing_from(problem.right, '"crop-flip"', '"crop-flip-blur"') == []


def test_the_profile_that_a_teacher_cannot_run_under_is_named(lab: Lab) -> None:
    lab.use(f'[profiles.quick]\ndata = "digits"\nsettings.views.augmentation = "{JITTER}"\n')
    baseline = '[baseline]\nviews.augmentation = "crop-flip"\n'
    problems = lab.problems(TWO_TEACHERS + TAU + baseline)
    assert [(p.where, p.key) for p in problems] == [
        ("ablate.toml", "profiles.quick.settings.views.augmentation")
    ] * 2
    assert [p.message.partition(":")[0] for p in problems] == [
        "teacher resnet14", "teacher resnet8x4"
    ]  # fmt: skip


def test_a_given_teacher_is_not_trained_on_any_views(lab: Lab) -> None:
    checkpoint(lab.folder / "mine.pth")
    pair = '{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "mine.pth" }'
    text = HEAD.replace('"resnet14/resnet8"', pair) + TAU
    assert teachers(lab.expand(text, overrides={"teacher.views.augmentation": JITTER}))


def test_an_unknown_profile(lab: Lab) -> None:
    (problem,) = lab.problems(HEAD + TAU, "papr")
    assert problem.where == "--profile"
    assert missing_from(problem.message, '"papr"', "ablate.toml") == []
    assert '"paper"' in problem.right


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"epohcs": 1}, '--set: epohcs: unknown setting (did you mean "epochs"?)'),
        ({"threads": 4}, "--set: threads: is no setting of a method ([execution] threads in "),
        ({"execution.threads": 4},
         "--set: execution.threads: is no setting of a method ([execution] threads in ablate.toml"),
        ({"seeds": 0}, "--set: seeds: is no setting of a method (--seeds, such as --seeds 0,1,2)"),
        ({"epochs": 0}, "--set: epochs: 0 is no value of epochs (a whole number from 1)"),
        ({"epochs": "many"}, '--set: epochs: "many" is no value of epochs (a whole number from 1)'),
        ({"epochs": [1]}, "--set: epochs: [1] is no value of epochs (a whole number from 1)"),
        ({"teacher.lr": 0}, "--set: teacher.lr: 0 is no value of teacher.lr (a number above 0 to "
         "100)"),
        ({"crd.negatives": 5},
         "--set: crd.negatives: no method of this study has such a part (cocord)"),
        ({"data": "digts"}, '--set: data: "digts": no such data set (did you mean "digits"?)'),
        ({"data": 5}, '--set: data: "5": no such data set (one of: '),
        ({"data": "folder:/nowhere"},
         '--set: data: "folder:/nowhere": no folder /nowhere/train (PATH/train/CLASS/'),
        ({"dta": "digits"}, '--set: dta: unknown setting (did you mean "data"?)'),
    ],
)  # fmt: skip
def test_overrides_that_are_wrong(lab: Lab, overrides: dict[str, object], told: str) -> None:
    assert str(lab.problems(HEAD + TAU, overrides=overrides)[0]).startswith(told)


def test_an_override_may_be_for_a_reference_only(lab: Lab) -> None:
    text = HEAD + 'references = ["crd"]\n'
    matrix = lab.expand(text, overrides={"crd.negatives": 5})
    assert {matrix.configs[job.id].settings["crd.negatives"] for job in jobs_of(matrix, "CRD")} == {
        5
    }


def test_the_data_set_may_be_overridden(lab: Lab) -> None:
    digits, fashion = (
        lab.expand(HEAD + TAU, overrides=over) for over in ({}, {"data": "fashion-mnist"})
    )
    assert (digits.plan.data, fashion.plan.data) == ("digits (8×8, scikit-learn)", "Fashion-MNIST")
    assert {config.data for config in fashion.configs.values()} == {"fashion-mnist"}
    assert not digits.configs.keys() & fashion.configs.keys()
    assert digits.plan.key != fashion.plan.key


def test_a_profile_with_unknown_data_or_settings(lab: Lab) -> None:
    lab.use('[profiles.quick]\ndata = "digts"\nsettings.my_own.width = 5\n')
    setting, data = lab.problems(HEAD + TAU)
    assert (setting.where, data.where) == ("ablate.toml", "ablate.toml")
    assert setting.key == "profiles.quick.settings.my_own.width"
    assert ", ".join(known_settings()) in setting.right
    assert data.key == "profiles.quick.data"
    assert '"digts"' in data.message
    assert '"digits"' in data.right


def known_settings() -> list[str]:
    from ablate.methods.named_values import parts_by_name

    return list(parts_by_name(BUILT_IN.values()))


def test_a_folder_of_images_is_known_by_its_files(lab: Lab) -> None:
    root = image_folder(lab.folder / "images")
    over = {"data": f"folder:{root}@32"}
    before = lab.expand(HEAD + TAU, overrides=over)
    assert before.plan.data == "images (32×32, image folder)"
    assert lab.expand(HEAD + TAU, overrides=over).configs == before.configs
    Image.new("L", (8, 8), 9).save(root / "train" / "dog" / "2.png")
    after = lab.expand(HEAD + TAU, overrides=over)
    assert not after.configs.keys() & before.configs.keys()
    assert after.plan.key != before.plan.key


def image_folder(root: Path) -> Path:
    for split in ("train", "val"):
        for label in ("cat", "dog"):
            (root / split / label).mkdir(parents=True)
            Image.new("L", (8, 8)).save(root / split / label / "1.png")
    return root


def test_a_folder_of_images_is_found_from_where_it_is_named(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder(lab.folder / "images")
    (lab.folder / "elsewhere").mkdir()
    for folder in (lab.folder, lab.folder / "elsewhere"):
        monkeypatch.chdir(folder)
        here = [lab.expand(HEAD + TAU, overrides={"data": f"folder:{root}@32"})]
        relative = os.path.relpath(root, folder)
        here.append(lab.expand(HEAD + TAU, overrides={"data": f"folder:{relative}@32"}))
        assert here[0].configs == here[1].configs
        assert here[0].plan.key == here[1].plan.key
        lab.use('[profiles.quick]\ndata = "folder:images@32"\n')
        assert set(lab.expand(HEAD + TAU).files.values()) == {root}
    lab.use('[profiles.quick]\ndata = "folder:none"\n')
    assert f"no folder {lab.folder}/none/train" in str(lab.problems(HEAD + TAU)[0])


def test_a_folders_name_may_look_like_a_size(lab: Lab) -> None:
    root = image_folder(lab.folder / "images@32")
    for name, size in ((f"{root}@224", 224), (f"{root}@64", 64)):
        matrix = lab.expand(HEAD + TAU, overrides={"data": f"folder:{name}"})
        assert matrix.plan.data == f"images@32 ({size}×{size}, image folder)"
        assert {config.data for config in matrix.configs.values()} == {f"folder@{size}"}
        assert set(matrix.files.values()) == {root}


def checkpoint(path: Path, content: bytes = b"weights") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_given_weights_take_the_place_of_training(lab: Lab) -> None:
    digest = checkpoint(lab.folder / "mine.pth")
    pair = '{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "mine.pth" }'
    text = HEAD.replace('"resnet14/resnet8"', pair) + TAU
    matrix = lab.expand(text)
    (teacher,) = configs(matrix, "teacher")
    assert teacher.inputs["checkpoint"] == digest
    assert "epochs" not in teacher.settings, "nothing is trained"
    assert matrix.files == {digest: lab.folder / "mine.pth"}
    other = lab.expand(text, overrides={"lr": 0.1, "teacher.epochs": 5, "teacher.seed": 3})
    assert teachers(other) == teachers(matrix), "however it would have been trained"
    checkpoint(lab.folder / "mine.pth", b"other weights")
    changed = lab.expand(text)
    assert not changed.configs.keys() & matrix.configs.keys()
    assert changed.plan.key != matrix.plan.key


def test_weights_are_those_of_their_pair(lab: Lab) -> None:
    checkpoint(lab.folder / "mine.pth")
    pair = '{ teacher = "resnet14", student = "resnet8", teacher_checkpoint = "mine.pth" }'
    for pairs in (f'{pair}, "resnet14/resnet20"', f'"resnet14/resnet20", {pair}'):
        matrix = lab.expand(HEAD.replace('"resnet14/resnet8"', pairs) + TAU)
        assert len(teachers(matrix)) == 2
        for job in matrix.plan.jobs:
            if job.kind == "student":
                teacher = matrix.configs[matrix.configs[job.id].upstream["teacher"]]
                assert ("checkpoint" in teacher.inputs) == (job.pair == "resnet14/resnet8")


def test_a_folder_of_weights_is_searched_by_network(lab: Lab) -> None:
    head = 'teacher_checkpoints = "weights"\n[profiles.quick]\ndata = "digits"\n'
    lab.use(head)
    (problem,) = lab.problems(HEAD + TAU)
    assert (problem.where, problem.key) == ("ablate.toml", "teacher_checkpoints")
    assert str(lab.folder / "weights") in problem.message
    assert "<network>_vanilla/*.pth" in problem.right
    digest = checkpoint(lab.folder / "weights" / "resnet14_vanilla" / "ckpt_epoch_240.pth")
    text = HEAD.replace("]", ', "resnet8x4/resnet8"]') + TAU
    given, trained = configs(lab.expand(text), "teacher")
    assert given.inputs["checkpoint"] == digest
    assert "checkpoint" not in trained.inputs
    checkpoint(lab.folder / "weights" / "resnet14_vanilla" / "last.pth")
    (problem,) = lab.problems(text)
    assert problem.message.endswith("resnet14_vanilla: ckpt_epoch_240.pth, last.pth")


def test_weights_nobody_needs_are_not_asked_for(lab: Lab) -> None:
    lab.use('teacher_checkpoints = "weights"\n[profiles.quick]\ndata = "digits"\n')
    text = HEAD.replace("cocord", "student") + LR
    assert configs(lab.expand(text), "teacher") == []
    text = HEAD + TAU + '[profiles.paper]\npairs = [{ teacher = "vgg13", student = "vgg8", '
    lab.use('[profiles.quick]\ndata = "digits"\n[profiles.paper]\ndata = "cifar100"\n')
    lab.expand(text + 'teacher_checkpoint = "not here yet.pth" }]\n')
