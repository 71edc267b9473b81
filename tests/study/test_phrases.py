from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.study.phrases import content_words, number_of, repaired


@pytest.mark.parametrize(
    "spellings",
    [
        ("m_c", "mc", "(mc)", "$m_c$", "`m_c`", "M_{c}"),
        ("L̃_pred only", "L~pred only", "L~_pred only", "$\\tilde{\\mathcal{L}}_{pred}$ only"),
        ("λ_pred", "lambda_pred", "\\lambda_{pred}", "λpred"),
        ("momentum update of the teacher head", "Momentum update for the teacher head"),
        ("w/o predictor", "without predictor"),
        ("normalisation in heads", "Normalization in the head"),
        ("two-layer perceptron", "2-layer perceptron"),
        ("1.0", "1", "1e0"),
    ],
)
def test_spellings_of_one_name_are_one(spellings: tuple[str, ...]) -> None:
    assert len({content_words(text) for text in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("predictor", "no predictor"),
        ("1", "< 1"),
        ("10", "10%"),
        ("1024", "2¹⁰"),
        ("0.5", "-0.5"),
        ("L_pred", "L̃_pred"),
        ("L_pred", "L_pred + L̃_pred"),
        ("resnet8", "resnet8x4"),
    ],
)
def test_what_changes_the_meaning_is_a_word(one: str, other: str) -> None:
    assert content_words(one) != content_words(other)


def test_text_read_in_a_wrong_encoding_is_repaired() -> None:
    for encoding in ("cp1252", "latin-1", "gb18030"):
        assert repaired("λ_pred".encode().decode(encoding)) == "λ_pred"
    assert repaired("λ_pred, ½, 位置") == "λ_pred, ½, 位置"


@given(st.text())
def test_any_text_has_words_and_none_of_them_joins(text: str) -> None:
    assert content_words(text).isdisjoint({"", "the", "of"})
    assert content_words(repaired(text)) is not None


@given(st.floats(0, 1e9, allow_subnormal=False))
def test_numbers_keep_their_value(number: float) -> None:
    (word,) = content_words(repr(number))
    assert number_of(word) == number
