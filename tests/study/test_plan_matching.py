"""Parts and values of a plan: certain, or open with the closest ones named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.methods.metrics import Metric
from ablate.methods.parts import Part
from ablate.methods.registry import find_method
from ablate.study.phrases import content_words
from ablate.study.plan_matching import Open, Vocabulary

VOCABULARY = Vocabulary.of(find_method("cocord"))
METHOD = VOCABULARY.method


@pytest.mark.parametrize(
    ("phrase", "part"),
    [
        ("Symmetrization of the prediction loss (Lpred)", "prediction.direction"),
        ("mc", "momentum.teacher_head"),
        ("Momentum update for the teacher projection head (mc)", "momentum.teacher_head"),
        ("Momentum coefficient mr", "momentum.slow_student"),
        ("Dictionary size (N)", "dictionary.size"),
        ("Temperature (τ)", "temperature"),
        ("Î»_pred", "loss.pred"),
        ("Predictor", "predictor.enabled"),
    ],
)
def test_phrases_that_mean_one_part(phrase: str, part: str) -> None:
    found = VOCABULARY.part(phrase)
    assert isinstance(found, Part), found
    assert found.name == part


@pytest.mark.parametrize(
    ("phrase", "closest"),
    [
        ("momentum coefficient", ("momentum.teacher_head", "momentum.slow_student")),
        ("momentum coefficients (mc and mr)", ("momentum.teacher_head", "momentum.slow_student")),
        ("removal of the predictor", ("predictor.enabled",)),
        ("projection head", ("momentum.teacher_head", "head.depth")),
    ],
)
def test_phrases_that_stay_open_name_the_closest(phrase: str, closest: tuple[str, ...]) -> None:
    found = VOCABULARY.part(phrase)
    assert isinstance(found, Open)
    assert set(closest) <= set(found.closest)
    assert all(name in found.sentence for name in closest)


def test_a_qualifier_explains_words_only_where_it_is_one() -> None:
    phrase = "mc in cross-architecture distillation"
    assert isinstance(VOCABULARY.part(phrase), Open)
    words = content_words("cross-architecture distillation")
    assert isinstance(VOCABULARY.part(phrase, words), Part)


@pytest.mark.parametrize(
    ("part", "phrase", "value"),
    [
        ("prediction.direction", "Lpred only", "pred"),
        ("prediction.direction", "L~pred only", "pred_sym"),
        ("prediction.direction", "Lpred + L~pred (baseline)", "both"),
        ("momentum.teacher_head", "1.0", 1.0),
        ("momentum.teacher_head", "mc = 0.999", 0.999),
        ("momentum.teacher_head", "1 (frozen)", 1.0),
        ("head.depth", "two-layer perceptron (baseline)", 2),
        ("head.depth", "baseline", 2),
        ("head.depth", "2 (ours)", 2),
        ("predictor.enabled", "without predictor", False),
        ("dictionary.size", "N = 4096", 4096),
    ],
)
def test_values_that_are_certain(part: str, phrase: str, value: object) -> None:
    declared = METHOD.part(part)
    assert VOCABULARY.value(declared, phrase, declared.baseline) == value


@pytest.mark.parametrize(
    ("part", "phrase"),
    [
        ("prediction.direction", "Lpred"),
        ("prediction.direction", "no symmetrization"),
        ("momentum.teacher_head", "0.9 or 0.99"),
        ("momentum.teacher_head", "< 1"),
        ("momentum.teacher_head", "50%"),
        ("momentum.teacher_head", "-0.5"),
        ("momentum.teacher_head", "1.5"),
        ("momentum.teacher_head", "0.9 (baseline)"),
        ("momentum.teacher_head", "0.9 (frozen)"),
        ("dictionary.size", "2¹⁰"),
        ("dictionary.size", "1,024"),
        ("dictionary.size", "0.5"),
        ("encoder.cognate", "student and teacher"),
        ("encoder.cognate", ""),
    ],
)
def test_values_that_stay_open(part: str, phrase: str) -> None:
    declared = METHOD.part(part)
    found = VOCABULARY.value(declared, phrase, declared.baseline)
    assert isinstance(found, Open), found
    assert declared.name in found.sentence


@pytest.mark.parametrize(
    ("phrase", "part"),
    [
        ("data augmentation", "views.augmentation"),
        ("learning rate of the student", "lr"),
        ("removal of the predictor", "predictor.enabled"),
    ],
)
def test_the_likeliest_part_is_named_as_the_file_writes_it(phrase: str, part: str) -> None:
    found = VOCABULARY.part(phrase)
    assert isinstance(found, Open)
    assert f'ablated_part = "{part}"' in found.sentence
    unlike = VOCABULARY.part("projection head")
    assert isinstance(unlike, Open)
    assert "ablated_part" not in unlike.sentence


@pytest.mark.parametrize("part", METHOD.parts, ids=lambda part: part.name)
def test_every_part_and_value_is_found_by_what_tables_print(part: Part) -> None:
    found = VOCABULARY.part(f"{part.label} ({part.symbol})")
    assert isinstance(found, Part)
    assert found.name == part.name
    for value in (part.baseline, part.off, part.on):
        if value is not None:
            assert VOCABULARY.value(part, part.describe(value), part.baseline) == value


@given(st.sampled_from(METHOD.parts), st.text(max_size=20))
def test_any_phrase_is_a_value_or_a_sentence(part: Part, phrase: str) -> None:
    found = VOCABULARY.value(part, phrase, part.baseline)
    if isinstance(found, Open):
        assert found.sentence.isprintable()
    else:
        assert part.allowed.parse(found) == found


@given(st.text(max_size=40))
def test_any_phrase_is_a_part_or_a_sentence(phrase: str) -> None:
    found = VOCABULARY.part(phrase)
    assert isinstance(found, Part) or found.sentence.isprintable()


def test_metrics_are_found_by_label_name_and_alias() -> None:
    for words in ("Top-1 accuracy (%)", "top-1 Accuracy", "top1"):
        found = VOCABULARY.metric(words)
        assert isinstance(found, Metric)
        assert found.name == "top1"
    assert isinstance(VOCABULARY.metric("robustness"), Open)


@pytest.mark.parametrize(
    "phrase",
    [
        "0.05, 0.1, 0.2", "0.05; 0.1 and 0.2", "0.05, 0.1 (ours), 0.2", "0.05 / 0.1 / 0.2",
        "0.05, 0.1 baseline or 0.2", "0.05, 0.2, 0.3 (we use 0.1)", "[0.05, 0.1, 0.2]",
    ],
)  # fmt: skip
def test_several_values_in_one_item_are_counted_and_stay_open(phrase: str) -> None:
    found = VOCABULARY.value(METHOD.part("temperature"), phrase, 0.07)
    assert isinstance(found, Open)
    assert "3 values" in found.sentence
    mixed = VOCABULARY.value(METHOD.part("temperature"), "0.05, warm", 0.07)
    assert isinstance(mixed, Open)
    assert "values:" not in mixed.sentence
