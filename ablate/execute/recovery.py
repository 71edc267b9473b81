"""Recover what earlier runs left: done and failed jobs, attempts, and live workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.errors import StoreError
from ablate.execute.attempt_end import write_end
from ablate.execute.launch.base import Handle, Launcher, LauncherSilent, read_handle
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.session import JobConfig
from ablate.store import artifacts, checkpoints
from ablate.store.events import Requeued
from ablate.store.history import (
    Attempt,
    history,
    saved_step,
)
from ablate.store.holders import end_process, holders
from ablate.store.job_result import JobResult
from ablate.store.locks import is_held
from ablate.store.processes import Alive, is_alive
from ablate.store.rundir import AbsentError, DamagedError, RunDirectory

Configs = Mapping[str, JobConfig]  #: job id -> config, upstream first
Runs = Callable[[str], RunDirectory]  #: job id -> its run directory

POLL_S = 0.05


@dataclass(frozen=True)
class Past:
    """The state of some jobs before this run."""

    done: frozenset[str]
    failed: Mapping[str, JobStatus]  #: jobs that only `ablate retry` puts back
    attempts: Mapping[str, int]  #: attempts so far
    steps: Mapping[str, int]  #: of the furthest checkpoint
    resumable: frozenset[str]  #: begun, not done
    held: Mapping[str, str] = field(default_factory=dict)  #: jobs to leave alone -> why
    epochs: Mapping[str, int] = field(default_factory=dict)  #: of resumable jobs
    inherited: Mapping[str, Handle] = field(default_factory=dict)  #: attempts that wait or run

    def saved(self) -> frozenset[str]:
        """Begun jobs that have a checkpoint to go on from."""
        return frozenset(job for job in self.resumable if self.steps[job])

    def is_open(self, job: str) -> bool:
        """Whether this run has to do a job."""
        return not (job in self.done or job in self.failed or job in self.held)

    def open(self, configs: Configs) -> list[str]:
        """Jobs that this run has to do."""
        return [job for job in configs if self.is_open(job)]


_FAILED = (JobStatus.FAILED, JobStatus.DIVERGED)


@dataclass(frozen=True)
class Inherited:
    """Attempts that an earlier run left to a place where they outlive it."""

    alive: Mapping[str, Handle]  #: job -> its attempt, which waits or runs
    unknown: Mapping[str, str]  #: job -> why nobody can tell


def inherit(configs: Configs, runs: Runs, launcher: Launcher) -> Inherited:
    """Ask a launcher for the attempts of earlier runs; those that have ended are written down."""
    handles = {
        job: handle
        for job in (configs if launcher.outlives else ())
        if not runs(job).has_result_file()
        and (handle := read_handle(runs(job).path)) is not None
        and (handle.launcher, handle.job) == (launcher.name, job)
    }
    if not handles:
        return Inherited({}, {})
    try:
        alive = {handle.job: handle for handle in launcher.find(handles.values())}
    except LauncherSilent as silent:
        return Inherited({}, dict.fromkeys(handles, f"may still wait or run: {silent}"))
    for job in handles.keys() - alive.keys():
        attempt = _open_attempt(runs(job))
        if attempt is not None and not runs(job).has_result_file():
            _write_lost(runs(job), attempt, f"ended on {launcher.name} while nobody watched")
    return Inherited(alive, {})


def read_past(
    configs: Configs,
    runs: Runs,
    held: Mapping[str, str] = {},
    inherited: Mapping[str, Handle] = {},
) -> Past:
    """Read the run directories of some jobs; what needs a job that is `held` is held with it.

    A job that has its result is done, whoever may still tidy up after it elsewhere. Attempts that
    are `inherited` count as not begun: they are taken over in place of the next one.
    """
    done, failed, attempts, steps, resumable, epochs = set(), {}, {}, {}, set(), {}
    for job in configs:
        run = runs(job)
        if run.has_result_file():
            done.add(job)
            continue
        events = run.events().events
        past = history(events)
        if not past.attempts:
            continue
        attempts[job] = past.attempts[-1].number
        steps[job] = saved_step(events)
        if past.status in _FAILED:
            failed[job] = past.status
        else:
            resumable.add(job)
            epochs[job] = max(past.epochs, default=0)
    left = {job: why for job, why in held.items() if job not in done}
    for job, config in configs.items():  # upstream first
        if job not in left and job not in done and any(n in left for n in config.upstream.values()):
            left[job] = "waits for a job that is left alone"
    resumable -= left.keys()
    alive = {job: handle for job, handle in inherited.items() if job not in done}
    attempts |= {job: handle.attempt - 1 for job, handle in alive.items()}
    return Past(
        done=frozenset(done),
        failed={job: status for job, status in failed.items() if job not in alive},
        attempts=attempts,
        steps=steps,
        resumable=frozenset(resumable),
        held=left,
        epochs=epochs,
        inherited=alive,
    )


def set_damaged_aside(configs: Configs, runs: Runs, say: Callable[[str], None]) -> None:
    """Let jobs run again that count as done and should not; with the orchestrator's lock held.

    Their result cannot be understood, or a file that they left is missing or damaged, or they were
    computed with other upstream work than is there. Jobs that failed over such a file are put
    back with it. What cannot be read now may be sound, so it stays, and the run goes on with
    other jobs.
    """
    results: dict[str, JobResult | None] = {}
    put_back: set[str] = set()
    for job, config in configs.items():  # upstream first
        run = runs(job)
        needed = {role: results.get(name) for role, name in config.upstream.items()}
        try:
            results[job], why = _judge(run, needed)
        except StoreError as error:
            say(f"{error}; its job counts as done")
            continue
        if why:
            results[job] = None
            put_back.add(job)
            say(f"{why}; its job runs again, {_set_aside(run)} is kept for a look")
        elif put_back & set(config.upstream.values()) and _has_failed(run):
            run.append(Requeued(time=time.time()))
        elif results[job] is not None and not run.has_readable_log():
            say(f"{run.events_file}: damaged; its job counts as done, without its history")


def _judge(
    run: RunDirectory, upstream: Mapping[str, JobResult | None]
) -> tuple[JobResult | None, str]:
    """The result of a job, and why it may not count, "" if it may or there is none."""
    if not run.has_result_file():
        return None, ""
    try:
        result = run.read_result()
    except (AbsentError, DamagedError) as error:
        return None, str(error)
    if wrong := artifacts.damage(run, result):
        return result, wrong
    other = artifacts.outdated(result, upstream)
    return result, f"{run.path}: {other}" if other else ""


def _set_aside(run: RunDirectory) -> Path:
    try:
        return run.set_result_aside()
    except OSError as error:
        raise StoreError(f"{run.result_file}: {error.strerror}") from error


def _has_failed(run: RunDirectory) -> bool:
    return history(run.events().events).status is JobStatus.FAILED


def mend_configs(configs: Configs, runs: Runs, say: Callable[[str], None]) -> None:
    """Write the configs anew that were damaged; with the orchestrator's lock held.

    Without its config a job that is done is in no index, and so in no table.
    """
    for job, config in configs.items():
        run = runs(job)
        try:
            begun = run.has_result_file() or run.events_size()
            if begun and run.mend_config(config):
                say(f"{run.path}: its config was damaged or missing and has been written anew")
        except OSError as error:
            say(f"{run.path}: its config cannot be written anew: {error.strerror}")


def settle_strays(
    configs: Configs,
    runs: Runs,
    grace_s: float,
    say: Callable[[str], None],
    *,
    alive: Alive = is_alive,
    at_work: Callable[[RunDirectory], bool | None] = lambda run: is_held(run.lock, depth=2),
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, str]:
    """Wait until workers of a dead orchestrator have left, and write down those that died with it.

    They noticed its death and are writing their checkpoints; those that have not left after
    `grace_s` are killed, if they prove to hold their job. Call with the orchestrator's
    lock held: then nobody else's worker can be among them. Returns the jobs that must be left
    alone, and why: unknown is not dead.
    """
    strays = _strays(configs, runs)
    held: dict[str, str] = {}
    living: dict[str, Attempt] = {}
    for job, attempt in strays.items():
        still_there = _is_at_work(attempt, runs(job), alive, at_work)
        if still_there:
            living[job] = attempt
        elif still_there is None:
            held[job] = f"may still run as process {attempt.pid} on {attempt.host}"
    if living:
        say(f"waiting for {len(living)} workers of an earlier run to write their checkpoints")

    def still(job: str) -> bool:
        return bool(_is_at_work(living[job], runs(job), alive, at_work))

    for job in _outlast(
        list(living), still, lambda job: _end_holders(runs(job)), grace_s, stopping
    ):
        held[job] = f"still runs as process {living[job].pid} on {living[job].host}"
    for job, attempt in strays.items():
        if job not in held:
            _write_down(runs(job), attempt)
    return held


def _strays(configs: Configs, runs: Runs) -> dict[str, Attempt]:
    """Open attempts without an end on record; finishes the cleaning-up of jobs that are done."""
    strays = {}
    for job in configs:
        run = runs(job)
        done = run.has_result_file()
        if done and not _has_checkpoints(run):
            continue
        if (last := _open_attempt(run)) is not None:
            strays[job] = last
        elif done:
            checkpoints.remove_all(run.checkpoints)
    return strays


def _outlast(
    left: list[str],
    still: Callable[[str], bool],
    kill: Callable[[str], None],
    grace_s: float,
    stopping: Callable[[], bool],
) -> list[str]:
    """Wait for workers to leave, killing them after `grace_s`; returns those still alive."""
    began = time.monotonic()
    while left := [job for job in left if still(job)]:
        waited = time.monotonic() - began
        if waited > grace_s:
            for job in left:
                kill(job)
        if waited > 2 * grace_s or stopping():
            break
        time.sleep(POLL_S)
    return left


def _write_down(run: RunDirectory, attempt: Attempt) -> None:
    """Close an attempt whose worker is gone, and remove what the worker would have removed.

    What the worker started may have outlived it, and may keep the device.
    """
    _end_holders(run)
    if run.has_result_file():  # it was killed between its result and its last word
        checkpoints.remove_all(run.checkpoints)
    elif _open_attempt(run) is not None:  # it may have written its own end meanwhile
        _write_lost(run, attempt, "lost with its orchestrator")


def declare_gone(run: RunDirectory) -> bool:
    """Record that the worker of an open attempt is gone, because the user says so."""
    attempt = _open_attempt(run)
    if attempt is None or run.result() is not None:
        return False
    _write_lost(run, attempt, f"declared gone from {attempt.host}")
    return True


def _write_lost(run: RunDirectory, attempt: Attempt, why: str) -> None:
    write_end(run, attempt.number, AttemptOutcome.LOST, JobStatus.INTERRUPTED, why)


def _open_attempt(run: RunDirectory) -> Attempt | None:
    past = history(run.events().events)
    last = past.attempts[-1] if past.attempts else None
    return last if last is not None and last.open else None


def _has_checkpoints(run: RunDirectory) -> bool:
    try:
        return any(os.scandir(run.checkpoints))
    except OSError:
        return False


def lives(attempt: Attempt, alive: Alive = is_alive) -> bool | None:
    """Whether an attempt's worker lives, judged by its process; None where it ran elsewhere."""
    if attempt.pid is None or attempt.process_start is None:
        return False
    return alive(attempt.host, attempt.pid, attempt.process_start)


def _is_at_work(
    attempt: Attempt, run: RunDirectory, alive: Alive, held: Callable[[RunDirectory], bool | None]
) -> bool | None:
    """Whether an attempt's worker holds its job; None where that cannot be known from here.

    A worker holds its job's lock as long as it lives. On a file system of this machine alone
    that settles it, whatever the log says of hosts and processes: the folder may be a copy, and
    the machine may have got another name since, as containers do.
    """
    at_work = held(run)
    return lives(attempt, alive) if at_work is None else at_work


def _end_holders(run: RunDirectory) -> None:
    """End the processes that prove to hold a job: its worker, and what prints into its log."""
    for file in (run.lock, run.log):
        for pid in holders(file):
            end_process(pid, file)
