"""Any text as LaTeX that prints what the text says, and no other number."""

from __future__ import annotations

import pytest

from ablate.report.choices import Engine
from ablate.report.renderers.tex import tex


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("K = 2¹⁰", "K = 2$^{10}$"),
        ("10⁻⁴", "10$^{-4}$"),
        ("x₁₂", "x$_{12}$"),
        ("½ width", r"$\frac{1}{2}$ width"),
        ("√2 ∈ A†", r"$\surd$2 $\in$ A\dag{}"),
        ("✓ ✗", r"\ding{51} \ding{55}"),
        ("ά", r"$\acute{\alpha}$"),
        ("5° 3′", r"5$^\circ$ 3$'$"),
        ("ﬁt １２", "fit 12"),
    ],
)
def test_what_latex_can_say(text: str, written: str) -> None:
    assert tex(text) == written


@pytest.mark.parametrize("text", ["中", "Ж", "①"])
def test_other_scripts_pass_through_for_lualatex_and_are_codes_for_pdflatex(text: str) -> None:
    assert tex(text, Engine.LUALATEX) == text
    assert f"[U+{ord(text):04X}]" in tex(text)


def test_private_characters_of_a_text_are_no_codes() -> None:
    assert tex("a\ue0004E2D\ue001b") == "a4E2Db"


def test_a_superscript_is_never_a_digit_beside_its_base() -> None:
    assert "210" not in tex("2¹⁰")
    assert "12" not in tex("½")


def test_a_letter_of_another_script_is_one_code_with_its_accent() -> None:
    assert tex("Ёй") == "[U+0401][U+0439]"
    assert tex("Ёй", Engine.LUALATEX) == "Ёй"
    assert "[U+" not in tex("ά é ŷ")
