"""The live display: what it says, whose pace it goes by, and that it never ends a run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ablate.cli import live
from ablate.cli.live import Live, Pace, duration
from ablate.execute.display import Work
from ablate.methods.lifecycle import JobStatus


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_time_left_goes_by_this_runs_own_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.left(10) is None, "nothing to judge by"
    clock.now = 500.0  # before anything began: waiting, expanding, importing
    pace.start()
    clock.now += 20.0
    pace.count(4)
    assert pace.left(10) == pytest.approx(50.0)
    clock.now += 10.0
    assert pace.left(10) == pytest.approx(40.0), "it shrinks between two epochs"
    clock.now += 1000.0
    assert pace.left(10) == 0.0
    assert pace.left(0) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.0, "about 1 s left"),
        (59.4, "about 59 s left"),
        (59.9, "about 1 min left"),
        (61, "about 1 min left"),
        (3599, "about 1 h 00 min left"),
        (3660, "about 1 h 01 min left"),
        (7190, "about 2 h 00 min left"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> io.StringIO:
    stream = io.StringIO()
    made = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    monkeypatch.setattr(live, "console", lambda stderr: made)
    return stream


def drive(clock: Clock) -> None:
    work = {"a": Work("L_pred [only], seed 0", 10, before=6), "b": Work("x" * 80, 10)}
    display = Live(Path(), clock)
    display.begin(work)
    display.job("a", JobStatus.RUNNING, "attempt 2 on cpu")
    display.job("b", JobStatus.RUNNING, "attempt 1 on cpu")
    display.note("a", "resumed", "from step 48, epoch 6")
    clock.now += 8.0
    display.epoch("a", 8, {"top1": 81.25})
    display.job("b", JobStatus.FAILED, "ValueError: [bold]no[/bold]")
    display.say("a sentence")
    display.job("unknown job", JobStatus.RUNNING, "")
    display.epoch("unknown job", 1, {})
    clock.now += 8.0
    display.job("a", JobStatus.DONE)
    display.end()


def test_plain_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, terminal=False)
    drive(Clock())
    assert stream.getvalue().splitlines()[:1] == [
        "started   L_pred [only], seed 0  (attempt 2 on cpu)"
    ]
    assert "ValueError: [bold]no[/bold]" in stream.getvalue()
    note = "resumed   L_pred [only], seed 0  (from step 48, epoch 6)\n"
    assert note in stream.getvalue()
    assert "done      L_pred [only], seed 0\n" in stream.getvalue()


def test_bars_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, terminal=True)
    drive(Clock())
    text = stream.getvalue()
    assert "0/2 jobs done" in text
    assert "6/10 epochs" in text, "what earlier runs did is not done again"
    assert "L_pred [only], seed 0" in text
    assert "x" * 5 + "…" + "x" * 5 in text


def test_a_terminal_that_went_away_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            tried.append(text)
            raise OSError(5, "Input/output error")

    for terminal in (True, False):
        tried.clear()
        made = Console(file=Gone(), force_terminal=terminal, width=100)
        monkeypatch.setattr(live, "console", lambda stderr, made=made: made)
        drive(Clock())
        assert tried, "it wrote, and went on"


def test_names_that_are_cut_stay_distinct() -> None:
    same = "L_pred + L_crd of the first and the second kind, resnet110/resnet32"
    names = {f"{n}abcdef": f"{same}, seed {n}" for n in range(3)}
    names |= {"aaaaaaaa": f"begin {'x' * 60} end", "bbbbbbbb": f"begin {'y' * 60} end"}
    short = live.short_names(names, 30)
    assert len(set(short.values())) == len(names)
    assert max(map(len, short.values())) <= 30
    assert all(short[f"{n}abcdef"].endswith(f"seed {n}") for n in range(3))
    assert live.short_names({"a": "short", "b": "short"}, 30) == {"a": "short", "b": "short"}


def test_lines_do_not_break_at_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = shown(monkeypatch, terminal=True)
    clock = Clock()
    display = Live(Path(), clock)
    display.begin({"a": Work("a long name of a job " * 4 + "seed 0", 1000)})
    display.job("a", JobStatus.RUNNING, "")
    clock.now += 40.0 * 60
    display.epoch("a", 100, {"top1": 81.25})
    assert display._progress is not None
    lines = display._progress.console.render_lines(display._progress.get_renderable(), pad=False)
    assert len(lines) == 2, "the total and one job"
    text = ["".join(segment.text for segment in line) for line in lines]
    assert all("about 6 h 00 min left" in line for line in text), text
    display.end()
    assert stream.getvalue()


def test_a_closed_pipe_does_not_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            tried.append(text)
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stderr", Gone())
    display = Live(Path())
    display.begin({"a": Work("a", 10)})
    display.say("to nobody")
    display.end()
    assert tried, "it wrote, and went on"
