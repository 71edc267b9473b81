"""The interface of a run's display; the terminal's display lives in the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ablate.errors import Remedy, StoreError
from ablate.methods.lifecycle import JobStatus


@dataclass(frozen=True)
class Work:
    """A job that this run has to do, as a user sees it."""

    name: str
    epochs: int
    before: int = 0  #: epochs that earlier runs did


class Display(Protocol):
    """Shows what happens; nothing that it raises ends the run."""

    def begin(self, work: Mapping[str, Work]) -> None:
        """The run has these jobs to do; called again when a study grows."""

    def job(self, job: str, status: JobStatus, detail: str = "") -> None:
        """A job has another status than before."""

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A running job finished an epoch."""

    def note(self, job: str, what: str, detail: str) -> None:
        """What happened to a running job: a word, and the details."""

    def say(self, sentence: str, *remedies: Remedy) -> None:
        """Print a sentence, and the commands that help."""

    def end(self) -> None:
        """The run is over."""


class Silent:
    """A display that shows nothing."""

    def begin(self, work: Mapping[str, Work]) -> None:
        """Show nothing."""

    def job(self, job: str, status: JobStatus, detail: str = "") -> None:
        """Show nothing."""

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Show nothing."""

    def note(self, job: str, what: str, detail: str) -> None:
        """Show nothing."""

    def say(self, sentence: str, *remedies: Remedy) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


class UnfailingDisplay:
    """A display that stops at its first error of any kind, while the run goes on."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.gone = False  #: whether it ended

    def begin(self, work: Mapping[str, Work]) -> None:
        """As `Display.begin`."""
        self._tell(lambda: self._display.begin(work))

    def job(self, job: str, status: JobStatus, detail: str = "") -> None:
        """As `Display.job`."""
        self._tell(lambda: self._display.job(job, status, detail))

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """As `Display.epoch`."""
        self._tell(lambda: self._display.epoch(job, epoch, metrics))

    def note(self, job: str, what: str, detail: str) -> None:
        """As `Display.note`."""
        self._tell(lambda: self._display.note(job, what, detail))

    def say(self, sentence: str, *remedies: Remedy) -> None:
        """As `Display.say`."""
        self._tell(lambda: self._display.say(sentence, *remedies))

    def end(self) -> None:
        """As `Display.end`."""
        self._tell(self._display.end)

    def _tell(self, tell: Callable[[], Any]) -> None:
        if self.gone:
            return
        try:
            tell()
        except (Exception, SystemExit):  # a library may call sys.exit over a broken pipe
            self.gone = True


class Complaints:
    """Say each fault of something that the run can do without once, and go on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: set[str] = set()

    def tell(self, sentence: str) -> None:
        """Say a sentence unless it was said before."""
        if sentence not in self._known:
            self._known.add(sentence)
            self._say(sentence)

    def forget(self) -> None:
        """Say a sentence again if its fault happens again."""
        self._known.clear()

    @contextmanager
    def of_the_store(self) -> Iterator[None]:
        """Say a StoreError raised inside, once, instead of raising it."""
        try:
            yield
        except StoreError as error:
            for sentence in str(error).splitlines():
                self.tell(f"{sentence} (the run goes on)")
