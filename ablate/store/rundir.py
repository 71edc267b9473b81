"""The run directory of one job: the truth about it.

results/runs/<job id>/
    config.json     what the job computes; written once
    events.jsonl    what happened to it; only ever appended to
    log.txt         what its workers printed
    checkpoints/    at most two, gone when the job is done
    artifacts/      files for downstream jobs and users
    result.json     there, and sound, if and only if the job is done
    result.json.corrupt     one that may not count and was set aside, if there ever was one
    lock            held by its worker
    pulse.json      how far its worker is; gone when the job is done
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Set
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.matrix.identity import job_id
from ablate.methods.session import JobConfig
from ablate.store.events import Event, from_line, to_line
from ablate.store.files import CORRUPT
from ablate.store.folders import MIB, Folder, NotPlainError
from ablate.store.job_result import JobResult, ResultError, from_bytes, to_text
from ablate.store.results_format import write_format

_JOB_ID = re.compile(r"[0-9a-f]{64}")
_MOST_EVENTS = 256 * MIB  #: of an event log
_MOST_DOCUMENT = 16 * MIB  #: of a config or a result


@dataclass(frozen=True)
class EventLog:
    """The events of a job, as far as they can be read."""

    events: tuple[Event, ...] = ()
    damaged: int = 0  #: lines that are no events, the unfinished last line not counted
    truncated: bool = False  #: the last line is unfinished: a crash, or a write in progress
    size: int = 0  #: bytes that were read
    content: bytes = field(default=b"", repr=False, compare=False)  #: those bytes

    def digest(self, size: int) -> str:
        """A digest of its first bytes, to tell whether a log is the continuation of another."""
        return hashlib.blake2b(self.content[:size], digest_size=16).hexdigest()


class AbsentError(StoreError):
    """A file that is not there."""


class DamagedError(StoreError):
    """A file with wrong content, or a link or folder in its place."""


class RunDirectory:
    """The files of one job, under the folder that carries its id."""

    def __init__(self, path: Path) -> None:
        """Name a run directory, whether or not it exists; StoreError if it is named otherwise."""
        _check_id(path.name)
        self.path = path

    @classmethod
    def of(cls, results: Path, job: str) -> RunDirectory:
        """Name the run directory of a job; StoreError if `job` is no full job id, or a path."""
        _check_id(job)
        return cls(results / "runs" / job)

    @property
    def id(self) -> str:
        """The job's full id."""
        return self.path.name

    @property
    def folder(self) -> Folder:
        """The folder itself, for reading and writing the files in it."""
        return Folder(self.path, depth=2)

    @property
    def artifact_folder(self) -> Folder:
        """The folder of artifacts, for reading and writing them."""
        return Folder(self.artifacts, depth=3)

    @property
    def log(self) -> Path:
        """What workers print goes here."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """Folder for `ablate.store.checkpoints`."""
        return self.path / "checkpoints"

    @property
    def artifacts(self) -> Path:
        """Folder of the files that downstream jobs and users read."""
        return self.path / "artifacts"

    @property
    def lock(self) -> Path:
        """File that the job's worker locks."""
        return self.path / "lock"

    @property
    def events_file(self) -> Path:
        """The event log; read it through `events`."""
        return self.path / "events.jsonl"

    @property
    def result_file(self) -> Path:
        """The result; read it through `result`."""
        return self.path / "result.json"

    def exists(self) -> bool:
        """Whether it was fully created."""
        return _is_file(self.path / "config.json")

    def create(self, config: JobConfig) -> RunDirectory:
        """Make the folders and write the config, unless that was done before.

        Raises StoreError if the config's id is not this directory's, OSError if the disk is full
        or read-only. Its last step is atomic: a directory without config counts as absent.
        """
        if job_id(config) != self.id:
            raise StoreError(f"{self.path}: the config belongs to job {job_id(config)}")
        write_format(self.path.parents[1])
        Folder(self.checkpoints, depth=3).make()
        self.artifact_folder.make()
        if self.mend_config(config):
            Folder(self.path.parent, depth=1).sync()
        return self

    def mend_config(self, config: JobConfig) -> bool:
        """Write the config unless it stands there and is sound; returns whether it was written.

        Only for a config of this directory's id, which says what must stand there.
        """
        try:
            if job_id(self.config()) == self.id:
                return False
        except (StoreError, ValueError):
            pass  # absent or damaged, a NaN or half a character in it included
        text = json.dumps(vars(config), sort_keys=True, indent=2, ensure_ascii=False)
        self.folder.write("config.json", text.encode() + b"\n")
        return True

    def config(self) -> JobConfig:
        """Read what the job computes; StoreError if that is absent or damaged."""
        file = self.path / "config.json"
        found = self._read_object(file.name)
        known = fields(JobConfig)
        needed = [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]
        lacks = [name for name in needed if name not in found]
        odd = sorted(found.keys() - {f.name for f in known})
        if lacks or odd:
            wrong = f"lacks {', '.join(lacks)}" if lacks else f"has {', '.join(odd)}, unknown here"
            right = "`ablate run` of its study writes it anew"
            raise DamagedError(f"{file}: damaged: {wrong} ({right})")
        config = JobConfig(**found)
        try:
            job_id(config)
        except (TypeError, ValueError, RecursionError) as error:  # an infinite number has no id
            raise DamagedError(f"{file}: damaged: {error}") from error
        return config

    def append(self, event: Event, *, durable: bool = True) -> None:
        """Add one line to the event log; if `durable`, it survives power loss once this returns.

        Worker and orchestrator may both append: a line goes out in one write. Raises OSError as
        the system gives it; a line that a full disk cut short is skipped by readers.
        """
        line = to_line(event) + b"\n"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        descriptor = self.folder.open(self.events_file.name, flags)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash cut the line before this one
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.events_file))
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not size:
            self.folder.sync()

    def has_readable_log(self) -> bool:
        """Whether the event log is absent, or a file of a size that is read."""
        try:
            status = self.events_file.lstat()
        except OSError:
            return True
        return stat.S_ISREG(status.st_mode) and status.st_size <= _MOST_EVENTS

    def events_size(self) -> int:
        """Bytes of the event log, 0 if there is none: it changed if and only if it grew."""
        try:
            return self.events_file.lstat().st_size
        except OSError:
            return 0

    def stamp(self, file: Path) -> str:
        """What changes with each change of a file: size, times, inode; "" where there is none."""
        try:
            status = file.lstat()
        except OSError:
            return ""
        return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"

    def events(self) -> EventLog:
        """Read the event log; damaged lines are left out and counted; absent means empty.

        Raises DamagedError for what is no file, StoreError if the file cannot be read now.
        """
        try:
            content = self.folder.read(self.events_file.name, most_bytes=_MOST_EVENTS)
        except FileNotFoundError:
            return EventLog()
        except (IsADirectoryError, NotPlainError) as error:
            raise DamagedError(f"{self.events_file}: damaged: {error.strerror}") from error
        except OSError as error:
            raise StoreError(f"{self.events_file}: {error.strerror}") from error
        return parse_events(content)

    def write_result(self, result: JobResult) -> None:
        """Write the result, atomically; from then on the job is done. Raises OSError."""
        self.folder.write(self.result_file.name, to_text(result).encode())

    def read_result(self) -> JobResult:
        """Read the result.

        Raises AbsentError while there is none, DamagedError for one that is certainly none, and
        StoreError if the file cannot be read, which says nothing of what is in it.
        """
        file = self.result_file
        try:
            return from_bytes(self._content(file.name))
        except ResultError as error:
            raise DamagedError(f"{file}: damaged: {error}") from error

    def result(self) -> JobResult | None:
        """Read the result; None while there is none, or only a damaged one: the job is not done.

        Raises StoreError if the file cannot be read, which says nothing of what is in it.
        """
        try:
            return self.read_result()
        except (AbsentError, DamagedError):
            return None

    def set_result_aside(self) -> Path:
        """Rename the result and return its new path, so that the job counts as not done.

        Only for the holder of the orchestrator's lock. Raises OSError.
        """
        name = self.result_file.name
        return self.folder.rename(name, name + CORRUPT)

    def has_result_file(self) -> bool:
        """Whether anything stands in the place of the result, sound or not."""
        return os.path.lexists(self.result_file)

    def _content(self, name: str) -> bytes:
        path = self.path / name
        try:
            return self.folder.read(name, most_bytes=_MOST_DOCUMENT)
        except FileNotFoundError as error:
            raise AbsentError(f"{path}: {error.strerror}") from error
        except (IsADirectoryError, NotPlainError) as error:
            raise DamagedError(f"{path}: damaged: {error.strerror}") from error
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error

    def _read_object(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            value = json.loads(self._content(name))
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"{path}: damaged: {error}") from error
        if not isinstance(value, dict):
            raise DamagedError(f"{path}: damaged: not a JSON object")
        return value


def _check_id(name: str) -> None:
    if not _JOB_ID.fullmatch(name):
        raise StoreError(f'a run directory is named by 64 hex digits, not "{name}"')


def run_names(results: Path) -> Set[str]:
    """Ids of all jobs that have a run directory in a results folder."""
    try:
        return set(Folder(results / "runs", depth=1).names())
    except OSError:
        return frozenset()


def run_directories(results: Path) -> Iterator[RunDirectory]:
    """All run directories of a results folder that were fully created, by id."""
    try:
        names = Folder(results / "runs", depth=1).names()
    except OSError:
        return
    for name in names:
        run = RunDirectory(results / "runs" / name) if _JOB_ID.fullmatch(name) else None
        if run is not None and not run.path.is_symlink() and run.exists():
            yield run


def parse_events(content: bytes) -> EventLog:
    """Read an event log from its bytes, whatever happened to them."""
    *lines, last = content.split(b"\n")
    parsed = [from_line(line) for line in lines if line]
    damaged = parsed.count(None)
    unfinished = from_line(last)  # whole but for its newline is whole enough
    events = tuple(event for event in [*parsed, unfinished] if event is not None)
    return EventLog(events, damaged, bool(last) and unfinished is None, len(content), content)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
