"""StudyFile files: what may be written how, and that no document breaks the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ablate.errors import InputError
from ablate.methods.registry import BUILT_IN
from ablate.study.model import (
    AblationEntry,
    GridEntry,
    PairEntry,
    ProfileEntry,
    StudyFile,
    VariantEntry,
)
from ablate.study.parse import Study, read_document, read_study
from ablate.study.tomlfile import read_toml
from ablate.study.validation import MOST_PROBLEMS
from ablate.study.variants import Row, baseline_changes, chosen_metrics, rows

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))
COCORD = BUILT_IN["cocord"]
HEAD = 'title = "T"\nmethod = "cocord"\npairs = ["vgg13/vgg8"]\n'


def read(folder: Path, text: str) -> Study:
    path = folder / "study.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return read_study(path)


def asked_for(folder: Path, text: str) -> list[Row]:
    study = read(folder, text)
    found = rows(study, COCORD)
    assert study.problems == []
    return found


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_say_what_they_are(path: Path) -> None:
    study = read_study(path)
    assert study.problems == []
    assert study.name == path.stem
    assert study.file.title
    assert study.file.question.endswith("?")
    assert study.file.answers
    assert study.file.method == "cocord"
    assert chosen_metrics(study, COCORD)[0].name == "top1"
    assert study.file.profiles["quick"].pairs


def test_a_pair_may_be_text_or_table(tmp_path: Path) -> None:
    text = HEAD.splitlines()
    text[2] = 'pairs = ["vgg13/vgg8", { teacher = "vgg13", student = "vgg8" }, "vgg8"]'
    path = tmp_path / "study.toml"
    path.write_text("\n".join([*text, '[[ablation]]\nablated_part = "lr"\nreplacement = [1]']))
    pairs = read_study(path).file.pairs
    both = PairEntry(teacher="vgg13", student="vgg8")
    assert pairs == [both, both, PairEntry(student="vgg8")]
    assert [pair.name for pair in pairs if pair] == ["vgg13/vgg8", "vgg13/vgg8", "vgg8"]


@pytest.mark.parametrize("action", ["REPLACE", "replace", "Replace", None])
@pytest.mark.parametrize("values", ['["L_pred only"]', '"L_pred only"', '"pred"'])
def test_an_ablation_in_the_words_of_a_plan(
    tmp_path: Path, action: str | None, values: str
) -> None:
    said = f'action = "{action}"\n' if action else ""
    text = f'[[ablation]]\nablated_part = "prediction.direction"\n{said}replacement = {values}\n'
    (row,) = asked_for(tmp_path, text)
    assert (row.label, row.changes) == ("L_pred only", {"prediction.direction": "pred"})
    assert row.group == "symmetrization of the prediction loss"


def test_numbers_may_be_written_with_or_without_a_point(tmp_path: Path) -> None:
    text = '[[ablation]]\nablated_part = "{}"\nreplacement = [{}]\n'
    (one,) = asked_for(tmp_path, text.format("lr", "1"))
    (other,) = asked_for(tmp_path, text.format("lr", "1.0"))
    assert repr(one.changes) == repr(other.changes) == "{'lr': 1.0}"
    (whole,) = asked_for(tmp_path, text.format("dictionary.size", "512.0"))
    assert repr(whole.changes) == "{'dictionary.size': 512}"
    assert one.label == "lr = 1"


def test_removing_sets_the_off_value_under_its_label(tmp_path: Path) -> None:
    text = '[[ablation]]\nablated_part = "{}"\naction = "REMOVE"\n'
    found = [
        asked_for(tmp_path, text.format(name))[0]
        for name in ("loss.ctr", "momentum.teacher_head", "predictor.enabled", "head.norm")
    ]
    assert [(row.label, *row.changes.values()) for row in found] == [
        ("w/o L_ctr", 0.0),
        ("m_c = 1", 1.0),
        ("w/o predictor", False),
        ("no normalisation in heads", "none"),
    ]


def test_adding_sets_the_on_value_or_those_that_are_listed(tmp_path: Path) -> None:
    text = '[[ablation]]\nablated_part = "loss.kd"\naction = "ADD"\n'
    assert [row.changes for row in asked_for(tmp_path, text)] == [{"loss.kd": 1.0}]
    listed = asked_for(tmp_path, text + "replacement = [0.5, 2]\n")
    assert [row.changes for row in listed] == [{"loss.kd": 0.5}, {"loss.kd": 2.0}]
    assert all(row.adds for row in listed)


def test_a_grid_is_every_combination_in_order(tmp_path: Path) -> None:
    found = asked_for(
        tmp_path,
        "[[grid]]\nparts.momentum.teacher_head = [0, 1]\nparts.momentum.slow_student = [0, 0.9]\n",
    )
    assert [row.label for row in found] == [
        "m_c = 0, m_r = 0",
        "m_c = 0, m_r = 0.9",
        "m_c = 1, m_r = 0",
        "m_c = 1, m_r = 0.9",
    ]
    assert {row.group for row in found} == {"m_c × m_r"}
    assert all(row.may_equal_baseline for row in found)


def test_a_grid_too_fine_to_be_meant_is_refused_not_expanded(tmp_path: Path) -> None:
    axis = [i + 1 for i in range(400)]
    study = read(
        tmp_path,
        f"[[grid]]\nparts.epochs = {axis}\nparts.dictionary.size = {axis}\nparts.loss.kd = {axis}",
    )
    assert rows(study, COCORD) == []
    (problem,) = study.problems
    assert problem.key == "grid[0].parts"
    assert "64,000,000" in problem.message
    assert "100,000" in problem.right


def test_a_variant_sets_several_parts_under_a_label_of_its_own(tmp_path: Path) -> None:
    text = '[[variant]]\nset = { loss.pred = 8, prediction.direction = "pred" }\n'
    (row,) = asked_for(tmp_path, text)
    assert row.label == "λ_pred = 8, L_pred only"
    (row,) = asked_for(tmp_path, text + 'label = "one\\n direction"\n')
    assert row.label == "one direction"


def test_rows_may_belong_to_some_profiles_only(tmp_path: Path) -> None:
    text = '[[ablation]]\nablated_part = "lr"\nreplacement = [0.1]\n'
    (row,) = asked_for(tmp_path, text)
    assert row.belongs("quick")
    assert row.belongs("paper")
    (row,) = asked_for(tmp_path, text + 'profiles = ["paper"]\n')
    assert not row.belongs("quick")
    assert row.belongs("paper")


def test_the_baseline_is_said_in_three_places_the_profiles_counting_most(tmp_path: Path) -> None:
    text = """
    [[ablation]]
    ablated_part = "temperature"
    replacement = [0.2, 0.5]
    baseline = 0.2
    [baseline]
    loss.pred = 2
    head.width = 64
    [profiles.quick.baseline]
    head.width = 32
    """
    study = read(tmp_path, text)
    quick, paper = (baseline_changes(study, COCORD, name) for name in ("quick", "paper"))
    assert study.problems == []
    assert {n: said.value for n, said in paper.items()} == {
        "loss.pred": 2.0, "head.width": 64, "temperature": 0.2
    }  # fmt: skip
    assert {n: said.key for n, said in quick.items()} == {
        "loss.pred": "baseline.loss.pred",
        "head.width": "profiles.quick.baseline.head.width",
        "temperature": "ablation[0].baseline",
    }
    assert quick["head.width"].value == 32


def test_a_declared_baseline_counts_where_its_ablation_does(tmp_path: Path) -> None:
    ablation = '[[ablation]]\nablated_part = "dictionary.size"\nreplacement = [512]\n'
    study = read(
        tmp_path,
        f'{ablation}profiles = ["quick"]\nbaseline = 256\n'
        f'{ablation}profiles = ["paper"]\nbaseline = 2048\n',
    )
    for profile, value in (("quick", 256), ("paper", 2048)):
        said = baseline_changes(study, COCORD, profile)
        assert said["dictionary.size"].value == value
    assert study.problems == []


def test_metrics_in_any_words(tmp_path: Path) -> None:
    study = read(tmp_path, 'metrics = "Top-5 accuracy (%)"\n')
    assert [m.name for m in chosen_metrics(study, COCORD)] == ["top5"]
    study = read(tmp_path, 'metrics = ["top1", "Training time (s)"]\n')
    assert [m.name for m in chosen_metrics(study, COCORD)] == ["top1", "train_seconds"]


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.dates()
    | st.sampled_from(["cocord", "top1", "REMOVE", "both", "resnet8/vgg8", "\x00", "x.py:Y", ""]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                *AblationEntry.model_fields, *GridEntry.model_fields, *VariantEntry.model_fields,
                *PairEntry.model_fields, *ProfileEntry.model_fields, "temperature", "loss", "ctr",
                "loss.ctr", "quick", "no such key", "", "a.b.c",
            ]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip
DOCUMENTS = st.dictionaries(st.sampled_from([*StudyFile.model_fields, "x"]), VALUES)


@hypothesis_settings(deadline=None, max_examples=250)
@given(DOCUMENTS)
def test_no_document_crashes_the_reader(document: dict[str, object]) -> None:
    try:
        study = read_document(document, Path("study.toml"))
    except InputError as error:
        assert error.problems
        return
    rows(study, COCORD)
    baseline_changes(study, COCORD, "quick")
    chosen_metrics(study, COCORD)
    for problem in study.problems:
        assert problem.message
        assert "nput should" not in problem.message


@hypothesis_settings(deadline=None, max_examples=100)
@given(st.data())
def test_what_is_right_survives_what_is_wrong_beside_it(data: st.DataObject) -> None:
    """Each wrong key of a sound file costs its own entry only."""
    path = STUDIES[0].with_name("loss_weights.toml")
    document = read_toml(path)
    place = data.draw(st.sampled_from(["title", "question", "seeds", "metrics", "x", "ablation"]))
    wrong = data.draw(st.sampled_from([5, [5], {"y": 5}, 1.5, True]))
    if place == "ablation":
        document["ablation"][1] = wrong
    elif place == "seeds" and wrong == [5]:
        return
    else:
        document[place] = wrong
    study = read_document(document, path)
    assert study.problems
    assert {p.key.partition("[")[0].partition(".")[0] for p in study.problems} == {place}
    assert len(rows(study, COCORD)) == (6 if place == "ablation" else 9)


@pytest.mark.parametrize("key", ["seeds", "metrics", "pairs"])
def test_a_key_below_a_table_is_told_where_it_belongs(tmp_path: Path, key: str) -> None:
    study = read(tmp_path, f"[[ablation]]\nablated_part = 'lr'\nreplacement = [1]\n{key} = [0]\n")
    (problem,) = study.problems
    assert problem.key == f"ablation[0].{key}"
    assert "above the first [table]" in problem.right


def test_a_key_in_a_plan_s_words_names_the_key(tmp_path: Path) -> None:
    study = read(tmp_path, "[[ablation]]\n'Ablated Part' = 'lr'\nreplacement = [1]\n")
    hints = {problem.key: problem.right for problem in study.problems}
    assert '"ablated_part"' in hints["ablation[0].Ablated Part"]


@pytest.mark.parametrize("name", ["cocord", "CoCoRD", "COCORD", " CoCoRD "])
def test_a_method_by_name_or_title(tmp_path: Path, name: str) -> None:
    study = read(tmp_path, "[[ablation]]\nablated_part = 'lr'\nreplacement = [1]\n")
    method = study.method(name, "method")
    assert method is not None
    assert method.name == "cocord"


def test_lists_that_no_person_wrote_are_refused_unread(tmp_path: Path) -> None:
    bad = "[[variant]]\nset.x = 1\n" * 100_000
    with pytest.raises(InputError) as caught:
        read(tmp_path, bad)
    (problem,) = caught.value.problems
    assert problem.key == "variant"
    assert "100,000" in problem.message


def test_the_first_problems_of_very_many_are_told(tmp_path: Path) -> None:
    study = read(tmp_path, "[[variant]]\nset.x = 1\n" * 5_000)
    with pytest.raises(InputError) as caught:
        rows(study, COCORD)
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert str(MOST_PROBLEMS) in caught.value.problems[-1].message


def test_very_many_wrong_entries_are_told_by_their_first_and_their_number(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "[[variant]]\nlable = 'x'\n" * 5_000)
    assert len(caught.value.problems) == MOST_PROBLEMS + 1
    assert "9,900" in caught.value.problems[-1].message


def test_a_title_is_a_line(tmp_path: Path) -> None:
    study = read(tmp_path, "[[ablation]]\nablated_part = 'lr'\nreplacement = [1]\n")
    assert study.problems == []
    path = tmp_path / "long.toml"
    path.write_text(f'title = "{"T" * 2_000_000}"\nmethod = "cocord"\n')
    assert [p.key for p in read_study(path).problems][:1] == ["title"]
