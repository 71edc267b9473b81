"""What reaches a terminal: names and messages as they are, and nothing that steers it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ablate import live
from ablate.live import Live, Work

STEERING = "\x1b[31mred\x1b]0;title\x07 \x9b2J :100: [bold]no[/bold] " + "word " * 40 + "end"


def drive(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    stream = io.StringIO()
    made = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    monkeypatch.setattr(live, "console", lambda stderr: made)
    with Live({"a": Work(":100: [dim]x\x1b[31m", 10)}) as display:
        display.job("a", "running", "attempt 1 on cpu")
        display.epoch("a", 5, {"top1": 50.0})
        display.say(STEERING)
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
