"""One orchestrator per results folder: carries out what the scheduler says, and keeps the index.

The scheduler decides, the launcher starts and stops processes, run directories hold the truth.
Nothing here is needed to go on after a crash: a new orchestrator reads the directories.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ablate.errors import StoreError
from ablate.execute.attempt_end import beginning, peak_bytes, read_end, write_end
from ablate.execute.launch.devices import free_gpu_bytes, visible_name
from ablate.execute.launch.local import Exit, LocalLauncher, modules_for
from ablate.execute.launch.memory import MemoryWatch, ReadFree, taken_bytes
from ablate.execute.recovery import Past
from ablate.execute.scheduler.messages import (
    BROKEN,
    AllSettled,
    BackoffOver,
    Event,
    Instruction,
    Kill,
    Launch,
    Outcome,
    PeakMeasured,
    Phase,
    StopRequested,
    Task,
    Terminate,
    WakeAfter,
)
from ablate.execute.scheduler.placement import Device
from ablate.execute.scheduler.scheduler import RetryPolicy, Scheduler
from ablate.execute.worker.worker_session import Order
from ablate.matrix.identity import short
from ablate.matrix.plan import Matrix
from ablate.methods.session import JobConfig, Machine
from ablate.store import checkpoints
from ablate.store.history import Attempt, history
from ablate.store.index import Index
from ablate.store.rundir import RunDirectory
from ablate.study.settings import Settings

TICK_S = 0.2  #: how often signals, timers and the display are looked after
INGEST_S = 1.0  #: how often running jobs' epochs go into the index


class Display(Protocol):
    """What a user sees of a run; the terminal's version lives in the console."""

    def job(self, job: str, phase: Phase, detail: str = "") -> None:
        """A job entered a phase."""

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A running job finished an epoch."""

    def note(self, job: str, what: str, detail: str) -> None:
        """What happened to a running job, in a word, and in more."""

    def say(self, sentence: str) -> None:
        """Something worth a line."""


class Launcher(Protocol):
    """Starts, stops and watches workers."""

    def launch(self, job: str, order: Order) -> None:
        """Start a worker; OSError where that is not possible."""

    def wait(self, seconds: float) -> list[Exit]:
        """Wait until a worker ends or the time is up; returns those that ended."""

    def terminate(self, job: str) -> None:
        """Ask a worker to write a checkpoint and leave."""

    def kill(self, jobs: Iterable[str]) -> None:
        """End workers at once."""

    def close(self, grace_s: float) -> None:
        """End what still runs."""


@dataclass(frozen=True)
class Summary:
    """How a run ended."""

    phases: Mapping[str, Phase]  #: job -> phase at the end
    launched: int  #: attempts started
    resumed: int  #: jobs that went on from a checkpoint, however often
    stopped: bool = False
    held: int = 0  #: jobs that were left alone, since their worker may live elsewhere
    messages: Mapping[str, str] = field(default_factory=dict)  #: job -> how its last attempt ended

    def count(self, *phases: Phase) -> int:
        """How many jobs ended in one of `phases`."""
        return sum(phase in phases for phase in self.phases.values())


class StopRequests:
    """Counts the user's Ctrl-C; a signal handler calls `request`, the loop looks."""

    def __init__(self) -> None:
        self.count = 0

    def request(self) -> None:
        """Ask once for a gentle stop, twice for one at once."""
        self.count += 1


@dataclass
class Orchestrator:
    """Runs the jobs of one matrix to their end."""

    matrix: Matrix
    settings: Settings
    results: Path
    index: Index
    devices: list[Device]
    display: Display
    stop: StopRequests
    facts: Mapping[str, str] = field(default_factory=dict)  #: provenance for every attempt
    clock: Callable[[], float] = time.monotonic
    free_bytes: ReadFree = free_gpu_bytes
    launcher: Launcher | None = None  #: instead of processes of this machine

    def __post_init__(self) -> None:
        self._stops_seen = 0
        self._timers: list[tuple[float, str]] = []
        self._kill_at: dict[str, float] = {}
        self._seen_epoch: dict[str, int] = {}
        self._seen_size: dict[str, int] = {}  #: of event logs
        self._next_ingest = 0.0
        self._launched = 0
        self._resumed: set[str] = set()
        self._messages: dict[str, str] = {}
        self._begun: set[tuple[str, int]] = set()  #: attempts of which it was told how they began
        self._settled = False
        self._attempt: dict[str, int] = {}
        self._stillborn: list[Exit] = []  #: attempts that could not even be started
        self._blocked: set[str] = set()  #: jobs that were shown as such
        self._complaints: set[str] = set()  #: about the index and the disk, each told once
        self._memory = MemoryWatch(self.devices, self.free_bytes)

    def run(self, past: Past) -> Summary:
        """Carry out the matrix; `past` is what earlier runs left behind."""
        execution = self.settings.execution
        self._scheduler = Scheduler(
            [_task(job, config) for job, config in self.matrix.configs.items()],
            self.devices,
            done=past.done,
            failed=past.failed,
            attempts=past.attempts,
            steps=past.steps,
            policy=RetryPolicy(execution.max_retries, execution.retry_delay_s),
        )
        preload = modules_for(self.matrix.configs[job] for job in past.open(self.matrix))
        self._launcher: Launcher = self.launcher or LocalLauncher(preload)
        try:
            self._tell_known_peaks(past.done)
            self._look_for_stops()
            self._carry_out(self._scheduler.start())
            self._show_blocked()  # by what failed in an earlier run
            while not self._settled:
                self._turn()
        finally:  # an error of our own must leave no worker behind; they write their checkpoints
            self._launcher.close(execution.grace_s)
        phases = {job: self._scheduler.phase(job) for job in self.matrix.configs}
        return Summary(
            phases,
            self._launched,
            len(self._resumed),
            self.stop.count > 0,
            messages=self._messages,
        )

    def _turn(self) -> None:
        exits = self._stillborn or self._launcher.wait(TICK_S)
        self._stillborn = []
        for exit_ in exits:
            self._ended(exit_)
        if exits:
            self._ingest(exit_.job for exit_ in exits)
        self._look_for_stops()
        now = self.clock()
        while self._timers and self._timers[0][0] <= now:
            _, job = heapq.heappop(self._timers)
            self._handle(BackoffOver(job))
        overdue = [job for job, at in self._kill_at.items() if at <= now]
        if overdue:
            self._launcher.kill(overdue)
        if now >= self._next_ingest:
            self._next_ingest = now + INGEST_S
            self._show_epochs()

    def _look_for_stops(self) -> None:
        while self._stops_seen < min(self.stop.count, 2):
            self._stops_seen += 1
            self._handle(StopRequested())

    def _handle(self, event: Event) -> None:
        self._carry_out(self._scheduler.handle(event))

    def _carry_out(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Launch(job, attempt, device):
                    self._launch(job, attempt, device)
                case Terminate(job):
                    self._launcher.terminate(job)
                    self._kill_at[job] = self.clock() + self.settings.execution.grace_s
                case Kill(job):
                    self._launcher.kill([job])
                case WakeAfter(job, seconds):
                    heapq.heappush(self._timers, (self.clock() + seconds, job))
                case AllSettled():
                    self._settled = True

    def _launch(self, job: str, attempt: int, device: str) -> None:
        config = self.matrix.configs[job]
        run = RunDirectory.of(self.results, job)
        self._attempt[job] = attempt
        self._launched += 1
        self._memory.launched(job, device)
        try:
            run.create(config)
            self._launcher.launch(job, self._order(run, config, attempt, device))
        except OSError as error:  # no room on the disk, or no process to be had: judged as an end
            trouble = f"could not be started: {_in_words(error)}"
            self._stillborn.append(Exit(job, None, trouble=trouble))
        self.display.job(job, Phase.RUNNING, f"attempt {attempt} on {device}")

    def _order(self, run: RunDirectory, config: JobConfig, attempt: int, device: str) -> Order:
        gpu = device.partition(":")[2]
        given = {name: self.matrix.files.get(digest) for name, digest in config.inputs.items()}
        machine = Machine(
            device="cuda:0" if gpu else "cpu",  # the worker sees one GPU only
            threads=self.settings.execution.threads,
            data_dir=self.settings.path(self.settings.data_dir),
            files={name: path for name, path in given.items() if path is not None},
        )
        return Order(
            run=run.path,
            attempt=attempt,
            machine=machine,
            upstream={
                role: RunDirectory.of(self.results, needed).path
                for role, needed in config.upstream.items()
            },
            interval=self.settings.execution.interval,
            method_file=self.matrix.method_files.get(config.method, ""),
            method_code=self.matrix.method_codes.get(config.method, ""),
            visible_gpu=visible_name(int(gpu)) if gpu else "",
            grace_s=self.settings.execution.grace_s,
            facts=self.facts,
        )

    def _ended(self, exit_: Exit) -> None:
        job, attempt = exit_.job, self._attempt[exit_.job]
        self._kill_at.pop(job, None)
        run = RunDirectory.of(self.results, job)
        end = read_end(run, attempt, exit_)
        self._tell_beginning(job, end.told)
        finished = end.event.outcome is Outcome.FINISHED
        if finished:
            self._learn_peak(job, end.peak_bytes)
            checkpoints.remove_all(run.checkpoints)  # if it was killed before it did so itself
        for reading in self._memory.ended(job):
            self._handle(reading)
        instructions = self._scheduler.handle(end.event)
        phase = self._scheduler.phase(job)
        if not finished:
            try:
                write_end(run, attempt, end.event.outcome, phase, end.message, exit_)
            except OSError as error:
                self._complain(f"{run.path}: {error.strerror}")
        self._messages[job] = end.message  # its log may be where nothing can be written
        self.display.job(job, phase, end.message)
        if phase in BROKEN:
            self._show_blocked()
        self._carry_out(instructions)

    def _tell_beginning(self, job: str, told: Attempt | None) -> None:
        """Say once where an attempt went on, or that no checkpoint was sound."""
        if told is None or (job, told.number) in self._begun:
            return
        if told.number != self._attempt[job] or not (said := beginning(told)):
            return
        self._begun.add((job, told.number))
        if told.resumed_step is not None:
            self._resumed.add(job)
        self.display.note(job, *said)

    def _show_blocked(self) -> None:
        for job in self.matrix.configs:
            if job not in self._blocked and self._scheduler.phase(job) is Phase.BLOCKED:
                self._blocked.add(job)
                self.display.job(job, Phase.BLOCKED, self._blocked_by(job))

    def _blocked_by(self, job: str) -> str:
        """Which job, of all that a blocked one waits for, failed itself."""
        while (phase := self._scheduler.phase(job)) is Phase.BLOCKED:
            needed = self.matrix.configs[job].upstream.values()
            job = next(name for name in needed if self._scheduler.phase(name) in BROKEN)
        return f"waits for {short(job)}, which {phase}"

    def _tell_known_peaks(self, done: Iterable[str]) -> None:
        """What earlier runs measured lets jobs share a device from the start."""
        for job in done if self._memory else ():
            with self._complaining():
                result = RunDirectory.of(self.results, job).result() or {}
                self._learn_peak(job, peak_bytes(result))

    def _learn_peak(self, job: str, peak: int) -> None:
        if self._memory and peak:
            kind = _task(job, self.matrix.configs[job]).kind
            self._handle(PeakMeasured(kind, taken_bytes(peak)))

    def _ingest(self, jobs: Iterable[str]) -> None:
        """Bring the index up to date; if that is not possible now, training goes on all the same.

        Nothing is lost by it: whoever ingests a job next takes over all that its directory holds.
        """
        runs = [RunDirectory.of(self.results, job) for job in jobs]
        with self._complaining():
            self.index.ingest_many(run for run in runs if run.exists())

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        """Go on where something that only helps or shows could not be read or written."""
        try:
            yield
        except StoreError as error:
            for sentence in str(error).splitlines():
                self._complain(f"{sentence} (the run goes on)")

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complaints:
            self._complaints.add(sentence)
            self.display.say(sentence)

    def _show_epochs(self) -> None:
        running = list(self._scheduler.running)
        for job in running:
            with self._complaining():
                self._show_epoch(job)
        self._ingest(running)

    def _show_epoch(self, job: str) -> None:
        """Look at what is new in a running job's log."""
        run = RunDirectory.of(self.results, job)
        size = run.events_size()
        if size == self._seen_size.get(job):
            return
        events = run.events().events
        self._seen_size[job] = size
        told = history(events)
        if told.attempts:
            self._tell_beginning(job, told.attempts[-1])
        epochs = told.epochs
        last = max(epochs, default=0)
        if last > self._seen_epoch.get(job, 0):
            self._seen_epoch[job] = last
            self.display.epoch(job, last, epochs[last])
        number = self._attempt[job]
        if any(e["event"] == "epoch" and e.get("attempt") == number for e in events):
            for reading in self._memory.warmed(job):
                self._handle(reading)


def _in_words(error: OSError) -> str:
    """What the system said, and of which file, without its number and quotes."""
    words = [error.strerror, error.filename]
    return ": ".join(str(word) for word in words if word) or str(error)


def _task(job: str, config: JobConfig) -> Task:
    kind = f"{config.kind} {config.method} {config.pair} {config.data}"
    return Task(job, kind, tuple(config.upstream.values()))
