"""What reaches a terminal: names and messages as they are, and nothing that steers it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ablate.cli import live
from ablate.cli.app import app
from ablate.cli.live import Live
from ablate.cli.paragraphs import wrapped
from ablate.console import (
    PLAIN_WIDTH,
    Line,
    Styled,
    TextTable,
    clean,
    console,
    grids_lines,
    print_lines,
)
from ablate.execute.display import Work
from ablate.methods.lifecycle import JobStatus
from ablate.store.index import Index
from ablate.store.query import export
from tests.report.results_builder import SYMMETRY
from tests.report.results_folder import make_results

STEERING = "\x1b[31mred\x1b]0;title\x07 \x9b2J :100: [bold]no[/bold] " + "word " * 40 + "end"


def drive(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    stream = io.StringIO()
    made = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    monkeypatch.setattr(live, "console", lambda stderr: made)
    display = Live(Path())
    display.begin({"a": Work(":100: [dim]x\x1b[31m", 10)})
    display.job("a", JobStatus.RUNNING, "attempt 1 on cpu")
    display.epoch("a", 5, {"top1": 50.0})
    display.say(STEERING)
    display.end()
    return stream.getvalue()


def test_a_run_says_what_it_was_told_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drive(monkeypatch, terminal=False)
    assert not set("\x1b\x07\x9b") & set(text)
    assert "word word end\n" in text
    assert ":100: [bold]no[/bold]" in text
    assert "started   :100: [dim]x" in text


def test_bars_name_jobs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drive(monkeypatch, terminal=True)
    assert "  :100: [dim]x\ufffd[31m" in text
    assert "top-1 50.0 %" in text
    assert ":100: [bold]no[/bold]" in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("command", [["status"], ["show", "JOB"], ["status", "no\x1b[31m study"]])
def test_commands_print_nothing_that_steers_a_terminal(tmp_path: Path, command: list[str]) -> None:
    results = make_results(
        tmp_path, (SYMMETRY[0], *(replace(v, label=v.label + STEERING) for v in SYMMETRY[1:]))
    )
    with Index.open(results) as index:
        job = next(one["id"] for one in export(index) if "title" in str(one["variant"]))
    told = CliRunner().invoke(
        app, [job if word == "JOB" else word for word in command] + ["--results", str(results)]
    )
    assert "\ufffd[31m" in told.output
    assert not set("\x1b\x07\x9b") & set(told.output)


def test_time_left_counts_no_blocked_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "console", lambda stderr: Console(file=io.StringIO()))
    now = 0.0
    display = Live(Path(), lambda: now)
    display.begin({"a": Work("a", 10), "b": Work("b", 90)})
    display.job("a", JobStatus.RUNNING)
    now = 5.0
    display.epoch("a", 5, {})
    assert display._left() == pytest.approx(95.0)
    display.job("b", JobStatus.BLOCKED, "a job that it waits for failed")
    assert display._left() == pytest.approx(5.0)
    display.job("b", JobStatus.RUNNING)  # what it waits for was mended
    assert display._left() == pytest.approx(95.0)
    display.end()


@pytest.mark.parametrize("letter", ["\x1b", "\x9b", "\r", "\u202e", "\u2066", "\u200f", "\u2028"])
def test_what_steers_or_reorders_text_is_marked(letter: str) -> None:
    assert clean(f"a{letter}b") == "a\ufffdb"


def test_a_locale_without_the_letters_of_a_table_ends_no_command() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "ablate", "parts"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0
    assert b"lambda_ctr" in done.stdout
    assert b"\\u" not in done.stdout


def test_a_locale_without_the_lines_of_a_table_gets_a_rule_of_dashes() -> None:
    out = console()
    out.file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="backslashreplace")
    print_lines(out, [Line("───"), Line("a ─ b")])
    assert out.file.buffer.getvalue() == b"---\na - b\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_width_that_nobody_reads_at_is_none(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == PLAIN_WIDTH


def test_lines_are_broken_for_a_width_that_somebody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "  3d2c2fe854  done  a row with a long label, seed 0; try: `ablate retry 3d2c2fe854`"
    monkeypatch.delenv("COLUMNS", raising=False)
    assert wrapped(line) == line, "a pipe gets lines as they are"
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped(line).replace("\u00a0", " ").splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith("  3d2c2fe854")
    assert all(other.startswith("      ") for other in lines[1:])
    assert any("`ablate retry 3d2c2fe854`" in one for one in lines), "a command stays whole"


def test_a_table_is_laid_out_in_the_letters_that_there_are() -> None:
    rows = tuple(
        (Styled(label), Styled(value)) for label, value in (("τ = 0.1", "21 ± 1 •"), ("x", "3"))
    )
    grid = TextTable("λ — L̃_pred", "", ("row", "mean"), rows, ("Δ ≤ ½ é",))
    (title, _, _, _, first, second, _, _, note, _) = [
        line.text.rstrip() for line in grids_lines([grid], 60, "ascii")
    ]
    assert (title, note) == ("lambda - L~_pred", "Delta <= 1/2 e")
    assert first == "tau = 0.1  21 +/- 1 *"
    assert len(second) == len(first), "columns stay aligned"
    latin = [line.text for line in grids_lines([grid], 60, "latin-1")]
    assert latin[-2] == "Delta <= ½ é"
    assert "21 ± 1 *" in "".join(latin)
    assert "τ" in "".join(line.text for line in grids_lines([grid], 60))
