"""A study at a glance: what was interrupted and lost, what runs, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from ablate.methods.lifecycle import BROKEN, BROKEN_OFF, ERRORS, AttemptOutcome, JobStatus
from ablate.store.query import JobState

_OPEN = frozenset(JobStatus) - BROKEN - {JobStatus.DONE}


@dataclass(frozen=True)
class Glance:
    """Figures of any number of jobs, each counted once."""

    jobs: int
    done: int
    running: int
    interrupted_jobs: int
    interruptions: int
    errors: int  #: attempts that ended in an error
    resumptions: int
    begun_anew: int  #: attempts after the first that had no checkpoint to go on from
    lost_seconds: float  #: the most that one resumption had to do again
    seconds_left: float | None  #: None where nothing is running, or nothing is known to compare

    def sentence(self) -> str:
        """The figures in words: "2 of 11 jobs were interrupted 4 times; all resumed, ..."."""
        if not self.jobs:
            return "no jobs"
        if not self.interruptions:
            text = f"{self.done} of {counted(self.jobs, 'job')} done, none was interrupted"
        else:
            were = "was" if self.interrupted_jobs == 1 else "were"
            times = counted(self.interruptions, "time")
            text = (
                f"{self.interrupted_jobs} of {counted(self.jobs, 'job')} {were} interrupted {times}"
            )
            every = self.resumptions >= self.interruptions
            resumed = "all resumed" if every else f"{self.resumptions} resumed from a checkpoint"
            if self.begun_anew:
                resumed += f", {self.begun_anew} began anew"
            lost = f", at most {self.lost_seconds:.1f} s of work lost" if self.resumptions else ""
            text += f"; {resumed}{lost}"
        if self.errors:
            text += f", {counted(self.errors, 'attempt')} ended in an error"
        state = f"{self.running} running" if self.running else "idle"
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        return f"{text}; {state}{left}"

    def to_json(self) -> dict[str, Any]:
        """The figures and the sentence."""
        return {**asdict(self), "sentence": self.sentence()}


def glance(jobs: Iterable[JobState], seconds: Mapping[str, float]) -> Glance:
    """Sum jobs up; `seconds`: job -> how long its attempts have worked so far."""
    own = list({job.id: job for job in jobs}.values())
    broken_off = [sum(one in BROKEN_OFF for one in _ends(job)) for job in own]
    lost = [r.lost_seconds or 0.0 for job in own for r in job.resumptions]
    return Glance(
        jobs=len(own),
        done=sum(job.status is JobStatus.DONE for job in own),
        running=sum(job.status is JobStatus.RUNNING for job in own),
        interrupted_jobs=sum(count > 0 for count in broken_off),
        interruptions=sum(broken_off),
        errors=sum(one in ERRORS for job in own for one in _ends(job)),
        resumptions=sum(len(job.resumptions) for job in own),
        begun_anew=sum(max(0, job.attempts - 1 - len(job.resumptions)) for job in own),
        lost_seconds=max(lost, default=0.0),
        seconds_left=_seconds_left(own, seconds),
    )


def _ends(job: JobState) -> list[AttemptOutcome | None]:
    """How each attempt at a job ended; one whose process is gone was lost, if nothing says so."""
    gone = job.status is JobStatus.INTERRUPTED
    return [AttemptOutcome.LOST if one is None and gone else one for one in job.outcomes]


def _seconds_left(jobs: Sequence[JobState], seconds: Mapping[str, float]) -> float | None:
    """What open jobs will take if they take as long as finished ones of their kind and pair."""
    running = sum(job.status is JobStatus.RUNNING for job in jobs)
    known: dict[tuple[str, str], list[float]] = {}
    for job in jobs:
        if job.status is JobStatus.DONE and job.id in seconds:
            known.setdefault((job.kind, job.pair), []).append(seconds[job.id])
    left = []
    for job in (job for job in jobs if job.status in _OPEN):
        if (job.kind, job.pair) not in known:
            return None
        usual = fmean(known[job.kind, job.pair])
        left.append(max(0.0, usual - seconds.get(job.id, 0.0)))
    return max(sum(left) / running, *left) if running and left else None


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def counted(number: int, what: str) -> str:
    """A number with its noun: "1 job", "2 jobs", "2 studies"."""
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what[:-1]}ies" if what.endswith("y") else f"{number:,} {what}s"
