"""One orchestrator per results folder: carries out what the scheduler says, and keeps the index.

The scheduler decides, the launcher starts and stops processes, run directories hold the truth.
Nothing here is needed to go on after a crash: a new orchestrator reads the directories.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ablate.execute.devices import visible_name
from ablate.execute.events import (
    AllSettled,
    BackoffOver,
    Ended,
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
from ablate.execute.launcher import Exit, LocalLauncher
from ablate.execute.placement import Device
from ablate.execute.recovery import Past
from ablate.execute.scheduler import RetryPolicy, Scheduler
from ablate.execute.session import Order
from ablate.matrix.plan import Matrix
from ablate.methods.session import JobConfig, Machine
from ablate.settings import Settings
from ablate.store.history import history
from ablate.store.index import Index
from ablate.store.rundir import RunDirectory

TICK_S = 0.2  #: how often signals, timers and the display are looked after
INGEST_S = 1.0  #: how often running jobs' epochs go into the index


class Display(Protocol):
    """What a user sees of a run; the terminal's version lives in the console."""

    def job(self, job: str, phase: Phase, detail: str = "") -> None:
        """A job entered a phase."""

    def epoch(self, job: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """A running job finished an epoch."""

    def say(self, sentence: str) -> None:
        """Something worth a line."""


@dataclass(frozen=True)
class Summary:
    """How a run ended."""

    phases: Mapping[str, Phase]  #: job -> phase at the end
    launched: int  #: attempts started
    resumed: int  #: of these, those that went on from a checkpoint
    stopped: bool = False

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
    method_files: Mapping[str, str] = field(default_factory=dict)  #: method -> the user's file
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._stops_seen = 0
        self._timers: list[tuple[float, str]] = []
        self._kill_at: dict[str, float] = {}
        self._seen_epoch: dict[str, int] = {}
        self._next_ingest = 0.0
        self._launched = self._resumed = 0
        self._settled = False
        self._attempt: dict[str, int] = {}

    def run(self, past: Past) -> Summary:
        """Carry out the matrix; `past` is what earlier runs left behind."""
        execution = self.settings.execution
        self._scheduler = Scheduler(
            [_task(job, config) for job, config in self.matrix.configs.items()],
            self.devices,
            done=past.done,
            failed=past.failed,
            attempts=past.attempts,
            policy=RetryPolicy(execution.max_retries, execution.retry_delay_s),
        )
        programs = {self.matrix.configs[job].program for job in past.open(self.matrix)}
        self._launcher = LocalLauncher(torch=any(p.startswith("ablate.training") for p in programs))
        try:
            self._carry_out(self._scheduler.start())
            while not self._settled:
                self._turn()
        finally:  # an error of our own must leave no worker behind; they write their checkpoints
            for job in self._scheduler.running:
                self._launcher.terminate(job)
        self._ingest(self.matrix.configs)
        phases = {job: self._scheduler.phase(job) for job in self.matrix.configs}
        return Summary(phases, self._launched, self._resumed, self.stop.count > 0)

    def _turn(self) -> None:
        exits = self._launcher.wait(TICK_S)
        for exit_ in exits:
            self._ended(exit_)
        if exits:
            self._ingest(exit_.job for exit_ in exits)
        while self._stops_seen < min(self.stop.count, 2):
            self._stops_seen += 1
            self._handle(StopRequested())
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
        run.create(config)
        self._attempt[job] = attempt
        self._launched += 1
        self._launcher.launch(job, self._order(run, config, attempt, device))
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
            method_file=self.method_files.get(config.method, ""),
            visible_gpu=visible_name(int(gpu)) if gpu else "",
            grace_s=self.settings.execution.grace_s,
            facts=self.facts,
        )

    def _ended(self, exit_: Exit) -> None:
        job, attempt = exit_.job, self._attempt[exit_.job]
        self._kill_at.pop(job, None)
        run = RunDirectory.of(self.results, job)
        end = read_end(run, attempt, job)
        self._resumed += end.resumed
        instructions = self._scheduler.handle(end.event)
        phase = self._scheduler.phase(job)
        if end.event.outcome is not Outcome.FINISHED:
            run.append(
                {
                    "event": "ended",
                    "time": time.time(),
                    "attempt": attempt,
                    "outcome": end.event.outcome,
                    "exit_code": exit_.exit_code,
                    "signal": exit_.signal,
                    "phase": phase,
                    "message": end.message or how_it_ended(exit_),
                }
            )
        elif end.peak_bytes and self._on_gpu():
            self._handle(PeakMeasured(_task(job, self.matrix.configs[job]).kind, end.peak_bytes))
        self.display.job(
            job, phase, end.message or ("" if exit_.exit_code == 0 else how_it_ended(exit_))
        )
        self._carry_out(instructions)

    def _on_gpu(self) -> bool:
        return any(device.slots is None for device in self.devices)

    def _ingest(self, jobs: Iterable[str]) -> None:
        runs = [RunDirectory.of(self.results, job) for job in jobs]
        self.index.ingest_many(run for run in runs if run.exists())

    def _show_epochs(self) -> None:
        running = list(self._scheduler.running)
        for job in running:
            epochs = history(RunDirectory.of(self.results, job).events().events).epochs
            last = max(epochs, default=0)
            if last > self._seen_epoch.get(job, 0):
                self._seen_epoch[job] = last
                self.display.epoch(job, last, epochs[last])
        self._ingest(running)


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended, as its run directory tells it."""

    event: Ended
    message: str = ""
    resumed: bool = False
    peak_bytes: int = 0


_OUTCOMES = {
    "interrupted": Outcome.INTERRUPTED,
    "diverged": Outcome.DIVERGED,
    "out_of_memory": Outcome.OUT_OF_MEMORY,
    "error": Outcome.ERROR,
    "disk_full": Outcome.ERROR,
}


def read_end(run: RunDirectory, attempt: int, job: str) -> AttemptEnd:
    """Judge an attempt by what it left behind: a result counts, whatever the exit code says."""
    events = run.events().events
    result = run.result()
    ours = next((a for a in history(events).attempts if a.number == attempt), None)
    step = max((int(e["step"]) for e in events if e["event"] == "checkpoint"), default=0)
    resumed = ours is not None and ours.resumed_step is not None
    if result is not None:
        peak = float(result.get("costs", {}).get("peak_memory_mib", 0)) * 2**20
        return AttemptEnd(Ended(job, attempt, Outcome.FINISHED, step), "", resumed, int(peak))
    outcome = _OUTCOMES.get(ours.outcome if ours else "", Outcome.CRASHED)
    fingerprint = ours.fingerprint if ours else ""
    message = ours.error if ours else ""
    return AttemptEnd(Ended(job, attempt, outcome, step, fingerprint), message, resumed)


def how_it_ended(exit_: Exit) -> str:
    """Say what an exit means where the worker itself said nothing."""
    if exit_.signal is not None:
        return f"killed by signal {exit_.signal}"
    if exit_.exit_code == 0:
        return "exited without a result"
    return f"exited with code {exit_.exit_code}"


def _task(job: str, config: JobConfig) -> Task:
    kind = f"{config.kind} {config.method} {config.pair} {config.data}"
    return Task(job, kind, tuple(config.upstream.values()))
