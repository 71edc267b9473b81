"""Carry out a study: the use case behind `ablate run`, a notebook, a preview and a proof.

    summary = run_study(matrix, Path("results"), settings, Silent())

What earlier runs left is taken up, whatever they died of; the results folder is held as long as
this runs. Nothing here prints or listens to signals: a display is told what happens, and whoever
calls hands over a `StopRequests` if the run should be stoppable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ablate.errors import BusyError, InputError, Problem, Remedy, StoreError
from ablate.execute.agenda import Agenda
from ablate.execute.disk import require_room
from ablate.execute.display import Display, UnfailingDisplay
from ablate.execute.launch.base import Launcher
from ablate.execute.launch.choose import choose_devices, choose_launcher
from ablate.execute.launch.in_use import devices_in_use
from ablate.execute.launch.local import modules_for
from ablate.execute.notices import notices
from ablate.execute.orchestrator import MoreSeeds, Orchestrator
from ablate.execute.provenance import provenance
from ablate.execute.recovery import (
    Past,
    inherit,
    mend_configs,
    read_past,
    set_damaged_aside,
    settle_strays,
)
from ablate.execute.require_data import require_data
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.seed_sets import WithSeeds, set_of_seeds_ended
from ablate.execute.stop import StopRequests
from ablate.execute.summary import Summary, closing, opening, unmeasured
from ablate.matrix.plan import Matrix
from ablate.store.index import Index, make_folder
from ablate.store.locks import FolderLock, orchestrator_lock
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Settings

BUSY_S = 1.0  #: how long a run waits for a locked index before it goes on without it


@dataclass(frozen=True)
class Options:
    """How a run treats others, and where its jobs run."""

    wait: bool = False  #: for another run that holds the results folder
    more_seeds: MoreSeeds | None = None  #: asked when all jobs of a study have ended
    with_seeds: WithSeeds | None = None  #: how the study's own rule for seeds is followed
    launcher: Callable[[Iterable[str]], Launcher] | None = None  #: instead of the settings' own
    detach: bool = False  #: submit what can be submitted, and leave it to the cluster
    again: Remedy | None = None  #: the command that goes on where this run stops
    kept: bool = True  #: whether the results can be looked at when the run is over


def run_study(
    matrix: Matrix,
    results: Path,
    settings: Settings,
    display: Display,
    *,
    stop: StopRequests | None = None,
    more_seeds: MoreSeeds | None = None,
) -> Summary:
    """Carry out what is left of one study.

    Raises InputError for a device or data that is not there and a disk that is too small, BusyError
    where another run holds the results folder, StoreError where that cannot be used.
    """
    options = Options(more_seeds=more_seeds)
    return run_studies([matrix], results, settings, display, stop=stop, options=options)


def run_studies(
    matrices: Sequence[Matrix],
    results: Path,
    settings: Settings,
    display: Display,
    *,
    stop: StopRequests | None = None,
    options: Options = Options(),
) -> Summary:
    """Carry out what is left of several studies together; jobs that they share run once.

    Raises as `run_study` does.
    """
    stop, display = stop or StopRequests(), UnfailingDisplay(display)
    if options.detach and settings.executor.kind == "local":
        right = 'executor.kind = "slurm", or --executor slurm'
        raise InputError(Problem("--detach", "", "jobs of this machine end with their run", right))
    devices = choose_devices(settings, results)
    make_folder(results)
    agenda = Agenda(tuple(matrices), settings, results)
    lock = FolderLock(orchestrator_lock(results), f"ablate run {agenda.title}")
    _take(lock, agenda, options, display)
    own = devices if settings.executor.kind == "local" else ()
    with lock:
        launcher = _launcher(agenda, options, display)
        past = _take_up(agenda, launcher, stop, display)
        to_run = past.open(agenda.configs)
        _require_room_and_data(agenda, to_run, display)
        _register(agenda)
        for matrix in matrices:
            sentence, remedies = opening(matrix, past)
            display.say(sentence, *remedies)
        with ExitStack() as stack:
            stack.callback(display.end)
            if to_run:
                stack.enter_context(devices_in_use(own, results, display.say))
            agenda, summary = _orchestrate(
                agenda, past, devices, launcher, display=display, stop=stop, options=options,
                lock=lock,
            )  # fmt: skip
        if not summary.lost:
            _catch_up(results, map(agenda.run, agenda.configs), display.say)
    _tell_end(agenda, summary, display, options)
    return summary


def _more_seeds(
    matrix: Matrix, *, index: Index, say: Callable[[str], None], options: Options
) -> Matrix | None:
    """What the study's own rule asks for, or else the caller of this run."""
    grown = set_of_seeds_ended(matrix, index=index, say=say, with_seeds=options.with_seeds)
    if grown is not None or options.more_seeds is None:
        return grown
    return options.more_seeds(matrix)


def _launcher(agenda: Agenda, options: Options, display: Display) -> Launcher:
    """Make what starts attempts: the caller's own, or what the settings say."""
    modules = _modules(agenda, display)
    if options.launcher is not None:
        return options.launcher(modules)
    return choose_launcher(agenda.settings, agenda.results, modules)


def _modules(agenda: Agenda, display: Display) -> list[str]:
    """What workers of this machine will import: seconds that need be spent only once."""
    if agenda.settings.executor.kind != "local":
        return []
    configs = agenda.configs
    modules = modules_for(configs[j] for j in configs if not agenda.run(j).has_result_file())
    if modules:
        display.say("starting workers: importing torch takes 5 to 20 s")
    return modules


def _take_up(agenda: Agenda, launcher: Launcher, stop: StopRequests, display: Display) -> Past:
    """Find out what earlier runs left, and put right what they left damaged or open."""
    grace_s = agenda.settings.execution.grace_s
    configs, runs, say = agenda.configs, agenda.run, display.say
    mend_configs(configs, runs, say)
    set_damaged_aside(configs, runs, say)
    inherited = inherit(configs, runs, launcher)
    strays = {job: configs[job] for job in configs if job not in inherited.alive}
    held = settle_strays(strays, runs, grace_s, say, stopping=lambda: stop.count > 0)
    past = read_past(configs, runs, {**held, **inherited.unknown}, inherited.alive)
    for sentence in notices(agenda, past):
        say(sentence)
    return past


def _require_room_and_data(agenda: Agenda, to_run: Sequence[str], display: Display) -> None:
    """Raise InputError where room or data are missing, before the studies are written down."""
    require_room(to_run, agenda.configs, agenda.run, agenda.results)
    data_dir = agenda.settings.path(agenda.settings.data_dir)
    require_data([agenda.configs[job] for job in to_run], data_dir, display.say)


def _register(agenda: Agenda) -> None:
    with Index.open(agenda.results, writable=True) as index:
        for matrix in agenda.matrices:
            index.register(matrix.plan)


def _orchestrate(
    agenda: Agenda,
    past: Past,
    devices: Sequence[DeviceCapacity],
    launcher: Launcher,
    *,
    display: Display,
    stop: StopRequests,
    options: Options,
    lock: FolderLock,
) -> tuple[Agenda, Summary]:
    """Run what is open; returns the agenda as it had grown by then."""
    before = agenda.results.stat()
    with Index.open(agenda.results, writable=True, busy_seconds=BUSY_S) as index:
        orchestrator = Orchestrator(
            replace(agenda, left_out=frozenset(past.held)),
            index,
            devices,
            display,
            stop,
            launcher=launcher,
            detach=options.detach,
            facts=provenance(),
            more_seeds=partial(_more_seeds, index=index, say=display.say, options=options),
            lost=lambda: lock.lost or moved(agenda.results, before),
        )
        summary = replace(orchestrator.run(past), held=past.held)
    return replace(orchestrator.agenda, left_out=frozenset()), summary


def moved(results: Path, before: os.stat_result) -> str:
    """Why a results folder is not the one that it was; "" if it is."""
    try:
        same = os.path.samestat(results.stat(), before)
    except OSError:
        same = False
    return "" if same else "the folder was moved or replaced"


def _tell_end(agenda: Agenda, summary: Summary, display: Display, options: Options) -> None:
    for sentence, remedies in closing(agenda, summary, options.again):
        display.say(sentence, *(remedies if options.kept else ()))
    for matrix in agenda.matrices:
        for sentence in unmeasured(matrix, summary, agenda):
            display.say(sentence)


def _catch_up(results: Path, runs: Iterable[RunDirectory], say: Callable[[str], None]) -> None:
    """Bring the index up to date, patiently; a run that ended has ended even if that fails."""
    try:
        with Index.open(results, writable=True) as index:
            index.ingest_many(run for run in runs if run.exists())
    except StoreError as error:
        for sentence in str(error).splitlines():
            say(f"not in the index: {sentence}")


def _take(lock: FolderLock, agenda: Agenda, options: Options, display: Display) -> None:
    """Take the lock; with `wait`, say who has it and wait for them to end."""
    try:
        lock.acquire()
    except BusyError as busy:
        if not options.wait:
            again = options.again or Remedy("run", tuple(agenda.title.split()))
            waiting = replace(again, arguments=(*again.arguments, "--wait"))
            together = f"{busy}; studies run together as `ablate run A.toml B.toml`"
            raise BusyError(f"{together}, or one after the other").helped_by(waiting) from None
        display.say(f"{busy}; waiting")
        lock.acquire(float("inf"))
