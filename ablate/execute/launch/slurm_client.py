"""Slurm's own commands, one method each, with typed answers.

Every answer says what Slurm said and nothing more: a controller that does not answer is
`SlurmUnavailable`, never an empty queue, and a job that the queue no longer lists may have ended in
any way. Slurm's accounting (`sacct`) may be disabled, late or wrong about old ids, so `account`
returns None where there is none.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ablate.errors import AblateError
from ablate.execute.launch.base import LauncherSilent

_SEPARATOR = "|"
_UNKNOWN_ID = "Invalid job id"
_OVER = (_UNKNOWN_ID, "already completing or completed")  #: what scancel says of tasks that ended
_NO_ACCOUNTING = "accounting_storage/none"
_MANY = 500  #: ids in one call, far below the longest command line


class SlurmUnavailable(LauncherSilent):
    """The controller did not answer, or answered that it can't now; ask again later."""


class SlurmRefused(AblateError):  # noqa: N818
    """Slurm answered that it will not do this; asking again gives the same answer."""


class TaskState(StrEnum):
    """Slurm's word for how a task stands, reduced to what makes a difference here."""

    PENDING = "PENDING"  #: waits for its turn, for a dependency, or to be requeued
    RUNNING = "RUNNING"  #: its script runs, or ends just now
    SUSPENDED = "SUSPENDED"  #: stopped by the scheduler, in memory; it will go on
    COMPLETED = "COMPLETED"  #: its script ended with exit code 0
    FAILED = "FAILED"  #: its script ended with another exit code
    CANCELLED = "CANCELLED"  #: by `scancel`, or because its dependency can never be met
    TIMEOUT = "TIMEOUT"  #: reached its time limit
    PREEMPTED = "PREEMPTED"  #: gave way to a job of higher priority
    NODE_FAIL = "NODE_FAIL"  #: its node died or failed to boot
    OUT_OF_MEMORY = "OUT_OF_MEMORY"  #: killed since it used more memory than it had asked for
    UNKNOWN = "UNKNOWN"  #: a word that this version does not know

    @property
    def ended(self) -> bool:
        """Whether the task is over; an unknown state is not."""
        return self not in _GOING_ON


_GOING_ON = frozenset(
    {TaskState.PENDING, TaskState.RUNNING, TaskState.SUSPENDED, TaskState.UNKNOWN}
)

#: Slurm's other words for the same.
_ALIASES: Mapping[str, TaskState] = {
    "CONFIGURING": TaskState.RUNNING,
    "COMPLETING": TaskState.RUNNING,
    "STAGE_OUT": TaskState.RUNNING,
    "SIGNALING": TaskState.RUNNING,
    "STOPPED": TaskState.SUSPENDED,
    "RESIZING": TaskState.RUNNING,
    "REQUEUED": TaskState.PENDING,
    "REQUEUE_FED": TaskState.PENDING,
    "REQUEUE_HOLD": TaskState.PENDING,
    "SPECIAL_EXIT": TaskState.PENDING,
    "RESV_DEL_HOLD": TaskState.PENDING,
    "BOOT_FAIL": TaskState.NODE_FAIL,
    "DEADLINE": TaskState.TIMEOUT,
    "REVOKED": TaskState.CANCELLED,
}


def parse_state(word: str) -> TaskState:
    """Read a state as squeue and sacct print it: "RUNNING", "CANCELLED by 1000", "TIMEOUT+"."""
    name = word.strip().partition(" ")[0].rstrip("+").upper()
    if name in TaskState.__members__:
        return TaskState[name]
    return _ALIASES.get(name, TaskState.UNKNOWN)


@dataclass(frozen=True)
class QueueTask:
    """One task as the queue lists it."""

    id: str  #: "17", or "17_3" of an array
    state: TaskState
    reason: str  #: why it waits, in Slurm's word: "Resources"; "None" where it doesn't
    comment: str  #: as it was submitted


@dataclass(frozen=True)
class AccountedTask:
    """One task as the accounting remembers it."""

    id: str
    state: TaskState
    exit_code: int
    signal: int  #: 0 where none ended it


@dataclass(frozen=True)
class ClusterLimits:
    """What the cluster allows."""

    max_array_size: int  #: indices of an array lie below this
    kill_wait_s: int  #: seconds between SIGTERM and SIGKILL
    accounting: bool  #: whether accounts and qos are known, and sacct may tell of the past


@dataclass(frozen=True)
class Partition:
    """What one partition allows."""

    name: str
    max_time_minutes: int | None  #: None: no limit
    up: bool


class Runner(Protocol):
    """Runs a command; a test may answer in its place."""

    def __call__(
        self, command: Sequence[str], text: str | None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` with `text` on its standard input.

        Raises OSError where there is no such program, TimeoutExpired where it does not end.
        """


def run_command(
    command: Sequence[str], text: str | None, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command of this machine; see `Runner`."""
    return subprocess.run(
        list(command),
        input=text,
        stdin=None if text is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )


@dataclass(frozen=True)
class SlurmClient:
    """Talks to a cluster through `sbatch`, `squeue`, `sacct`, `scancel` and `scontrol`."""

    run: Runner = run_command
    timeout_s: float = 60.0

    def submit(self, script: str) -> str:
        """Submit a script and return the job's id.

        Raises SlurmRefused for a script that the cluster does not take, and SlurmUnavailable where
        nobody knows whether it took it: find it again by its comment before submitting once more.
        """
        answer = self._ask(["sbatch", "--parsable"], text=script)
        job = answer.strip().partition(";")[0]  # "17;cluster" in a federation
        if not job.isdecimal():
            raise SlurmUnavailable(f"sbatch answered {answer.strip()!r}, which is no job id")
        return job

    def check(self, script: str) -> None:
        """Let Slurm validate a script without running it.

        Raises SlurmRefused with Slurm's reason. It lets a time above the partition's limit pass,
        and, without accounting, any account and qos.
        """
        self._ask(["sbatch", "--test-only"], text=script)

    def queue(self, *, jobs: Iterable[str] = (), user: str = "") -> dict[str, QueueTask]:
        """Return all tasks of some jobs, or of a user, that are in the queue, by id: one query.

        Tasks that ended a while ago are not there. Raises SlurmUnavailable.
        """
        format_ = _SEPARATOR.join(("%i", "%T", "%r", "%k"))
        command = ["squeue", "--noheader", "--array", "--states=all", f"--format={format_}"]
        ids = sorted(set(jobs))
        command += [f"--jobs={','.join(ids)}"] if ids and len(ids) <= _MANY else []
        command += [f"--user={user}"] if user else []
        try:
            answer = self._ask(command)
        except SlurmRefused as refused:
            if _UNKNOWN_ID in str(refused):  # the only job asked for ended long ago
                return {}
            raise
        tasks = (self._queue_task(line) for line in answer.splitlines())
        return {task.id: task for task in tasks if task is not None}

    @staticmethod
    def _queue_task(line: str) -> QueueTask | None:
        fields = line.split(_SEPARATOR, 3)  # a comment may hold the separator
        if len(fields) < 4:
            return None
        name, state, reason, comment = fields
        comment = "" if comment == "(null)" else comment
        return QueueTask(name, parse_state(state), reason.strip("()"), comment)

    def account(self, jobs: Iterable[str]) -> dict[str, AccountedTask] | None:
        """Return what the accounting remembers of some jobs; None where it can't be asked."""
        command = ["sacct", "--noheader", "--allocations", "--parsable2", "--duplicates"]
        command += ["--format=JobID,State,ExitCode", f"--jobs={','.join(sorted(set(jobs)))}"]
        try:
            answer = self._ask(command)
        except (SlurmUnavailable, SlurmRefused):
            return None
        found: dict[str, AccountedTask] = {}
        for line in answer.splitlines():  # a requeued task has a line per start, the newest last
            fields = line.split("|")
            if len(fields) == 3 and (code := re.fullmatch(r"(\d+):(\d+)", fields[2])):
                state = parse_state(fields[1])
                found[fields[0]] = AccountedTask(fields[0], state, int(code[1]), int(code[2]))
        return found

    def cancel(self, tasks: Iterable[str]) -> None:
        """Cancel tasks or whole jobs; those that have ended already are no error.

        Raises SlurmUnavailable.
        """
        self._scancel(tasks)

    def ask_to_leave(self, tasks: Iterable[str]) -> None:
        """Send SIGTERM to the scripts of tasks that run, and cancel those that wait.

        Raises SlurmUnavailable.
        """
        every = sorted(set(tasks))
        self._scancel(every, "--state=PENDING")
        self._scancel(every, "--batch", "--signal=TERM")

    def _scancel(self, tasks: Iterable[str], *options: str) -> None:
        every = sorted(set(tasks))
        for start in range(0, len(every), _MANY):
            try:
                self._ask(["scancel", "--quiet", *options, *every[start : start + _MANY]])
            except SlurmRefused as refused:
                if not any(word in str(refused) for word in _OVER):
                    raise

    def limits(self) -> ClusterLimits:
        """Ask what the cluster allows; SlurmUnavailable where it does not answer."""
        settings = dict(
            re.findall(r"^(\w+)\s*=\s*(.*)$", self._ask(["scontrol", "show", "config"]), re.M)
        )
        return ClusterLimits(
            max_array_size=_leading_number(settings.get("MaxArraySize", ""), 1001),
            kill_wait_s=_leading_number(settings.get("KillWait", ""), 30),
            accounting=settings.get("AccountingStorageType", _NO_ACCOUNTING) != _NO_ACCOUNTING,
        )

    def partitions(self) -> dict[str, Partition]:
        """Ask for all partitions by name; SlurmUnavailable where the cluster does not answer."""
        found = {}
        for line in self._ask(["scontrol", "--oneliner", "show", "partition"]).splitlines():
            facts = dict(re.findall(r"(\w+)=(\S*)", line))
            if name := facts.get("PartitionName"):
                minutes = parse_minutes(facts.get("MaxTime", ""))
                found[name] = Partition(name, minutes, facts.get("State") == "UP")
        return found

    def associations(self, user: str) -> frozenset[tuple[str, str]] | None:
        """Return the (account, qos) that a user may charge; None where accounting is off."""
        command = ["sacctmgr", "--noheader", "--parsable2", "show", "associations"]
        try:
            answer = self._ask([*command, f"user={user}", "format=Account,QOS"])
        except (SlurmUnavailable, SlurmRefused):
            return None
        pairs = (line.split("|") for line in answer.splitlines() if "|" in line)
        return frozenset((account, qos) for account, every in pairs for qos in every.split(","))

    def _ask(self, command: Sequence[str], text: str | None = None) -> str:
        try:
            answer = self.run(command, text, self.timeout_s)
        except FileNotFoundError as error:
            right = "run where Slurm is installed: a login node"
            raise SlurmRefused(f"no program {command[0]} ({right})") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SlurmUnavailable(f"{command[0]}: {error}") from error
        if answer.returncode == 0:
            return answer.stdout
        words = " ".join((answer.stderr or answer.stdout).split())
        raise (SlurmUnavailable if _is_passing(words) else SlurmRefused)(f"{command[0]}: {words}")


#: What Slurm's commands say where the controller, not the request, is at fault.
_PASSING = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "slurm_load_jobs error: zero bytes",
    "zero bytes were transmitted",
    "transport endpoint",
    "resource temporarily unavailable",
    "unexpected message received",
    "protocol authentication error",
    "connection reset",
    "slurm temporarily unable to accept job",
    "slurm backup controller in standby mode",
    "job violates accounting/qos policy (job submit limit",
)


def _is_passing(words: str) -> bool:
    return any(part in words.lower() for part in _PASSING)


def _leading_number(text: str, default: int) -> int:
    found = re.match(r"\d+", text.strip())
    return int(found[0]) if found else default


def parse_minutes(text: str) -> int | None:
    """Read a time limit as Slurm writes it, "[days-]hours:minutes:seconds", in minutes.

    Also "minutes", "minutes:seconds", "days-hours" and "days-hours:minutes". Returns None for
    UNLIMITED. Raises ValueError for anything else.
    """
    if text.strip().upper() in ("UNLIMITED", "INFINITE", "-1"):
        return None
    days, dash, clock = text.strip().rpartition("-")
    fields = clock.split(":")
    if not all(field.isdecimal() for field in fields) or len(fields) > 3 or (dash and not days):
        raise ValueError(f'"{text}" is no time limit, such as "2-12:00:00" or "90"')
    numbers = [int(field) for field in fields]
    if dash:  # days-hours[:minutes[:seconds]]
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:  # minutes[:seconds]
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    return int(days or 0) * 1440 + hours * 60 + minutes + (seconds > 0)
