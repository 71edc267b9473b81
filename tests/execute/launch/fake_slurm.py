"""A cluster without processes: it answers Slurm's commands from a simulated queue.

`FakeSlurm()` is a `Runner`: hand it to a `SlurmClient`. Time passes only in `advance`. What a task
does when it starts and how long it takes is the test's to say, through `work`.
"""

from __future__ import annotations

import heapq
import re
import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Work = Callable[["Task"], float]  #: what a task does at its start; returns seconds until its end

SILENT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"


@dataclass
class Task:
    """One task of an array."""

    array: int
    index: int
    order: Path
    comment: str
    after: tuple[str, ...] = ()
    state: str = "PENDING"
    reason: str = "None"
    ends_at: float = 0.0
    ended_at: float = 0.0
    starts: int = 0
    signalled: bool = False
    doomed: str = ""  #: state of an end that `finish` decided to be no success

    @property
    def id(self) -> str:
        return f"{self.array}_{self.index}"

    @property
    def over(self) -> bool:
        return self.state not in ("PENDING", "RUNNING")


@dataclass
class FakeSlurm:
    """A queue of tasks on so many places; `work` decides what a task does."""

    work: Work
    places: int = 2
    max_array: int = 1001
    remembers_s: float = 300.0  #: how long squeue lists tasks that ended
    accounting: bool = False
    accounting_late_s: float = 0.0  #: before the accounting knows of an end
    silent: bool = False  #: the controller does not answer
    loses_answers: int = 0  #: so many submissions are taken without an answer
    finish: Callable[[Task], None] = lambda task: None  #: at a task's natural end
    now: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)  #: scripts
    _next: int = 1
    _pending: dict[str, Task] = field(default_factory=dict)  #: in the queue's order
    _running: dict[str, Task] = field(default_factory=dict)
    _ends: list[tuple[float, str]] = field(default_factory=list)  #: heap of planned ends
    _over: deque[Task] = field(default_factory=deque)  #: in the order in which they ended

    def __call__(
        self, command: Sequence[str], text: str | None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        name = command[0]
        self.calls.append(name)
        if self.silent and name != "sacct":
            return subprocess.CompletedProcess(list(command), 1, "", SILENT)
        if name == "sbatch":
            return self._sbatch(list(command), text or "")
        if name == "squeue":
            return self._ok(self._squeue())
        if name == "scancel":
            return self._ok(self._scancel(list(command[1:])))
        if name == "sacct":
            return self._sacct(list(command))
        if name == "scontrol":
            return self._ok(f"MaxArraySize = {self.max_array}\nMaxJobCount = 10000\n")
        return subprocess.CompletedProcess(list(command), 1, "", f"no {name} here")

    def advance(self, seconds: float) -> None:
        """Let time pass: tasks end, and others start in their place."""
        until = self.now + seconds
        self._start()
        while self._ends and self._ends[0][0] <= until:
            at, name = heapq.heappop(self._ends)
            task = self._running.get(name)
            if task is None or task.ends_at != at:
                continue  # it ended otherwise, or was signalled
            self.now = max(self.now, at)
            self.finish(task)
            self.end(task, task.doomed or "COMPLETED")
            self._start()
        self.now = until
        while self._over and self.now - self._over[0].ended_at > self.remembers_s:
            forgotten = self._over.popleft()
            if not self.accounting and forgotten.over:
                self.tasks.pop(forgotten.id, None)

    def end(self, task: Task, state: str) -> None:
        """End a task now."""
        self._pending.pop(task.id, None)
        self._running.pop(task.id, None)
        task.state, task.ended_at = state, self.now
        self._over.append(task)

    def requeue(self, task: Task) -> None:
        """Put a running task back into the queue, as after the death of its node."""
        task.state, task.reason = "PENDING", "BeginTime"
        del self._running[task.id]
        self._pending[task.id] = task

    @property
    def running(self) -> list[Task]:
        return list(self._running.values())

    def _start(self) -> None:
        free = self.places - len(self._running)
        for task in list(self._pending.values()) if free > 0 else ():
            if free <= 0:
                break
            waits = self._waits(task)
            if waits is None:
                self.end(task, "CANCELLED")
            elif not waits:
                free -= 1
                del self._pending[task.id]
                self._running[task.id] = task
                task.state, task.reason = "RUNNING", "None"
                task.starts += 1
                task.ends_at = self.now + self.work(task)
                heapq.heappush(self._ends, (task.ends_at, task.id))

    def _waits(self, task: Task) -> bool | None:
        """Whether a task waits for another; None if it never can run."""
        upstream = [self.tasks[name] for name in task.after if name in self.tasks]
        if any(up.over and up.state != "COMPLETED" for up in upstream):
            return None
        return any(not up.over for up in upstream)

    def _sbatch(self, command: list[str], script: str) -> subprocess.CompletedProcess[str]:
        options = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.M))
        if "--test-only" in command:
            return self._ok("")
        orders = dict(re.findall(r"^orders\[(\d+)\]=(.*)$", script, re.M))
        if len(orders) > self.max_array:
            return subprocess.CompletedProcess(command, 1, "", "Invalid job array specification")
        self.submitted.append(script)
        array, self._next = self._next, self._next + 1
        after = tuple(options.get("dependency", "").removeprefix("afterok:").split(":"))
        for index, quoted in orders.items():
            path = Path(shlex.split(quoted)[0])
            names = after if after != ("",) else ()
            task = Task(array, int(index), path, options["comment"], names)
            task.reason = "Dependency" if names else "Resources"
            self.tasks[task.id] = self._pending[task.id] = task
        if self.loses_answers:
            self.loses_answers -= 1
            raise subprocess.TimeoutExpired(command, 1)
        return self._ok(f"{array}\n")

    def _squeue(self) -> str:
        lines = []
        for task in self.tasks.values():
            if not task.over or self.now - task.ended_at <= self.remembers_s:
                lines.append(f"{task.id}|{task.state}|{task.reason}|{task.comment}\n")
        return "".join(lines)

    def _scancel(self, words: list[str]) -> str:
        pending_only, signal_only = "--state=PENDING" in words, "--signal=TERM" in words
        for name in (word for word in words if not word.startswith("--")):
            task = self.tasks.get(name)
            if task is None or task.over:
                continue
            if signal_only and task.state == "RUNNING":
                task.signalled = True
                task.ends_at = self.now
                heapq.heappush(self._ends, (task.ends_at, task.id))
            elif not signal_only and (not pending_only or task.state == "PENDING"):
                self.end(task, "CANCELLED")
        return ""

    def _sacct(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        if not self.accounting:
            words = "Slurm accounting storage is disabled"
            return subprocess.CompletedProcess(command, 1, "", words)
        wanted = next(w for w in command if w.startswith("--jobs="))[7:].split(",")
        found = [self.tasks[name] for name in wanted if name in self.tasks]
        found = [t for t in found if t.over and self.now - t.ended_at >= self.accounting_late_s]
        return self._ok("".join(f"{task.id}|{task.state}|0:0\n" for task in found))

    @staticmethod
    def _ok(out: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, out, "")
