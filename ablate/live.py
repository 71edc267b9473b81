"""Live progress of a run: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from ablate.console import console, escape

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Live:
    """Shows jobs, epochs and the time left; use it as a context manager.

    `epochs` maps each job that has something to do to its number of epochs, `names` to what
    people call it. Jobs count by their epochs, so that the time left means something.
    """

    def __init__(self, names: Mapping[str, str], epochs: Mapping[str, int]) -> None:
        self._names, self._epochs = names, epochs
        self._console = console(stderr=True)
        self._done: dict[str, int] = {}
        self._finished = 0
        self._bars: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        self._total: TaskID | None = None

    def __enter__(self) -> Live:
        if self._console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._progress.start()
            self._total = self._progress.add_task("", total=sum(self._epochs.values()) or 1)
            self._show_total()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, sentence: str) -> None:
        """Print a line above the bars."""
        self._console.print(escape(sentence))

    def job(self, job: str, phase: str, detail: str = "") -> None:
        """A job entered a phase: show its bar while it runs, a line when it ends."""
        name = self._names.get(job, job[:10])
        if phase == "running":
            if self._progress is None:
                self.say(f"{'started':9} {name}  ({detail})")
            else:
                self._bars[job] = self._progress.add_task(
                    f"  {escape(name)}", total=self._epochs.get(job, 1)
                )
            return
        if self._progress is not None and job in self._bars:
            self._progress.remove_task(self._bars.pop(job))
        if phase == "done":
            self._finished += 1
            self._count(job, self._epochs.get(job, 1))
        self.say(f"{phase:9} {name}" + (f"  ({detail})" if detail else ""))
        self._show_total()

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A running job finished an epoch."""
        self._count(job, epoch)
        if self._progress is not None and job in self._bars:
            top1 = f"  top-1 {metrics['top1']:.1f} %" if "top1" in metrics else ""
            name = escape(self._names.get(job, job[:10]))
            self._progress.update(self._bars[job], completed=epoch, description=f"  {name}{top1}")
            self._show_total()

    def _count(self, job: str, epoch: int) -> None:
        self._done[job] = max(epoch, self._done.get(job, 0))

    def _show_total(self) -> None:
        if self._progress is not None and self._total is not None:
            self._progress.update(
                self._total,
                completed=sum(self._done.values()),
                description=f"{self._finished}/{len(self._epochs)} jobs done",
            )
