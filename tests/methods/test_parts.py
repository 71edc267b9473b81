"""Parts: what they accept, what they call it, and what they say where they don't."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.methods.parts import Choice, Part, Range, format_value, plain, same, shown
from ablate.methods.registry import BUILT_IN

PARTS = {(m.name, p.name): p for m in BUILT_IN.values() for p in m.parts}
NUMBERS = st.one_of(st.integers(), st.floats())


@given(NUMBERS, st.floats(-10, 10), st.floats(0, 10), st.booleans(), st.booleans())
def test_a_range_takes_the_numbers_that_lie_in_it_and_no_others(
    value: float, low: float, width: float, whole: bool, open_low: bool
) -> None:
    allowed = Range(low, low + width, whole=whole, open_low=open_low)
    inside = (low < value if open_low else low <= value) and value <= low + width
    fits = inside and (not whole or value == int(value))
    if not fits:
        with pytest.raises(ValueError, match="number"):
            allowed.parse(value)
        return
    parsed = allowed.parse(value)
    assert parsed == value
    assert type(parsed) is (int if whole else float)
    assert allowed.parse(parsed) == parsed


@pytest.mark.parametrize("value", [True, False, "1", None, [1], {}, math.nan, math.inf, 10**400])
def test_a_range_takes_numbers_only(value: object) -> None:
    for allowed in (Range(-5), Range(0, 10, whole=True)):
        with pytest.raises(ValueError, match="number from"):
            allowed.parse(value)


def test_equal_values_have_equal_ids_however_they_are_written() -> None:
    for written in (0, 0.0, -0.0):
        assert repr(Range(0, 1).parse(written)) == "0.0"
    assert repr(Range(1, whole=True).parse(64.0)) == "64"


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        (Range(0, 1), "a number from 0 to 1"),
        (Range(0, 1000, open_low=True), "a number above 0 to 1000"),
        (Range(1, 10_000_000, whole=True), "a whole number from 1 to 10000000"),
        (Range(0, 2**31, whole=True), "a whole number from 0 to 2147483648"),
        (Choice(("both", "pred")), 'one of: "both", "pred"'),
        (Choice((True, False)), "one of: true, false"),
    ],
)
def test_allowed_values_in_words(allowed: Choice | Range, text: str) -> None:
    assert str(allowed) == text


def test_a_choice_keeps_true_and_1_apart_but_not_1_and_1_0() -> None:
    assert Choice((0.5, 1.0)).parse(1) == 1.0
    assert type(Choice((0.5, 1.0)).parse(1)) is float
    assert Choice((True, False)).parse(True) is True
    with pytest.raises(ValueError, match="one of: true, false"):
        Choice((True, False)).parse(1)
    with pytest.raises(ValueError, match="one of: 1, 2"):
        Choice((1, 2)).parse(True)


def test_a_choice_says_which_value_was_meant() -> None:
    with pytest.raises(ValueError, match='did you mean "matching-layers"'):
        Choice(("matching-layers", "adapter")).parse("matching_layers")


@given(st.one_of(st.integers(-(2**63), 2**63), st.floats(allow_nan=False), st.booleans()))
def test_formatted_values_read_back(value: float) -> None:
    text = format_value(value)
    if isinstance(value, bool):
        assert text == ("true" if value else "false")
    else:
        assert float(text) == float(value)


def test_a_part_is_called_by_its_symbol_and_its_label() -> None:
    numbers = Range(0)
    words = list(Part("a", "weight", "λ_pred", 1, numbers).words())
    assert words == ["λ_pred", "lamda_pred", "weight"]
    assert list(Part("a", "weight", "", 1, numbers).words()) == ["weight"], "not by nothing"


def test_messages_quote_text_and_nothing_else() -> None:
    assert [shown(v) for v in ("τ", 1, 0.5, True, [1])] == ['"τ"', "1", "0.5", "true", "[1]"]


def test_sameness() -> None:
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same(0.0, False)
    assert same("both", "both")


@pytest.mark.parametrize(
    "written", ["L_pred only", "l_pred only", " L_{pred}  only", "$L_pred$ only", "L_PRED ONLY"]
)
def test_plans_spell_labels_as_they_like(written: str) -> None:
    part = BUILT_IN["cocord"].part("prediction.direction")
    assert part.parse(written) == "pred"


@pytest.mark.parametrize("written", ["L̃_pred only", "L~_pred only", "l~pred only"])
def test_a_tilde_is_a_tilde(written: str) -> None:
    assert BUILT_IN["cocord"].part("prediction.direction").parse(written) == "pred_sym"
    assert plain("L_pred only") != plain(written)


@pytest.mark.parametrize("key", PARTS, ids="-".join)
def test_every_label_reads_back_as_its_value(key: tuple[str, str]) -> None:
    part = PARTS[key]
    for value, label in part.value_labels.items():
        assert same(part.parse(label), value)
    values = part.allowed.values if isinstance(part.allowed, Choice) else ()
    labels = [part.describe(value) for value in values]
    assert len(set(labels)) == len(values), "two values under one label"


@pytest.mark.parametrize("key", PARTS, ids="-".join)
def test_removing_and_adding_change_something(key: tuple[str, str]) -> None:
    part = PARTS[key]
    for value in (part.off, part.on):
        if value is not None:
            assert same(part.parse(value), value)
    if part.on is not None:
        assert part.off is not None
        assert not same(part.on, part.off)


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("prediction.direction", "both", "L_pred + L̃_pred"),
        ("loss.pred", 8.0, "λ_pred = 8"),
        ("loss.ctr", 0.0, "w/o L_ctr"),
        ("temperature", 0.05, "τ = 0.05"),
        ("dictionary.size", 512, "N = 512"),
        ("momentum.teacher_head", 1.0, "m_c = 1"),
        ("momentum.slow_student", 0.9, "m_r = 0.9"),
        ("mismatch", "adapter", "learned adapter"),
        ("encoder.cognate", "slow_student", "cognate encoder: slow student"),
        ("head.norm", "none", "no normalisation in heads"),
        ("predictor.enabled", False, "w/o predictor"),
        ("views.augmentation", "crop-flip", "crop and flip"),
        ("batch_size", 128, "batch size = 128"),
    ],
)
def test_labels_read_like_a_papers_rows(name: str, value: object, label: str) -> None:
    part = BUILT_IN["cocord"].part(name)
    assert part.describe(part.parse(value)) == label


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": 2.0}, "part lr: baseline = 2 is not allowed"),
        ({"off": "no"}, 'part lr: off = "no" is not allowed'),
        ({"on": -1}, "part lr: on = -1 is not allowed"),
        ({"value_labels": {7: "seven"}}, "part lr: value_labels = 7 is not allowed"),
        ({"name": "data"}, '"data" cannot name a part'),
        ({"name": "Learning rate"}, "cannot name a part"),
        ({"name": "a..b"}, "cannot name a part"),
    ],
)
def test_a_wrong_declaration_is_an_error_at_once(changes: dict[str, object], message: str) -> None:
    right: dict[str, object] = {
        "name": "lr", "label": "rate", "symbol": "lr", "baseline": 0.5, "allowed": Range(0, 1)
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Part(**{**right, **changes})  # type: ignore[arg-type]


def test_a_declarations_values_have_the_type_that_studies_values_get() -> None:
    part = Part("w", "weight", "w", 1, Range(0, 2), off=0, on=2)
    assert [repr(v) for v in (part.baseline, part.off, part.on)] == ["1.0", "0.0", "2.0"]
