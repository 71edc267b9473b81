"""From a planned ablation to a study file that runs, or is refused with its open sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import ablate
from ablate.errors import InputError
from ablate.study.parse import read_study
from ablate.study.plan_document import read_plan
from ablate.study.plan_files import place, write
from ablate.study.plan_study import PlannedStudy, look_up
from ablate.study.plan_writing import study_text
from tests.study.plan_lab import VOCABULARY, planned

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(
    ("part", "action"), [("momentum coefficient", "REPLACE"), ("mr", "sweep"), ("mr", "")]
)
def test_a_decided_study_runs_once_part_and_action_are_filled_in(
    part: str, action: str, tmp_path: Path
) -> None:
    study = planned(part, action, "0.8", "5e-1", "0.9")
    write(place([study], tmp_path))
    path = tmp_path / "study.toml"
    head, _, plan = path.read_text().partition("[plan]")
    head = head.replace('ablated_part = ""', 'ablated_part = "momentum.slow_student"')
    head = head.replace('action = ""', 'action = "REPLACE"')
    if "baseline = " not in head:
        head = head.replace("[profiles", "baseline = 0.9\n[profiles")
    kept = [line for line in plan.splitlines() if not line.startswith("open = ")]
    path.write_text("[plan]".join((head, "\n".join(kept))))
    rows = ablate.expand(path, settings=ROOT / "ablate.toml").plan.variants
    assert {row.label for row in rows[1:]} == {"m_r = 0.8", "m_r = 0.5"}


@pytest.mark.parametrize(
    ("study", "said", "kept"),
    [
        (planned("mr", "sweep", "0.1", "5e-1"), ["sweep"], [0.1, 0.5]),
        (planned("data augmentation", "ADD", "MixUp"), ["data augmentation", "MixUp"], ["MixUp"]),
        (planned("momentum", "REPLACE", "0 / 0.99"), ["momentum", "0 / 0.99", "2 values"],
         ["0 / 0.99"]),
        (planned("momentum", "alter", "0.5"), ["momentum", "alter", "0.5"], [0.5]),
        (planned("augmentation of the views", "ADD", "MixUp"), ["ADD", "MixUp"], ["MixUp"]),
        (planned("Predictor", "REMOVE", "with predictor"), ["with predictor"], ["with predictor"]),
        (planned("Dictionary size", "REMOVE", "-"), ["REMOVE"], None),
        (planned("momentum", "REMOVE", "none"), ["momentum"], None),
    ],
)  # fmt: skip
def test_no_word_of_an_open_plan_is_lost(
    study: PlannedStudy, said: list[str], kept: list[object] | None
) -> None:
    assert all(word in " ".join(study.open) for word in said)
    table = tomllib.loads(study_text(study, Path()))
    assert table["ablation"][0].get("replacement") == kept
    assert table["plan"]["open"] == list(study.open)


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
