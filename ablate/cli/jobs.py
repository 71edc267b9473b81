"""Commands about single jobs: show, logs, retry."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli import complete
from ablate.cli.common import (
    DebugOption,
    JsonOption,
    ResultsOption,
    existing_results,
    guarded,
    print_json,
    tell,
)
from ablate.console import clean
from ablate.errors import InputError, Problem, StoreError
from ablate.matrix.identity import short

if TYPE_CHECKING:
    from ablate.store.query import JobDetails
    from ablate.store.rundir import RunDirectory

_SHOWN = 16 * 2**20  #: bytes of a log that are printed at most: those at its end

JobArgument = Annotated[
    str, typer.Argument(help="Job id, or the start of one.", autocompletion=complete.jobs)
]


def find_run(results: Path, job: str) -> RunDirectory:
    """Run directory by the start of a job's id; InputError if that is none or several."""
    from ablate.store.find import find_job
    from ablate.store.index import Index
    from ablate.store.rundir import RunDirectory

    with Index.open(results) as index:
        return RunDirectory.of(results, index.read(partial(find_job, prefix=job)))


@guarded
def show(
    job: JobArgument,
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show where a number comes from: config, attempts, versions, git state, files.

    Example: ablate show d8bcf5c555
    """
    from ablate.cli.describe import job_lines, job_record
    from ablate.store import query
    from ablate.store.index import Index

    folder = existing_results(results)
    with Index.open(folder) as index:
        found = query.job(index, find_run(folder, job).id)
    if as_json:
        print_json(job_record(found))
        return
    tell("\n".join(job_lines(found)))


@guarded
def logs(
    job: JobArgument,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep following the log.")] = False,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print what a job's workers printed.

    Example: ablate logs d8bcf5c555 --follow
    """
    folder = existing_results(results)
    run = find_run(folder, job)
    position = _first_shown(run)
    if position:
        tell(f"{run.log}: its first {position:,} bytes are left out", err=True)
    while True:
        over = not (follow and _may_grow(run, folder))  # first, so that no last words are missed
        text = _read_log(run, position)
        position += len(text)
        shown = text.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        typer.echo(clean(shown), nl=False)
        if over:
            break
        time.sleep(0.3)
    if not position:
        tell(_silent(run, folder), err=True)  # the log itself is what stdout is for


def _first_shown(run: RunDirectory) -> int:
    """Byte of a job's log at which printing begins: a log may be larger than the memory."""
    try:
        with os.fdopen(run.folder.open(run.log.name, os.O_RDONLY), "rb") as log:
            return max(0, log.seek(0, os.SEEK_END) - _SHOWN)
    except OSError:
        return 0  # reading it says what is wrong


def _read_log(run: RunDirectory, position: int) -> bytes:
    """What a job's log holds from `position` on; StoreError if it is no file or cannot be read."""
    try:
        with os.fdopen(run.folder.open(run.log.name, os.O_RDONLY), "rb") as log:
            log.seek(position)
            return log.read(_SHOWN)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{run.log}: {error.strerror}") from error


def _silent(run: RunDirectory, results: Path) -> str:
    """Why there is nothing in a job's log."""
    found = _details(run, results)
    if found.gone:
        return f"job {short(run.id)} {found.gone}"
    if found.history.attempts:
        return f"job {short(run.id)} has printed nothing"
    return f"{_standing(found)}; it has not run yet"


def _details(run: RunDirectory, results: Path) -> JobDetails:
    from ablate.store import query
    from ablate.store.index import Index

    with Index.open(results) as index:
        return query.job(index, run.id)


def _standing(job: JobDetails) -> str:
    """How a job stands, in a sentence."""
    from ablate.methods.lifecycle import JobStatus
    from ablate.store.states import BLOCKED

    why = f", for {BLOCKED}" if job.status is JobStatus.BLOCKED else ""
    return f"job {short(job.id)} is {job.status}{why}"


def _may_grow(run: RunDirectory, results: Path) -> bool:
    """Whether a job's worker lives, or a run is at work that may start one."""
    from ablate.execute.recovery import lives
    from ablate.methods.lifecycle import OVER, JobStatus
    from ablate.store.history import history
    from ablate.store.locks import holder_of, orchestrator_lock

    job_history = history(run.events().events, done=run.result() is not None)
    last = job_history.attempts[-1] if job_history.attempts else None
    if last and last.open and lives(last) is not False:
        return True
    if job_history.status in OVER:
        return False
    holder = holder_of(orchestrator_lock(results))
    at_work = holder is not None and holder.lives() is not False
    return at_work and not (
        last
        and last.status is JobStatus.INTERRUPTED
        and job_history.status is not JobStatus.WAITING
    )


@guarded
def retry(
    job: Annotated[str | None, typer.Argument(help="Job id; default: all that failed.")] = None,
    gone: Annotated[
        bool,
        typer.Option(
            "--gone", help="Use when you know that the job's worker on another machine is dead."
        ),
    ] = False,
    results: ResultsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put failed and diverged jobs back in the queue; the next `ablate run` takes them up.

    Example: ablate retry d8bcf5c555
    """
    from ablate.execute.recovery import declare_gone
    from ablate.store.index import Index
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.rebuild import check_results
    from ablate.store.rundir import run_directories

    if gone and job is None:
        raise InputError(Problem("--gone", "", "needs the job that it is about", "its id"))
    folder = existing_results(results)
    check_results(folder)
    with FolderLock(orchestrator_lock(folder), "ablate retry"):
        runs = [find_run(folder, job)] if job is not None else list(run_directories(folder))
        changed = [run for run in runs if (gone and declare_gone(run)) or _requeue(run)]
        for run in () if as_json else changed:
            typer.echo(f"requeued {short(run.id)}")
        with Index.open(folder, writable=True) as index:
            index.ingest_many(changed)
    if as_json:
        print_json({"requeued": [run.id for run in changed]})
    if not changed:
        why = "no job failed or diverged" if job is None else _standing(_details(runs[0], folder))
        tell(f"nothing to requeue: {why}", err=as_json)


def _requeue(run: RunDirectory) -> bool:
    """Put a job back in the queue if it failed or diverged, and say whether it had."""
    from ablate.methods.lifecycle import JobStatus
    from ablate.store.events import Requeued
    from ablate.store.history import history

    if history(run.events().events, done=run.result() is not None).status not in (
        JobStatus.FAILED,
        JobStatus.DIVERGED,
    ):
        return False
    run.append(Requeued(time=time.time()))
    return True
