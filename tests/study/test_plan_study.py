"""From a planned ablation to a study file that runs, or is refused with its open sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ablate
from ablate.errors import InputError
from ablate.methods.registry import find_method
from ablate.study.parse import read_study
from ablate.study.plan_document import PlanDocument, PlannedAblation, read_plan
from ablate.study.plan_matching import Vocabulary
from ablate.study.plan_study import PlannedStudy, look_up
from ablate.study.plan_writing import file_name, place, study_text, write

ROOT = Path(__file__).parents[2]
VOCABULARY = Vocabulary.of(find_method("cocord"))


def planned(part: str, action: str = "REPLACE", *replacement: str, **more: object) -> PlannedStudy:
    plan = PlannedAblation(3, "Study", part, action, replacement, ("Top-1 accuracy (%)",))
    fields = {**vars(plan), **more}
    return look_up(PlanDocument("plan.md", "0" * 64, ()), PlannedAblation(**fields), VOCABULARY)


def test_the_examples_resolve_and_expand(tmp_path: Path) -> None:
    document = read_plan(ROOT / "examples" / "heads.md")
    drafts = place([look_up(document, one, VOCABULARY) for one in document.ablations], tmp_path)
    write(drafts)
    for draft in drafts:
        assert draft.study.open == ()
        for profile in ("quick", "paper"):
            matrix = ablate.expand(draft.path, profile, settings=ROOT / "ablate.toml")
            assert len(matrix.plan.variants) > 1
    assert drafts[0].study.baselines == [2]
    assert "2048" in drafts[0].text
    assert "Does accuracy suffer" in ablate.read_study(drafts[0].path).file.question


def test_a_planners_document_resolves_completely(tmp_path: Path) -> None:
    document = read_plan(ROOT / "examples" / "cocord_gemini-2.5-flash.md")
    first, second = (look_up(document, one, VOCABULARY) for one in document.ablations)
    assert (first.open, second.open) == ((), ())
    assert (first.values, first.baselines) == (("pred", "pred_sym"), [])
    assert (second.values, second.baselines) == ((1.0, 0.999), [0])
    assert all(study.ablation.rationale for study in (first, second))
    write(place([first, second], tmp_path))
    for path in tmp_path.iterdir():
        for profile in ("quick", "paper"):
            plan = ablate.expand(path, profile, settings=ROOT / "ablate.toml").plan
            assert plan.title.startswith("Study of ")
            assert plan.question


@pytest.mark.parametrize(
    ("study", "words"),
    [
        (planned("momentum coefficient", "REPLACE", "0.9"), ("momentum.slow_student",)),
        (planned("mc", "REPLACE"), ("momentum.teacher_head", "no replacement")),
        (planned("mc", "REPLACE", "0.999"), ("baseline", "nothing")),
        (planned("mc", "REPLACE", "0.9", "0.90"), ("0.9", "0.90")),
        (planned("Dictionary size", "REMOVE"), ("REMOVE", "dictionary.size")),
        (planned("Predictor", "ADD"), ("ADD", "predictor.enabled")),
        (planned("Predictor", "SWAP"), ("SWAP",)),
        (planned("Predictor", "REMOVE", "with predictor"), ("REMOVE", "with predictor")),
        (planned("Predictor", "REMOVE", metrics=("robustness",)), ("robustness",)),
    ],
)
def test_what_is_open_is_refused_with_the_same_sentence(
    study: PlannedStudy, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert study.open
    assert all(word in " ".join(study.open) for word in words)
    write(place([study], tmp_path))
    with pytest.raises(InputError) as raised:
        read_study(tmp_path / "study.toml")
    assert [problem.message for problem in raised.value.problems] == list(study.open)
    assert all("plan.open" in problem.key for problem in raised.value.problems)


def test_a_decided_study_runs_once_its_open_line_is_gone(tmp_path: Path) -> None:
    study = planned("momentum coefficient", "REPLACE", "0.9")
    write(place([study], tmp_path))
    path = tmp_path / "study.toml"
    text = path.read_text().replace('ablated_part = ""', 'ablated_part = "mc"', 1)
    lines = [line for line in text.splitlines() if not line.startswith("open = ")]
    text = "\n".join(lines).replace('ablated_part = "mc"', 'ablated_part = "momentum.slow_student"')
    path.write_text(text.replace('"0.9", #', "0.8, #"))
    assert len(ablate.expand(path, settings=ROOT / "ablate.toml").plan.variants) == 2


def test_qualifiers_choose_pairs_and_usual_pairs_are_said_to_be_assumed() -> None:
    across = planned("mc in cross-architecture distillation", "REPLACE", "1.0", "0.999")
    assert across.part is not None
    assert all("momentum.teacher_head = 1 is the baseline" in text for text in across.assumed)
    assert across.baselines == [0]  # the published method freezes the head there
    usual = planned("mc", "REPLACE", "1.0", "0.999")
    assert usual.baselines == [1]
    assert usual.pairs.pairs[0] in usual.assumed[0]
    assert "# assumed: " in study_text(usual, Path())
    named = planned("mc (resnet56/resnet20)", "REPLACE", "1.0")
    assert named.pairs.pairs == ("resnet56/resnet20",)


def test_nothing_existing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("mine")
    (tmp_path / "study_2.toml").symlink_to("nowhere")
    one, two = planned("Predictor", "REMOVE"), planned("mc", "REPLACE", "1.0")
    drafts = place([one, two], tmp_path)
    assert [draft.path.name for draft in drafts] == ["study_3.toml", "study_4.toml"]
    write(drafts)
    assert (tmp_path / "study.toml").read_text() == "mine"
    again = place([one, two], tmp_path)
    assert [draft.exists for draft in again] == [True, True]
    assert [draft.path for draft in again] == [draft.path for draft in drafts]


def test_nothing_is_left_where_one_file_cannot_be_written(tmp_path: Path) -> None:
    drafts = place([planned("Predictor", "REMOVE"), planned("mc", "REPLACE", "1.0")], tmp_path)
    drafts[1].path.mkdir()
    with pytest.raises(InputError, match=r"study_2\.toml"):
        write(drafts)
    assert not drafts[0].path.exists()


@given(st.text())
def test_file_names_are_safe(name: str) -> None:
    found = file_name(name)
    assert 0 < len(found) <= 86
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert found not in ("ablate", "pyproject", "con", "nul")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=3),
)
def test_any_words_are_kept_in_toml_that_reads_back(
    name: str, part: str, replacement: list[str]
) -> None:
    study = planned(part, "REPLACE", *replacement, name=name, rationale=f"{part} {name}?")
    plan = tomllib.loads(study_text(study, Path()))["plan"]
    assert plan["name"] == name
    assert plan["ablated_part"] == part
    assert plan["replacement"] == replacement
