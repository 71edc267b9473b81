"""The summary of a run, and its opening and closing lines."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from ablate.errors import Remedy, StoreError
from ablate.execute.agenda import Agenda
from ablate.execute.attempt_end import log_tail
from ablate.execute.recovery import Past
from ablate.matrix.identity import short
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import BROKEN, JobStatus
from ablate.store.history import (
    history,
)
from ablate.store.rundir import RunDirectory

Line = tuple[str, tuple[Remedy, ...]]  #: a sentence and the commands that help


@dataclass(frozen=True)
class Summary:
    """How a run ended."""

    statuses: Mapping[str, JobStatus]  #: job -> status at the end
    launched: int  #: attempts started
    resumed: int  #: jobs that went on from a checkpoint, however often
    stopped: bool = False  #: somebody asked the run to stop
    detached: bool = False  #: the run left its jobs to a cluster
    lost: str = ""  #: why the results folder was not this run's any more
    held: Mapping[str, str] = field(default_factory=dict)  #: jobs that were left alone -> why
    messages: Mapping[str, str] = field(default_factory=dict)  #: job -> how its last attempt ended

    def count(self, *statuses: JobStatus) -> int:
        """How many jobs ended in one of `statuses`."""
        return sum(status in statuses for status in self.statuses.values())

    @property
    def complete(self) -> bool:
        """Whether every job is done."""
        return not self.held and self.count(JobStatus.DONE) == len(self.statuses)

    @property
    def exit_code(self) -> int:
        """0 fine, 1 some jobs failed or something stayed open, 130 interrupted."""
        left = self.detached and not self.held and not self.count(*BROKEN)
        if self.complete or left:
            return 0
        return 130 if self.stopped else 1


def stop_words(running: int, requests: int, *, grace_s: float) -> str:
    """What a request to stop does to the jobs that run: the first is gentle, the second is not."""
    jobs = f"{running} running job{'s' * (running != 1)}"
    if requests > 1:
        return f"ending {jobs} at once"
    return (
        f"stopping: {jobs} may take {grace_s:g} s to write a checkpoint; "
        "a second Ctrl-C ends them at once, back to their last checkpoint"
    )


def pause_words(trouble: str, *, minutes: float) -> str:
    """Why a run waits for its machine, and how long at most."""
    return (
        f"{trouble or 'the machine cannot go on'}: waiting until that is over, at most "
        f"{minutes:g} min (machine_wait_minutes); no attempt is counted"
    )


def opening(matrix: Matrix, past: Past) -> Line:
    """Opening line: what the run will do for a study, and which jobs it leaves alone."""
    plan, jobs = matrix.plan, matrix.configs.keys()
    done, resumable = len(jobs & past.done), len(jobs & past.saved())
    anew = len(jobs & past.resumable) - resumable
    failed, held = len(jobs & past.failed.keys()), len(jobs & past.held.keys())
    if done == len(jobs):
        return f"{plan.name}: all {len(jobs)} jobs are done, nothing to run", ()
    parts = [f"{plan.name} ({plan.profile}): {len(jobs)} job{'s' * (len(jobs) != 1)}"]
    parts += [f"{done} done"] if done else []
    parts += [f"{resumable} to resume"] if resumable else []
    parts += [f"{anew} begun before, without a checkpoint"] if anew else []
    parts += [f"{held} left alone"] if held else []
    parts += [f"{failed} failed before"] if failed else []
    sentence = ", ".join(parts)
    if not failed:
        return sentence, ()
    return f"{sentence}; to put {'them' if failed > 1 else 'it'} back", (Remedy("retry"),)


def closing(agenda: Agenda, summary: Summary, again: Remedy | None = None) -> list[Line]:
    """How the run ended: what a user needs of each job that failed, and a line of counts.

    `again` is the command that goes on where a run stopped.
    """
    names = agenda.names
    lines: list[Line] = []
    printed: dict[str, str] = {}  #: error -> the job with which it was printed
    for job, status in summary.statuses.items():
        if status in (JobStatus.FAILED, JobStatus.DIVERGED):
            run = agenda.run(job)
            error = _error(run) or summary.messages.get(job) or "no error was written down"
            if error in printed:
                lines.append((f"{status}  {names[job]}: same error as {printed[error]}", ()))
            else:
                printed[error] = names[job]
                lines.append(_failure(f"{status}  {names[job]}: {error}", run))
    for job, why in summary.held.items():
        gone = (Remedy("retry", ("--gone", short(job))),) if "may still run" in why else ()
        hint = "; once that process is gone for certain" if gone else ""
        lines.append((f"left alone  {names[job]}: {why}{hint}", gone))
    counts = {status: summary.count(status) for status in JobStatus if summary.count(status)}
    text = ", ".join(f"{count} {status}" for status, count in counts.items())
    text += f", {len(summary.held)} left alone" if summary.held else ""
    if summary.resumed:
        text += f"; {summary.resumed} resumed from a checkpoint"
    lines.append((text, ()))
    if summary.stopped and not summary.complete:
        lines.append(("stopped; to go on from here", (again,) if again else ()))
    elif again and summary.count(JobStatus.FAILED):
        words = "to try failed jobs again, or to go on once their code or settings are mended"
        lines.append((words, (Remedy("retry"), again)))
    return lines


def unmeasured(matrix: Matrix, summary: Summary, agenda: Agenda) -> list[str]:
    """A sentence on each metric that the study asks for and none of its finished rows has."""
    rows = {job.id for job in matrix.plan.jobs if job.variant is not None}
    found: dict[str, float] = {}
    for job in rows:
        if summary.statuses.get(job) is JobStatus.DONE:
            with suppress(StoreError):  # it may have what cannot be looked at now
                result = agenda.run(job).result()
                found |= {**result.metrics, **result.costs} if result else {}
    names = ", ".join(sorted(found))
    missing = [m.name for m in matrix.plan.metrics if found and m.name not in found]
    return [f'no job of {matrix.plan.name} measured "{name}", only: {names}' for name in missing]


def _error(run: RunDirectory) -> str:
    with suppress(StoreError):
        return history(run.events().events).error
    return ""


def _failure(words: str, run: RunDirectory) -> Line:
    """A failed job: its error, the end of its log, and where all of that lies."""
    tail = [f"    | {line}" for line in log_tail(run)]
    text = "\n".join([words, *tail, f"    log: {run.log}; details"])
    return text, (Remedy("show", (short(run.id),)),)
