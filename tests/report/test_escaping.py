"""Names are shown as they are, in every format, whatever they look like."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from ablate import report
from ablate.console import Styled, TextTable, grids_text
from ablate.report.renderers.html import inline
from ablate.report.renderers.markdown import escape as escape_markdown
from ablate.report.renderers.tex import tex
from tests.report.page_studies import page_of
from tests.report.report_studies import (
    NASTY,
    costs,
    many_rows,
    momentum_grid,
    nasty,
    paper,
    two_pairs,
)
from tests.report.results_builder import build, one_pair, variant


def test_terminal_shows_markup_as_text():
    text = report.render(report.study_tables(nasty()), "terminal")
    flat = " ".join(text.split())
    assert NASTY[0] in flat
    assert "[red]no[/red]" in flat
    assert all(word in flat for word in NASTY[1].split())
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 100, 140])
def test_terminal_keeps_to_its_width(width):
    from rich.cells import cell_len

    from ablate.report.renderers.terminal import render_terminal

    lines = render_terminal(report.study_tables(two_pairs()), width).splitlines()
    numbers = re.findall(r"\d\d\.\d\d ± \d\.\d\d", "\n".join(lines))
    assert len(numbers) >= 10
    # Numbers and words do not break: at 60 the rows of the details have no room for theirs.
    assert max(map(cell_len, lines)) <= {60: 80}.get(width, width)
    rules = [number for number, line in enumerate(lines) if line.startswith("─")]
    notes_and_first_table = lines[: rules[1]] + lines[rules[-1] :]
    assert max(map(cell_len, notes_and_first_table)) <= width


def test_csv_has_no_formulas():
    formulas = ('=HYPERLINK("http://x")', "+1", "-1+1", "@SUM(A1)")
    rows = (variant(formulas[0], "baseline"), *(variant(f, group=f) for f in formulas[1:]))
    columns = [[-1.0, 2.0, 3.5]] * len(rows)
    results = build({"top1": one_pair(*columns, variants=rows)}, rows)
    lines = list(csv.DictReader(io.StringIO(report.render(report.study_tables(results), "csv"))))
    assert [line["variant"] for line in lines] == [f"'{formula}" for formula in formulas]
    assert lines[0]["values"] == "0=-1.0; 1=2.0; 2=3.5"
    assert lines[1]["difference"] == "0.0"


@pytest.mark.parametrize("control", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066"])
@pytest.mark.parametrize("format_", ["terminal", "markdown", "csv", "html"])
def test_what_steers_or_reorders_text_reaches_nobody(format_, control):
    rows = (variant(f"a{control}b", "baseline"), variant(f"c{control}d", group=f"g{control}h"))
    study = build(
        {"top1": one_pair([1.0, 2.0, 4.0], [2.0, 3.0, 3.5], variants=rows)},
        rows,
        title=f"t{control}u",
        question=f"q{control}r",
        footnotes=(f"n{control}o",),
    )
    text = report.render(report.study_tables(study), format_)
    assert control not in text
    assert "a\ufffdb" in text
    assert control not in page_of(study)


def test_wide_cells_break_at_blanks_and_lose_nothing():
    grid = TextTable("t", "", ("label", "n"), ((Styled("a " * 40), Styled("word " * 30)),), ())
    text = grids_text([grid], 60)
    assert text.count("a ") >= 39
    assert text.count("word") == 30


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_escaped_and_balanced():
    page = report.render(report.study_tables(nasty()), "html")
    reader = _Text()
    reader.feed(page)
    assert not {"script", "b", "i"} & set(reader.tags)
    assert "<b>é Łódź 中文</b>" in "".join(reader.text)
    for tag in ("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"):
        assert page.count(f"<{tag}>") + page.count(f"<{tag} ") == page.count(f"</{tag}>")
    assert inline("L̃_pred only") == "<var>L&#x303;</var><sub>pred</sub> only"
    assert inline("wrn_40_2 & <x>") == "wrn_40_2 &amp; &lt;x&gt;"


def test_markdown_keeps_its_columns():
    from markdown_it import MarkdownIt

    tables = report.study_tables(nasty())
    text = report.render(tables, "markdown")
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    reader = _Text()
    reader.feed(page)
    shown = "".join(reader.text)
    for name in NASTY:
        assert name in shown
    assert reader.tags.count("td") == 6 * (len(NASTY) + 2)
    assert not {"script", "b", "i"} & set(reader.tags)
    assert escape_markdown("L_pred + L̃_pred, _x_") == "L_pred + L̃_pred, \\_x\\_"


@pytest.mark.parametrize(
    "text",
    [
        "__init__", "a __b__ c", "_a_b_", "a_b_", "___", "1. one", "12) twelve", "- item", "+ item",
        "---", "+", "-", "- - -", "* * *", "# head", "> quote", "71.30 ± 0.18", "−0.18", "-0.18",
        "+0.3", "1.5", "2024", "`code`", "~~~", "[a](b)", "![a](b)", "<b>", "&amp;", "a  b", "===",
        "\\_", "- [ ] task", "1.", "a | b",
    ],
)  # fmt: skip
def test_markdown_shows_text_as_it_is(text):
    from html import escape

    from markdown_it import MarkdownIt

    one_line = " ".join(text.split())
    shown = f"<p>{escape(one_line)}</p>\n".replace("&#x27;", "'")
    parser = MarkdownIt("gfm-like", {"linkify": False})
    assert parser.render(escape_markdown(text)) == shown


def test_csv_and_json_keep_names_and_digits():
    tables = report.study_tables(nasty())
    rows = list(csv.DictReader(io.StringIO(report.render(tables, "csv"))))
    [analysis] = json.loads(report.render(tables, "json"))["analyses"]
    records = analysis["rows"]
    assert [row["variant"] for row in rows] == [r["variant"] for r in records] == list(NASTY)
    assert rows[2]["missing"] == "0=failed; 1=diverged; 2=failed"
    assert rows[2]["mean"] == ""
    assert records[2]["mean"] is None
    rows = list(csv.DictReader(io.StringIO(report.render(report.study_tables(two_pairs()), "csv"))))
    document = json.loads(report.render(report.study_tables(two_pairs()), "json"))
    records = {
        (analysis["pair"], record["variant"]): record
        for analysis in document["analyses"]
        for record in analysis["rows"]
    }
    rows = [row for row in rows if row["role"]]
    assert {(row["pair"], row["variant"]) for row in rows} == records.keys()
    for row in rows:
        record = records[row["pair"], row["variant"]]
        for key in ("mean", "sd", "p", "low", "df"):
            assert row[key] == ("" if record[key] is None else repr(record[key]))


def test_one_study_under_two_settings_keeps_apart():
    both = report.study_tables(two_pairs()) + report.study_tables(
        two_pairs(overrides={"epochs": 2})
    )
    alone = json.loads(report.render(report.study_tables(two_pairs()), "json"))["analyses"]
    assert len(json.loads(report.render(both, "json"))["analyses"]) == 2 * len(alone)
    text = report.render(both, "terminal")
    assert text.count("Digits, profile quick") == 2
    assert text.count("Does the swapped") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L_pred + L̃_pred", r"$L_{\mathrm{pred}}$ + $\tilde{L}_{\mathrm{pred}}$"),
        ("m_c × m_r", r"$m_c$ $\times$ $m_r$"),
        ("λ_ctr = 1", r"$\lambda_{\mathrm{ctr}}$ = 1"),
        ("τ = 0.2", r"$\tau$ = 0.2"),
        ("94.31 ± 0.21", r"94.31 $\pm$ 0.21"),
        ("wrn_40_2", r"wrn\_40\_2"),
        ("50%_a&b#{}~^\\$",
         r"50\%\_a\&b\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}\$"),
        ("é Łódź ŷ", r"\'{e} \L{}\'{o}d\'{z} \^{y}"),
        ("ﬁ 中", "fi [U+4E2D]"),
        ("[x] -- ''", "{[}x] -{}- '{}'"),
        ("* x", "{*} x"),
    ],
)  # fmt: skip
def test_tex(text, expected):
    assert tex(text) == expected


def test_latex_says_where_its_long_tables_do_not_fit():
    long, short = (report.render(report.study_tables(many_rows(n)), "latex") for n in (60, 10))
    assert "two-column class" in long.splitlines()[1]
    assert "two-column" not in short


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_of_every_layout_compiles(tmp_path):
    sizes = map(many_rows, (20, 24, 28, 29, 32, 36, 40, 60))
    tables = [table for study in (two_pairs(), momentum_grid(), nasty(), costs(), *sizes)
              for table in report.study_tables(study)]  # fmt: skip
    tables += report.study_tables(paper())
    tables.append(report.power_report(two_pairs(), 0.3))
    layouts = {table.layout for table in tables}
    assert layouts == {"pairs", "one_part", "grid", "contrasts", "costs", "power"}
    pasted = report.render(tables, "latex")
    packages = re.findall(r"\\usepackage\{\w+\}", pasted.splitlines()[0])
    document = "\n".join(
        [r"\documentclass{article}", *packages, r"\begin{document}", pasted, r"\end{document}"]
    )
    (tmp_path / "tables.tex").write_text(document, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "tables.tex"],
        cwd=tmp_path, check=False, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]
    log = (tmp_path / "tables.log").read_text(encoding="utf-8", errors="replace")
    assert "multiply defined" not in log
    assert "Float too large" not in log
