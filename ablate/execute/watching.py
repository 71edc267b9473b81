"""Follow the event logs of running jobs: how they began, which epochs they finished."""

from __future__ import annotations

from ablate.execute.attempt_end import beginning
from ablate.execute.display import Display
from ablate.store.events import EpochEnded
from ablate.store.history import Attempt, history
from ablate.store.rundir import RunDirectory


class LogWatch:
    """Show new events of running jobs on a display."""

    def __init__(self, display: Display) -> None:
        self.resumed: set[str] = set()  #: jobs that went on from a checkpoint
        self._display = display
        self._sizes: dict[str, int] = {}  #: of event logs, when they were last read
        self._epochs: dict[str, int] = {}
        self._begun: set[tuple[str, int]] = set()  #: attempts of which it was told how they began

    def look(self, run: RunDirectory, attempt: int) -> bool:
        """Read a job's log if it has grown; whether this attempt has finished an epoch by then.

        Raises StoreError where the log cannot be read.
        """
        size = run.events_size()
        if size == self._sizes.get(run.id):
            return False
        events = run.events().events
        self._sizes[run.id] = size
        past = history(events)
        if past.attempts:
            self.began(run.id, attempt, past.attempts[-1])
        last = max(past.epochs, default=0)
        if last > self._epochs.get(run.id, 0):
            self._epochs[run.id] = last
            self._display.epoch(run.id, last, past.epochs[last])
        return any(isinstance(e, EpochEnded) and e.attempt >= attempt for e in events)

    def began(self, job: str, attempt: int, written: Attempt | None) -> None:
        """Tell once where an attempt went on, or that no checkpoint was sound."""
        if written is None or written.number < attempt or (job, attempt) in self._begun:
            return
        if not (words := beginning(written)):
            return
        self._begun.add((job, attempt))
        if written.resumed_step is not None:
            self.resumed.add(job)
        self._display.note(job, *words)
