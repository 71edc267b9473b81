"""One orchestrator per results folder: carries out what the scheduler says, and keeps the index.

The scheduler decides, the launcher starts and stops attempts, run directories hold the truth.
Nothing here is needed to go on after a crash: a new orchestrator reads the directories.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ablate.execute.agenda import Agenda
from ablate.execute.attempt_end import read_end, write_end
from ablate.execute.display import Complaints, Display
from ablate.execute.launch.base import Began, Exit, Handle, Launcher, Queued, Report, in_words
from ablate.execute.launch.devices import free_gpu_bytes
from ablate.execute.launch.memory import MemoryWatch, ReadFree, taken_bytes
from ablate.execute.machine_faults import machine_trouble
from ablate.execute.recovery import Past, read_past
from ablate.execute.scheduler.messages import (
    AllSettled,
    AttemptBegan,
    AttemptQueued,
    BackoffOver,
    Event,
    Instruction,
    Kill,
    Launch,
    Pause,
    PauseOver,
    PeakMeasured,
    SameError,
    StopRequested,
    TasksAdded,
    Terminate,
    WaitedTooLong,
    WakeAfter,
)
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.scheduler.scheduler import Scheduler
from ablate.execute.stop import StopRequests
from ablate.execute.summary import Summary, pause_words, stop_words
from ablate.execute.watching import LogWatch
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import BROKEN, OVER, AttemptOutcome, JobStatus
from ablate.store import checkpoints
from ablate.store.index import Index

TICK_S = 0.2  #: how often signals, timers and the display are looked after
SUBMISSIONS = 100  #: how often a run that leaves tries to hand over what is left
INGEST_S = 1.0  #: how often running jobs' epochs go into the index

#: Asked when all jobs of a study have ended: the same study with more seeds, or None.
MoreSeeds = Callable[[Matrix], Matrix | None]


class Orchestrator:
    """Runs the jobs of an agenda to their end."""

    def __init__(
        self,
        agenda: Agenda,
        index: Index,
        devices: Iterable[DeviceCapacity],
        display: Display,
        stop: StopRequests,
        launcher: Launcher,
        *,
        facts: Mapping[str, str] = {},
        more_seeds: MoreSeeds | None = None,
        lost: Callable[[], str] = lambda: "",
        detach: bool = False,
        clock: Callable[[], float] = time.monotonic,
        free_bytes: ReadFree = free_gpu_bytes,
    ) -> None:
        """`facts` are recorded with every attempt; `lost` says why the folder is ours no more.

        `detach`: leave as soon as the launcher's place has all attempts, those of jobs that wait
        for others included.
        """
        self.agenda = agenda
        self._index, self._display, self._stop, self._launcher = index, display, stop, launcher
        self._facts, self._more_seeds, self._lost, self._clock = facts, more_seeds, lost, clock
        self._detach = detach
        self._memory = MemoryWatch(devices := list(devices), free_bytes)
        self._scheduler = Scheduler((), devices, policy=agenda.retry_policy)
        self._watch = LogWatch(display)
        self._complaints = Complaints(display.say)
        self._handles: dict[str, Handle] = {}
        self._inherited: dict[str, Handle] = {}  #: attempts of earlier runs, to be taken over
        self._attempts: dict[str, int] = {}
        self._places: dict[str, str] = {}  #: job -> device of its latest attempt
        self._messages: dict[str, str] = {}
        self._unstarted: list[Exit] = []  #: attempts that could not even be launched
        self._final: set[str] = set()  #: keys of studies that need no more seeds
        self._blocked: set[str] = set()  #: jobs that were shown as such
        self._timers: list[tuple[float, str]] = []
        self._kill_at: dict[str, float] = {}
        self._next_ingest = 0.0
        self._stops_seen = self._launched = 0
        self._settled = False

    def run(self, past: Past) -> Summary:
        """Carry out the agenda; `past` is what earlier runs left behind."""
        try:
            self._take_on(self.agenda.configs, past)
            self._look_for_stops()
            self._carry_out(self._scheduler.start())
            self._show_blocked()  # by what failed in an earlier run
            while not self._settled or self._grow():
                if self._turn():
                    self._grow()  # a study need not wait for the jobs of others
                if self._detach and self._launcher.submitted():
                    self._submit_waiting()
                    break
        finally:  # an error of our own must leave no worker behind; they write their checkpoints
            self._launcher.close(self.agenda.settings.execution.grace_s)
        return Summary(
            {job: self._scheduler.status(job) for job in self.agenda.configs},
            self._launched,
            len(self._watch.resumed),
            self._stop.count > 0,
            detached=self._detach and not self._settled,
            lost=self._lost(),
            messages=self._messages,
        )

    def _take_on(self, jobs: Iterable[str], past: Past) -> None:
        """Tell scheduler and display of jobs, with what is known of them from before."""
        jobs = list(jobs)
        self._inherited |= past.inherited
        self._display.begin(self.agenda.work([j for j in jobs if past.is_open(j)], past))
        tasks = tuple(map(self.agenda.task, jobs))
        self._handle(TasksAdded(tasks, past.done, past.failed, past.attempts, past.steps))
        for job in jobs if self._memory else ():
            if job in past.done:  # what was measured lets jobs share a device from the start
                with self._complaints.of_the_store():
                    result = self.agenda.run(job).result()
                    self._learn_peak(job, result.peak_bytes if result else 0)

    def _turn(self) -> bool:
        """Wait for reports and act on them and on the time; whether any attempt ended."""
        reports = self._unstarted or self._launcher.wait(TICK_S)
        self._unstarted = []
        exits = [report for report in reports if isinstance(report, Exit)]
        for report in reports:
            self._heard(report)
        if exits:
            self._ingest(exit_.job for exit_ in exits)
        self._look_for_stops()
        now = self._clock()
        if len(exits) < len(reports):  # some began: what they say first is worth an early look
            self._next_ingest = min(self._next_ingest, now + 2 * TICK_S)
        while self._timers and self._timers[0][0] <= now:
            _, job = heapq.heappop(self._timers)
            self._handle(BackoffOver(job) if job else self._look_at_machine())
        overdue = [job for job, at in self._kill_at.items() if at <= now]
        if overdue:
            self._launcher.kill(self._handles[job] for job in overdue)
        if now >= self._next_ingest:
            self._next_ingest = now + INGEST_S
            self._look_at_running()
        return bool(exits)

    def _look_for_stops(self) -> None:
        if not self._stops_seen and (why := self._lost()):
            self._display.say(f"{self.agenda.results}: {why}; this run stops")
            self._stops_seen = 1
            self._handle(StopRequested())
        while self._stops_seen < min(self._stop.count, 2):
            self._stops_seen += 1
            self._acknowledge(len(self._scheduler.running))
            self._handle(StopRequested())

    def _acknowledge(self, running: int) -> None:
        """Acknowledge a request to stop at once, and say what happens next."""
        if running or self._stops_seen > 1:
            grace_s = self.agenda.settings.execution.grace_s
            self._display.say(stop_words(running, self._stops_seen, grace_s=grace_s))

    def _handle(self, event: Event) -> None:
        self._carry_out(self._scheduler.handle(event))

    def _carry_out(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Launch(job, attempt, device):
                    self._launch(job, attempt, device)
                case Terminate(job):
                    self._kill_at[job] = self._clock() + self.agenda.settings.execution.grace_s
                    if job in self._handles:
                        self._launcher.terminate(self._handles[job])
                case Kill(job):
                    if job in self._handles:
                        self._launcher.kill([self._handles[job]])
                case WakeAfter(job, seconds):
                    heapq.heappush(self._timers, (self._clock() + seconds, job))
                case Pause(job, seconds):
                    self._announce_pause(job)
                    heapq.heappush(self._timers, (self._clock() + seconds, ""))
                case WaitedTooLong():
                    self._display.say("the machine did not recover in time: no more jobs start")
                case SameError(jobs):
                    rows = " and ".join(map(self.agenda.name, jobs))
                    self._display.say(f"the same error in different rows ({rows}): stopping")
                case AllSettled():
                    self._settled = True

    def _heard(self, report: Report) -> None:
        match report:
            case Exit():
                self._ended(report)
            case Began(job):
                self._handle(AttemptBegan(job))
                where = f"attempt {self._attempts[job]} on {self._places[job]}"
                self._display.job(job, JobStatus.RUNNING, where)
            case Queued(job, reason):
                self._handle(AttemptQueued(job))
                if reason:
                    self._display.note(job, "queued", reason)

    def _announce_pause(self, job: str) -> None:
        """Say once per fault of the machine why the run waits, and how long at most."""
        minutes = self.agenda.settings.execution.machine_wait_minutes
        self._complaints.tell(pause_words(self._messages.get(job, ""), minutes=minutes))

    def _look_at_machine(self) -> PauseOver:
        trouble = machine_trouble(self.agenda.results)
        if not trouble:
            self._display.say("going on")
            self._complaints.forget()
        return PauseOver(not trouble)

    def _launch(self, job: str, attempt: int, device: str) -> None:
        self._attempts[job] = attempt
        self._launched += 1
        self._memory.launched(job, device)
        if why := self._lost():  # not a file is to be made where the folder was
            self._unstarted.append(Exit(job, None, trouble=why, outcome=AttemptOutcome.BUSY))
            return
        try:
            if inherited := self._inherited.pop(job, None):
                self._handles[job] = inherited
            else:
                self.agenda.run(job).create(self.agenda.config(job))
                order = self.agenda.order(job, attempt, device, self._facts)
                self._handles[job] = self._launcher.launch(order)
        except OSError as error:  # no room on the disk, or no process to be had: judged as an end
            self._unstarted.append(Exit(job, None, trouble=in_words(error), errno=error.errno))
        self._places[job] = device

    def _submit_waiting(self) -> None:
        """Hand over the jobs that wait for others, too: the place starts them in their turn."""
        waiting = (j for j in self.agenda.configs if self._scheduler.status(j) is JobStatus.WAITING)
        device = next(iter(self._places.values()), "cpu")
        for job in (job for job in waiting if job not in self._inherited):
            self._launch(job, self._scheduler.next_attempt(job), device)
        for _ in range(SUBMISSIONS):
            self._launcher.wait(TICK_S / 2)
            if self._launcher.submitted():
                return
        self._display.say("not everything could be submitted; `ablate sync` submits the rest")

    def _ended(self, exit_: Exit) -> None:
        job, attempt = exit_.job, self._attempts[exit_.job]
        self._kill_at.pop(job, None)
        self._handles.pop(job, None)
        run = self.agenda.run(job)
        end = read_end(run, attempt, exit_)
        self._watch.began(job, attempt, end.written)
        finished = end.event.outcome is AttemptOutcome.FINISHED
        if finished:
            self._learn_peak(job, end.peak_bytes)
            checkpoints.remove_all(run.checkpoints)  # if it was killed before it did so itself
        for reading in self._memory.ended(job):
            self._handle(reading)
        self._messages[job] = end.message  # its log may be where nothing can be written
        instructions = self._scheduler.handle(end.event)
        status = self._scheduler.status(job)
        # Where another worker holds the job, the open attempt in its log is that worker's.
        if not finished and end.event.outcome is not AttemptOutcome.BUSY:
            try:
                write_end(run, attempt, end.event.outcome, status, end.message, exit_)
            except OSError as error:
                self._complaints.tell(f"{run.path}: {error.strerror}")
        pauses = [each.seconds for each in instructions if isinstance(each, WakeAfter)]
        pause = f"in {pauses[0]:g} s: " if pauses and status is JobStatus.BACKOFF else ""
        self._display.job(job, status, pause + end.message)
        if status in BROKEN:
            self._show_blocked()
        self._carry_out(instructions)

    def _grow(self) -> bool:
        """Ask for more seeds of studies whose jobs have all ended; whether there are any."""
        if self._more_seeds is None or self._stop.count:
            return False
        ended = [m for m in self.agenda.matrices if m.plan.key not in self._final]
        grown = {m.plan.key: self._more_seeds(m) for m in ended if self._is_over(m)}
        new = {key: matrix for key, matrix in grown.items() if matrix is not None}
        self._final |= grown.keys() - new.keys()
        if not new:
            return False
        known = self.agenda.configs.keys()
        matrices = tuple(new.get(m.plan.key, m) for m in self.agenda.matrices)
        self.agenda = replace(self.agenda, matrices=matrices)
        added = {job: config for job, config in self.agenda.configs.items() if job not in known}
        with self._complaints.of_the_store():
            for matrix in new.values():
                self._index.register(matrix.plan)
        past = read_past(added, self.agenda.run)
        if any(past.is_open(job) for job in added):  # else an earlier run did them
            self._settled = False
        self._take_on(added, past)
        return True

    def _is_over(self, matrix: Matrix) -> bool:
        """Whether every job of a study has ended, for good or ill, while others may still run."""
        jobs = matrix.configs.keys() - self.agenda.left_out
        return self._settled or all(self._scheduler.status(job) in OVER for job in jobs)

    def _show_blocked(self) -> None:
        for job in self.agenda.configs:
            if job not in self._blocked and self._scheduler.status(job) is JobStatus.BLOCKED:
                self._blocked.add(job)
                why = self.agenda.blocked_by(job, self._scheduler.status)
                self._display.job(job, JobStatus.BLOCKED, why)

    def _learn_peak(self, job: str, peak: int) -> None:
        if self._memory and peak:
            self._handle(PeakMeasured(self.agenda.task(job).kind, taken_bytes(peak)))

    def _ingest(self, jobs: Iterable[str]) -> None:
        """Bring the index up to date; if that is not possible now, training goes on all the same.

        Nothing is lost by it: whoever ingests a job next takes over all that its directory holds.
        """
        runs = [self.agenda.run(job) for job in jobs]
        with self._complaints.of_the_store():
            self._index.ingest_many(run for run in runs if run.exists())

    def _look_at_running(self) -> None:
        running = list(self._scheduler.running)
        for job in running:
            with self._complaints.of_the_store():
                if self._watch.look(self.agenda.run(job), self._attempts[job]):
                    for reading in self._memory.warmed(job):
                        self._handle(reading)
        self._ingest(running)
