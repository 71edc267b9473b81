"""Tables in a terminal: sentences and numbers stay whole, legends stand under their table."""

from __future__ import annotations

import re

import pytest

from ablate import report
from ablate.report.renderers.terminal import render_terminal
from tests.report.report_studies import two_pairs

SENTENCES = ("worse by 0.97 to 1.63", "at most 0.37 better, 0.52 worse", "worse by 0.43 to 1.87")


@pytest.mark.parametrize("width", [80, 100])
def test_sentences_that_would_fold_stand_under_the_table_beside_their_labels(width):
    lines = render_terminal(report.study_tables(two_pairs()), width).splitlines()
    start = lines.index("Compared with the baseline:")
    assert lines[start - 1].startswith("─")
    labels = ("L_pred only", "L̃_pred only", "KD")
    for line, label, sentence in zip(lines[start + 1 :], labels, SENTENCES, strict=False):
        assert line.startswith(f"  {label} ")
        assert line.endswith(f"  {sentence}")


def test_sentences_stay_in_the_table_where_there_is_room():
    text = render_terminal(report.study_tables(two_pairs()), 160)
    assert "Compared with the baseline:" not in text
    assert re.search(r"^  L_pred only .*\[−1.63, −0.97\].* worse by 0.97 to 1.63$", text, re.M)


def test_labels_that_occur_twice_keep_their_headings():
    from ablate.console import Styled, TextTable, grids_text

    rows = tuple(
        row
        for pair in ("first", "second")
        for row in ((Styled(pair),), (Styled("  same"), Styled(f"many words on {pair}")))
    )
    grid = TextTable("t", "", ("label", "what it says"), rows, (), words=frozenset({1}))
    lines = [line.strip() for line in grids_text([grid], 22).splitlines()]
    listed = lines[lines.index("What it says:") :]
    assert listed.index("first") < listed.index("second")


def test_a_mark_stays_beside_its_number():
    for width in range(30, 60):
        lines = render_terminal(report.study_tables(two_pairs()), width).splitlines()
        assert not any(line.strip() in ("•", "◦") for line in lines), width


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_number_interval_or_count_breaks(width):
    text = render_terminal(report.study_tables(two_pairs()), width)
    rows = "\n".join(re.findall(r"─+\n(.*?)─+\n", text, re.S))
    assert len(re.findall(r"\[[−+]\d.\d\d, [−+]\d.\d\d\]", rows)) == 4
    assert len(re.findall(r"1 diverged", rows)) == 2
    assert len(re.findall(r"1 failed", rows)) == 2


def test_the_legend_stands_under_every_table_and_other_notes_once():
    lines = render_terminal(report.study_tables(two_pairs())).splitlines()
    legends = [at for at, line in enumerate(lines) if line.startswith("±: standard deviation")]
    titles = [at for at, line in enumerate(lines) if line.startswith("Symmetrization of")]
    assert len(legends) == len(titles) == 3
    assert all(title < legend for title, legend in zip(titles, legends, strict=True))
    assert all(legend < title for legend, title in zip(legends, titles[1:], strict=False))
    assert sum(line.startswith("Digits, profile quick") for line in lines) == 1
