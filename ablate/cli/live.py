"""Live progress of a run: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.cli.common import in_command
from ablate.console import clean, console
from ablate.errors import Remedy
from ablate.methods.lifecycle import BROKEN, JobStatus

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, Task, TaskID

    from ablate.execute.display import Work

SHORTEST_NAME, LONGEST_NAME = 20, 48  #: of a job beside its bar
_ID = 6  #: characters of a job's id that tell names apart
_BAR = 12  #: characters of a bar
_BESIDES = 70  #: what a line has besides a name: bar, epochs, top-1, the time left


class Pace:
    """Speed of this run; earlier runs do not count."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._counted_at = 0.0
        self._done = 0

    def start(self) -> None:
        """The first job began; later calls change nothing."""
        if self._began is None:
            self._began = self._counted_at = self._clock()

    def count(self, epochs: int) -> None:
        """So many epochs more were done."""
        if epochs > 0:
            self._done += epochs
            self._counted_at = self._clock()

    def left(self, epochs: int) -> float | None:
        """Seconds that so many epochs will take; None while there is nothing to judge by."""
        if self._began is None or not self._done or epochs <= 0:
            return None
        each = (self._counted_at - self._began) / self._done
        return max(0.0, epochs * each - (self._clock() - self._counted_at))


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "about 3 min left"; "" if unknown."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"about {max(1, round(seconds))} s left"
    if minutes < 60:
        return f"about {minutes} min left"
    return f"about {minutes // 60} h {minutes % 60:02d} min left"


class Live:
    """Shows jobs, epochs and the time left.

    Jobs count by their epochs, so that the time left means something. A terminal that went away
    takes the display with it, never the run.
    """

    def __init__(self, results: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`results` is where the commands lead that sentences name."""
        self._results = results
        self._clock = clock
        self._console = console(stderr=True)
        self._work: dict[str, Work] = {}
        self._short: dict[str, str] = {}  #: job -> its name beside a bar
        self._done: dict[str, int] = {}
        self._over: set[str] = set()
        self._given_up: set[str] = set()
        self._pace = Pace(clock)
        self._bars: dict[str, tuple[TaskID, Pace]] = {}
        self._progress: Progress | None = None
        self._total: TaskID | None = None

    def begin(self, work: Mapping[str, Work]) -> None:
        """Show the bar of all jobs; jobs that are added later make it longer."""
        self._work |= work
        self._done |= {job: one.before for job, one in work.items()}
        room = max(SHORTEST_NAME, min(LONGEST_NAME, self._console.width - _BESIDES))
        self._short = short_names({job: one.name for job, one in self._work.items()}, room)
        with _sturdy():
            if self._console.is_terminal and self._work and self._progress is None:
                self._progress = _progress(self._console)
                self._progress.start()
                self._total = self._progress.add_task("", total=1, note="", left=self._left)
            self._show_total()

    def end(self) -> None:
        """Take the bars away."""
        with _sturdy():
            if self._progress is not None:
                self._progress.stop()
                self._progress = None

    def say(self, sentence: str, *remedies: Remedy) -> None:
        """Print a line above the bars, with the commands that help."""
        from rich.text import Text

        sentence = in_command(sentence, remedies, self._results)
        with _sturdy():  # a text of its own: in a string rich looks for markup and emoji
            self._console.print(Text(clean(sentence)), soft_wrap=True)

    def job(self, job: str, status: JobStatus, detail: str = "") -> None:
        """A job has another status: show its bar while it runs, a line when it ends."""
        with _sturdy():
            if status is JobStatus.RUNNING:
                self._begin(job, detail)
            else:
                self._end(job, status, detail)

    def note(self, job: str, what: str, detail: str) -> None:
        """A line on what happened to a running job."""
        self.say(_line(what, self._name(job), detail))

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A running job finished an epoch."""
        with _sturdy():
            new = self._count(job, epoch)
            if self._progress is not None and job in self._bars:
                bar, pace = self._bars[job]
                pace.count(new)
                top1 = f"top-1 {metrics['top1']:.1f} %" if "top1" in metrics else ""
                self._progress.update(bar, completed=epoch, note=top1)
                self._show_total()

    def _name(self, job: str) -> str:
        return self._work[job].name if job in self._work else job[:10]

    def _begin(self, job: str, detail: str) -> None:
        self._pace.start()
        self._given_up.discard(job)
        if self._progress is None:
            self.say(_line("started", self._name(job), detail))
            return
        pace, name = Pace(self._clock), self._short.get(job, job[:10])
        pace.start()
        total = self._work[job].epochs if job in self._work else 1
        bar = self._progress.add_task(
            f"  {clean(name)}",
            total=total,
            completed=self._done.get(job, 0),
            note="",
            left=lambda: pace.left(total - self._done.get(job, 0)),
        )
        self._bars[job] = (bar, pace)

    def _end(self, job: str, status: JobStatus, detail: str) -> None:
        if self._progress is not None and job in self._bars:
            self._progress.remove_task(self._bars.pop(job)[0])
        if status is JobStatus.DONE and job in self._work:
            self._over.add(job)
            self._count(job, self._work[job].epochs)
        elif status in BROKEN:
            self._given_up.add(job)
        self.say(_line(_WORDS.get(status, status.value), self._name(job), detail))
        self._show_total()

    def _count(self, job: str, epoch: int) -> int:
        new = max(0, epoch - self._done.get(job, 0))
        self._done[job] = self._done.get(job, 0) + new
        self._pace.count(new)
        return new

    def _left(self) -> float | None:
        open_ = [job for job in self._work if job not in self._over and job not in self._given_up]
        return self._pace.left(sum(self._work[job].epochs - self._done[job] for job in open_))

    def _show_total(self) -> None:
        if self._progress is not None and self._total is not None:
            self._progress.update(
                self._total,
                total=sum(one.epochs for one in self._work.values()) or 1,
                completed=sum(self._done.values()),
                description=f"{len(self._over)}/{len(self._work)} jobs done",
            )


#: How a job stands, as people say it where that differs.
_WORDS = {
    JobStatus.BACKOFF: "retrying",
    JobStatus.READY: "waiting",
    JobStatus.INTERRUPTED: "stopped",
}


def _line(what: str, name: str, detail: str) -> str:
    return f"{what:9} {name}" + (f"  ({detail})" if detail else "")


def short_names(names: Mapping[str, str], room: int) -> dict[str, str]:
    """Names of at most `room` characters: cut in the middle, with the job's id where two are alike.

    `names` is job -> name.
    """
    cut = {job: _cut(name, room) for job, name in names.items()}
    alike = Counter(cut.values())
    return {
        job: f"{_cut(names[job], room - _ID - 1)} {job[:_ID]}"
        if alike[short] > 1 and names[job] != short
        else short
        for job, short in cut.items()
    }


def _cut(name: str, room: int) -> str:
    if len(name) <= room:
        return name
    end = (room - 1) // 2
    return name[: room - 1 - end] + "…" + name[len(name) - end :]


def _progress(out: Console) -> Progress:
    """Bars with epochs, top-1 and the time left; gone when the run ends."""
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class TimeLeft(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(duration(task.fields["left"]()), style="cyan", no_wrap=True)

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR),
        TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        TimeLeft(),
        console=out,
        transient=True,
        refresh_per_second=4,
    )


@contextmanager
def _sturdy() -> Iterator[None]:
    """Ignore errors of a closed terminal or pipe."""
    with suppress(OSError, ValueError):
        yield
