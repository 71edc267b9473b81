"""LaTeX tables of one study: the first says what all share, later ones refer to it."""

from __future__ import annotations

import re

from ablate import report
from ablate.report.renderers.latex import render_latex
from tests.report.page_studies import five_pairs
from tests.report.report_studies import costs, two_pairs

QUESTION = "Does the swapped view's prediction help?"
SHARED = (
    "Digits, profile quick, 30 epochs",
    "Intervals cover seeds (first weights, order, views), given this teacher, split and test set.",
)


def test_question_and_notes_stand_once():
    text = render_latex(report.study_tables(two_pairs()))
    assert len(re.findall(r"\\caption", text)) == 3
    for words in (QUESTION, *SHARED):
        assert text.count(words) == 1
    first, *later = text.split(r"\begin{table}")[1:]
    assert all(words in first for words in (QUESTION, *SHARED))
    assert r"\ref" not in first
    for table in later:
        assert r"See also the notes of Table~\ref{tab:symmetry-pairs}." in table


def test_a_table_says_what_is_its_own():
    _, first, second = render_latex(report.study_tables(two_pairs())).split(r"\begin{table}")[1:]
    assert "Pairing: r = 0.71" in first
    assert "no intervals before all seeds have ended" in second
    assert "seed 2 diverged, seed 1 failed" in second


def test_later_tables_are_short():
    tables = render_latex(report.study_tables(five_pairs())).split(r"\begin{table}")[1:]
    notes = [table.partition(r"\raggedright")[2].count("\n") for table in tables]
    assert len(notes) == 6
    assert max(notes[1:]) < notes[0]


def test_another_study_says_everything_itself():
    tables = [*report.study_tables(two_pairs()), *report.study_tables(costs(name="other"))]
    text = render_latex(tables)
    assert text.count(QUESTION) == 2
    assert text.count("Digits, profile quick, 30 epochs, last epoch") == 2
