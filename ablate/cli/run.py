"""`ablate run`: carry out a study, or go on where it stopped."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.cli.common import (
    DebugOption,
    ProfileOption,
    ResultsOption,
    SeedsOption,
    SetOption,
    StudyArgument,
    guarded,
    parse_overrides,
    parse_seeds,
    settings_for,
)

if TYPE_CHECKING:
    from ablate.execute.orchestrator import StopRequests, Summary
    from ablate.matrix.plan import Matrix
    from ablate.settings import Settings

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
        profile or settings.profile,
        parse_overrides(set_),
        parse_seeds(seeds),
    )
    folder = results if results is not None else settings.path(settings.results)
    summary = carry_out(matrix, settings, folder, wait=wait)
    raise typer.Exit(exit_code(summary))


def carry_out(matrix: Matrix, settings: Settings, results: Path, *, wait: bool = False) -> Summary:
    """Run what is left of a matrix with the results folder locked, and tell how it went."""
    from ablate.execute.devices import find_devices
    from ablate.execute.orchestrator import Orchestrator, StopRequests
    from ablate.execute.provenance import provenance
    from ablate.execute.recovery import read_past, settle_strays
    from ablate.live import Live
    from ablate.methods.registry import find_method
    from ablate.store.index import Index
    from ablate.store.locks import FolderLock, orchestrator_lock
    from ablate.store.rundir import RunDirectory

    def runs(job: str) -> RunDirectory:
        return RunDirectory.of(results, job)

    devices = find_devices(settings.execution)
    results.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(orchestrator_lock(results), f"ablate run {matrix.plan.name}")
    lock.acquire(float("inf") if wait else 0)
    stop = StopRequests()
    with lock, Index.open(results, writable=True) as index, _listening(stop):
        index.register(matrix.plan)
        settle_strays(matrix, runs, settings.execution.grace_s, typer.echo)
        past = read_past(matrix, runs)
        todo = past.open(matrix)
        typer.echo(opening(matrix, past.done, past.failed, past.resumable), err=True)
        with Live(job_names(matrix), {job: epochs_of(matrix, job) for job in todo}) as live:
            orchestrator = Orchestrator(
                matrix,
                settings,
                results,
                index,
                devices,
                live,
                stop,
                facts=provenance(),
                method_files={
                    config.method: find_method(config.method).file
                    for config in matrix.configs.values()
                    if ".py:" in config.method
                },
            )
            summary = orchestrator.run(past)
    typer.echo(closing(summary), err=True)
    return summary


class _listening:  # noqa: N801 - reads as a verb in `with`
    """While inside, Ctrl-C, SIGTERM and a closed terminal ask the run to stop."""

    def __init__(self, stop: StopRequests) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._before = {number: signal.signal(number, self._ask) for number in signals}

    def _ask(self, *_: object) -> None:
        self._stop.request()

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def job_names(matrix: Matrix) -> dict[str, str]:
    """What people call each job: variant, pair and seed."""
    names = {}
    for job in matrix.plan.jobs:
        what = job.variant or job.kind.replace("_", " ")
        names[job.id] = f"{what}, {job.pair}, seed {job.seed}"
    return names


def epochs_of(matrix: Matrix, job: str) -> int:
    """Epochs of a job; one where its method has no such setting."""
    return int(matrix.configs[job].settings.get("epochs", 1))


def opening(
    matrix: Matrix, done: frozenset[str], failed: Mapping[str, object], resumable: frozenset[str]
) -> str:
    """What the run is about to do, in a line."""
    total = len(matrix.configs)
    if len(done) == total:
        return f"{matrix.plan.name}: all {total} jobs are done, nothing to run"
    parts = [f"{matrix.plan.name} ({matrix.plan.profile}): {total} jobs"]
    parts += [f"{len(done)} done"] if done else []
    parts += [f"{len(resumable)} to resume"] if resumable else []
    parts += [f"{len(failed)} failed before (ablate retry requeues them)"] if failed else []
    return ", ".join(parts)


def closing(summary: Summary) -> str:
    """How the run ended, in a line or two."""
    from ablate.execute.events import Phase

    counts = {phase: summary.count(phase) for phase in Phase if summary.count(phase)}
    text = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    if summary.resumed:
        text += f"; {summary.resumed} resumed from a checkpoint"
    if summary.stopped and summary.count(Phase.DONE) < len(summary.phases):
        text += "\nstopped; the same command goes on from here"
    return text


def exit_code(summary: Summary) -> int:
    """0 fine, 1 some jobs failed, 130 interrupted."""
    from ablate.execute.events import BROKEN, Phase

    if summary.stopped and summary.count(Phase.DONE) < len(summary.phases):
        return 130
    return 1 if summary.count(*BROKEN) else 0
