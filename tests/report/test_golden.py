"""Every format of two small studies, as text. To write the files anew after a wanted change:

ABLATE_WRITE_GOLDEN=1 pytest tests/report/test_golden.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ablate import report
from ablate.report.choices import Format
from tests.report.report_studies import momentum_grid, paper, two_pairs

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"terminal": "txt", "markdown": "md", "latex": "tex"}


def two_pairs_tables():
    return report.study_tables(two_pairs())


def published_tables():
    return report.study_tables(paper())[:1]


def grid_tables():
    return report.study_tables(momentum_grid())[:1]


def power_tables():
    return [report.power_report(two_pairs(), 0.3)]


CASES = [("two_pairs", two_pairs_tables, name) for name in Format] + [
    (case, tables, name)
    for case, tables in (
        ("published", published_tables),
        ("grid", grid_tables),
        ("power", power_tables),
    )
    for name in ("terminal", "latex")
]


@pytest.mark.parametrize(("case", "tables", "name"), CASES, ids=[f"{c}-{n}" for c, _, n in CASES])
def test_golden(case, tables, name):
    text = report.render(tables(), name)
    path = GOLDEN / f"{case}.{ENDINGS.get(name, name)}"
    if os.environ.get("ABLATE_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert _without_last_bits(text) == _without_last_bits(path.read_text(encoding="utf-8"))


def _without_last_bits(text: str) -> str:
    """Full-precision numbers to nine digits: libraries differ in the last bits."""
    return re.sub(r"\d\.\d{10,}(e-?\d+)?", lambda m: f"{float(m[0]):.9g}", text)
