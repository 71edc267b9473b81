"""`ablate run`: carry out a study, or go on where it stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.common import (
    DebugOption,
    ProfileOption,
    ResultsOption,
    SeedsOption,
    SetOption,
    StudyArgument,
    aimed,
    elsewhere,
    guarded,
    parse_overrides,
    parse_seeds,
    profile_of,
    results_folder,
    settings_for,
    tell,
)
from ablate.errors import BusyError, StoreError
from ablate.matrix.identity import short

if TYPE_CHECKING:
    from ablate.execute.orchestrator import StopRequests, Summary
    from ablate.execute.recovery import Past
    from ablate.execute.scheduler.messages import Phase
    from ablate.execute.scheduler.placement import Device
    from ablate.matrix.plan import Matrix
    from ablate.store.locks import FolderLock
    from ablate.store.rundir import RunDirectory
    from ablate.study.settings import Settings

BUSY_S = 1.0  #: how long a run waits for a locked index before it goes on without it

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait if another run holds the results folder.")
]


@guarded
def run(
    study: StudyArgument,
    results: ResultsOption = None,
    profile: ProfileOption = None,
    set_: SetOption = None,
    seeds: SeedsOption = None,
    wait: WaitOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a study; the same command goes on where an interrupted one stopped."""
    from ablate.matrix.expand import expand
    from ablate.study.parse import read_study

    settings = settings_for(study)
    matrix = expand(
        read_study(study),
        settings,
        profile_of(profile, settings),
        parse_overrides(set_),
        parse_seeds(seeds),
    )
    folder = results_folder(results, settings)
    summary = carry_out(matrix, settings, folder, wait=wait)
    if not summary.stopped:
        say(f"the table: ablate report {matrix.plan.name}{elsewhere(folder)}")
    raise typer.Exit(exit_code(summary))


def carry_out(matrix: Matrix, settings: Settings, results: Path, *, wait: bool = False) -> Summary:
    """Run what is left of a matrix with the results folder locked, and tell how it went."""
    from ablate.execute.launch.devices import find_devices
    from ablate.execute.orchestrator import StopRequests
    from ablate.execute.recovery import (
        mend_configs,
        read_past,
        set_damaged_aside,
        settle_strays,
        without,
    )
    from ablate.store.index import Index, make_folder
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.rundir import RunDirectory

    def runs(job: str) -> RunDirectory:
        return RunDirectory.of(results, job)

    devices = find_devices(settings.execution)
    make_folder(results)
    lock = FolderLock(orchestrator_lock(results), f"ablate run {matrix.plan.name}")
    _take(lock, wait)
    stop = StopRequests()
    with lock, _listening(stop):
        with Index.open(results, writable=True) as index:
            index.register(matrix.plan)
        mend_configs(matrix, runs, say)
        set_damaged_aside(matrix, runs, say)
        held = settle_strays(
            matrix, runs, settings.execution.grace_s, say, stopping=lambda: stop.count > 0
        )
        past = read_past(matrix, runs, held)
        say(aimed(opening(matrix, past), results))
        summary = _orchestrate(without(matrix, past.held), settings, results, past, devices, stop)
        _catch_up(results, [run for run in map(runs, matrix.configs) if run.exists()])
    say(aimed(closing(matrix, summary, past.held, runs), results))
    for sentence in unmeasured(matrix, summary, runs):
        say(sentence)
    return replace(summary, held=len(past.held))


def _orchestrate(
    matrix: Matrix,
    settings: Settings,
    results: Path,
    past: Past,
    devices: list[Device],
    stop: StopRequests,
) -> Summary:
    from ablate.cli.live import Live, Work
    from ablate.execute.orchestrator import Orchestrator
    from ablate.execute.provenance import provenance
    from ablate.store.index import Index

    names = job_names(matrix)
    work = {
        job: Work(names[job], epochs_of(matrix, job), past.epochs.get(job, 0))
        for job in past.open(matrix)
    }
    with (
        Index.open(results, writable=True, busy_seconds=BUSY_S) as index,
        Live(work) as live,
    ):
        return Orchestrator(
            matrix,
            settings,
            results,
            index,
            devices,
            live,
            stop,
            facts=provenance(),
        ).run(past)


def _catch_up(results: Path, runs: Iterable[RunDirectory]) -> None:
    """Bring the index up to date, patiently; a run that ended has ended even if that fails."""
    from ablate.store.index import Index

    try:
        with Index.open(results, writable=True) as index:
            index.ingest_many(runs)
    except StoreError as error:
        for sentence in str(error).splitlines():
            say(f"not in the index: {sentence}")


def _take(lock: FolderLock, wait: bool) -> None:
    """Take the lock; with `wait`, say who has it and wait for them to end."""
    try:
        lock.acquire()
    except BusyError as busy:
        if not wait:
            raise BusyError(f"{busy} (--wait waits for it to end)") from None
        say(f"{busy}; waiting")
        lock.acquire(float("inf"))


def say(sentence: str) -> None:
    """Print a line for people; a terminal that went away is no reason to stop."""
    with suppress(OSError):
        tell(sentence, err=True)


class _listening:  # noqa: N801 - reads as a verb in `with`
    """While inside, Ctrl-C, SIGTERM and a closed terminal ask the run to stop.

    Only Ctrl-C asks twice: systemd sends SIGHUP right after SIGTERM.
    What was ignored before stays so: `nohup` means that the run outlives its terminal.
    """

    def __init__(self, stop: StopRequests) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        if number == signal.SIGINT or not self._stop.count:
            self._stop.request()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # Asked to stop and about to: one more Ctrl-C must not tear apart what is left to do.
            signal.signal(number, signal.SIG_IGN if self._stop.count else handler)


def job_names(matrix: Matrix) -> dict[str, str]:
    """What people call each job: variant, networks where there are any, and seed."""
    names = {}
    for job in matrix.plan.jobs:
        config = matrix.configs.get(job.id)
        what = job.variant or job.kind.replace("_", " ")
        networks = config.pair if config is not None else ""
        names[job.id] = ", ".join(filter(None, (what, networks, f"seed {job.seed}")))
    return names


def epochs_of(matrix: Matrix, job: str) -> int:
    """Epochs of a job; one where its method has no such setting."""
    return int(matrix.configs[job].settings.get("epochs", 1))


def opening(matrix: Matrix, past: Past) -> str:
    """What the run is about to do, and which jobs it leaves alone."""
    total = len(matrix.configs)
    if len(past.done) == total:
        return f"{matrix.plan.name}: all {total} jobs are done, nothing to run"
    parts = [f"{matrix.plan.name} ({matrix.plan.profile}): {total} jobs"]
    parts += [f"{len(past.done)} done"] if past.done else []
    parts += [f"{len(past.resumable)} to resume"] if past.resumable else []
    failed = f"{len(past.failed)} failed before (`ablate retry` requeues them)"
    parts += [failed] if past.failed else []
    parts += [f"{len(past.held)} left alone"] if past.held else []
    return ", ".join(parts)


def closing(
    matrix: Matrix, summary: Summary, held: Mapping[str, str], runs: Callable[[str], RunDirectory]
) -> str:
    """How the run ended: a line of counts, and what a user needs of each job that failed."""
    from ablate.execute.scheduler.messages import Phase

    names = job_names(matrix)
    lines = []
    for job, phase in summary.phases.items():
        if phase in (Phase.FAILED, Phase.DIVERGED):
            lines += _failure(names[job], phase, runs(job), summary.messages.get(job, ""))
    for job, why in held.items():
        lines.append(f"left alone  {names[job]}: {why}")
    if any("may still run" in why for why in held.values()):
        lines.append(
            "  once such a process is gone for certain, `ablate retry --gone JOB` frees its job: "
            + ", ".join(short(job) for job, why in held.items() if "may still run" in why)
        )
    counts = {phase: summary.count(phase) for phase in Phase if summary.count(phase)}
    text = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    if held:
        text += f", {len(held)} left alone"
    if summary.resumed:
        text += f"; {summary.resumed} resumed from a checkpoint"
    if summary.stopped and (held or summary.count(Phase.DONE) < len(summary.phases)):
        text += "\nstopped; the same command goes on from here"
    return "\n".join([*lines, text])


def unmeasured(matrix: Matrix, summary: Summary, runs: Callable[[str], RunDirectory]) -> list[str]:
    """A sentence on each metric that the study asks for and none of its finished rows has."""
    from ablate.execute.scheduler.messages import Phase
    from ablate.store.history import numbers

    rows = {job.id for job in matrix.plan.jobs if job.variant is not None}
    done = [job for job in rows if summary.phases.get(job) is Phase.DONE]
    found: dict[str, float] = {}
    for job in done:
        with suppress(StoreError):  # it may have what cannot be looked at now
            result = runs(job).result() or {}
            found |= numbers(result.get("metrics")) | numbers(result.get("costs"))
    names = ", ".join(sorted(found))
    missing = [name for name in matrix.plan.metrics if found and name not in found]
    return [f'no job of this study measured "{name}", only: {names}' for name in missing]


def _failure(name: str, phase: Phase, run: RunDirectory, message: str) -> list[str]:
    """A failed job: its name, its error, the end of its log, and where all of that lies."""
    from ablate.execute.attempt_end import log_tail
    from ablate.store.history import history

    error = history(run.events().events).error or message or "no error was written down"
    return [
        f"{phase}  {name}: {error}",
        *(f"    | {line}" for line in log_tail(run)),
        f"    {run.log}   (`ablate show {short(run.id)}`)",
    ]


def exit_code(summary: Summary) -> int:
    """0 fine, 1 some jobs failed or were left alone, 130 interrupted."""
    from ablate.execute.scheduler.messages import BROKEN, Phase

    if summary.stopped and (summary.held or summary.count(Phase.DONE) < len(summary.phases)):
        return 130
    return 1 if summary.held or summary.count(*BROKEN) else 0
