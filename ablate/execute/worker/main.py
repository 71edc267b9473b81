"""A worker process: one attempt of one job, from the order to the result.

It is forked from a server that has imported torch already, so it costs milliseconds. It is the
leader of its own process group, writes only into its run directory, and leaves with a checkpoint
when it is asked to (SIGTERM, SIGINT) or when its orchestrator is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from numbers import Real
from pathlib import Path
from typing import TextIO

from ablate.errors import (
    BusyError,
    DivergedError,
    InputError,
    Interrupted,
    JobError,
    StoreError,
)
from ablate.execute.machine_faults import is_machine_fault
from ablate.execute.worker.describe_error import LASTING, describe_error
from ablate.execute.worker.order import Order
from ablate.execute.worker.worker_session import StopFlag, WorkerSession
from ablate.matrix.code_digest import file_code, job_code
from ablate.matrix.inputs import input_digest
from ablate.methods.lifecycle import AttemptOutcome
from ablate.methods.registry import import_file, is_script
from ablate.methods.script_file import read_script
from ablate.methods.script_process import CommandError
from ablate.methods.session import JobConfig, Outcome, Session
from ablate.store import checkpoints
from ablate.store.artifacts import measure
from ablate.store.events import Finished, Started
from ablate.store.history import history
from ablate.store.job_result import JobResult
from ablate.store.lease import BEATS_EVERY_S, EXPIRES_S
from ablate.store.locks import FolderLock
from ablate.store.mounts import is_local
from ablate.store.processes import process_start
from ablate.store.rundir import RunDirectory

Program = Callable[[Session], object]  #: an Outcome, if its author kept to the contract

EXIT_INTERRUPTED = 75  #: EX_TEMPFAIL: come again later
EXIT_FAILED = 1
EXIT_BUSY = 76  #: another worker holds the job
EXIT_MACHINE = 74  #: EX_IOERR: the machine failed us, and perhaps let us write down nothing
ORPHANED = "orchestrator gone"  #: why an orphan stops


def main(order: Order) -> None:
    """Entry point in the worker process; ends the process."""
    own_group()
    _redirect(RunDirectory(order.run))
    stop = StopFlag()
    for name in (signal.SIGTERM, signal.SIGINT, *((signal.SIGUSR1,) if order.elsewhere else ())):
        signal.signal(name, lambda number, _: stop.request(signal.Signals(number).name))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _watch_orchestrator(stop, order.grace_s)
    lock = FolderLock(RunDirectory(order.run).lock, f"attempt {order.attempt}", depth=2)
    try:
        # The lease of a worker that died on another machine is void only after a while.
        lock.acquire(0 if is_local(order.run) else EXPIRES_S + BEATS_EVERY_S)
        code = attempt(_numbered(order), stop)
    except BusyError:
        code = EXIT_BUSY
    except (StoreError, OSError) as error:
        if not is_machine_fault(error):
            raise
        code = EXIT_MACHINE
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if stop.reason == ORPHANED:  # nobody is left who would end what the program started
        os.killpg(os.getpgrp(), signal.SIGKILL)
    sys.exit(code)


def _numbered(order: Order) -> Order:
    """Give an attempt that a cluster started again a number of its own."""
    if not order.elsewhere:
        return order
    attempts = history(RunDirectory(order.run).events().events).attempts
    free = attempts[-1].number + 1 if attempts else 1
    return replace(order, attempt=max(order.attempt, free))


def own_group() -> None:
    """Become leader of a new session, so that signals to a terminal don't reach this process."""
    if os.getpgrp() != os.getpid():
        os.setsid()


def _redirect(run: RunDirectory) -> None:
    """Send what the program prints, and what C libraries print, to the job's log."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = run.folder.open(run.log.name, flags, 0o644)
    except OSError:  # a full disk: the training may still get through, without its words
        descriptor = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    sys.stdout, sys.stderr = _stream(1), _stream(2)


def _stream(descriptor: int) -> TextIO:
    """A stream that takes any text, whatever the locale."""
    return os.fdopen(
        descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _watch_orchestrator(stop: StopFlag, grace_s: float) -> None:
    """Stop when the orchestrator is gone, by force if the program does not listen."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        stop.request(ORPHANED)
        threading.Event().wait(grace_s)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="watch-orchestrator").start()


def attempt(order: Order, stop: StopFlag) -> int:
    """Run the job's program once and write down how it ended; returns the exit code.

    A result that is there already is left alone: computing it again could only lose it.
    """
    os.environ.update(order.device.environment)
    run = RunDirectory(order.run)
    session = WorkerSession(order, stop)
    for folder in (run.folder, run.artifact_folder):
        folder.remove_temporaries()  # of attempts that were killed as they wrote
    try:
        if run.result() is not None:  # nobody could read it when it was looked for
            return 0
        session.record(
            Started(
                attempt=order.attempt,
                time=time.time(),
                host=socket.gethostname(),
                pid=os.getpid(),
                process_start=process_start(),
                device=order.device,
                threads=order.machine.threads,
                facts=order.facts,
            )
        )
        check_files(order, session.config)
        session.check_upstream()
        returned = load_program(session.config.program, order.method_file)(session)
        outcome = check_outcome(returned, session.config.program)
        result = _result(outcome, session.seconds)
        run.write_result(replace(result, artifacts=measure(run), upstream=session.used))
    except Interrupted:
        return EXIT_INTERRUPTED
    except BaseException as error:
        _tell(session, error)
        return EXIT_MACHINE if is_machine_fault(error) else EXIT_FAILED
    with contextlib.suppress(OSError):  # the result counts; these only tidy up
        session.record(Finished(attempt=order.attempt, time=time.time()))
        session.forget_pulse()
        checkpoints.remove_all(run.checkpoints)
    return 0


def _tell(session: WorkerSession, error: BaseException) -> None:
    """Record the error that ended the program, as an event and in the log if the disk allows it.

    Of what only the user can put right, or a command of theirs said itself, the log has the
    sentence; where it was found, the event.
    """
    event, trouble = describe_error(error, session.attempt), ""
    try:
        session.record(event)
    except OSError as full:
        trouble = f"this could not be written to the event log: {full}\n"
    explained = event.outcome is AttemptOutcome.REFUSED or isinstance(error, CommandError)
    words = f"{event.message}\n" if explained else event.traceback
    with contextlib.suppress(OSError):
        sys.stderr.write(words + trouble)
        sys.stderr.flush()


def check_files(order: Order, config: JobConfig) -> None:
    """The user's files must be what the job was planned with, or its id would name another job.

    So must the code of a worker on another machine. Raises JobError for the first that differs.
    """
    if order.elsewhere and job_code(config, order.method_file) != config.code:
        raise JobError(
            f"the code on {socket.gethostname()} is not the code that the job was planned with: "
            "install the same version there, or run the study again with this one"
        )
    planned_files: list[tuple[Path, Callable[[Path], str], str]] = [
        (path, partial(input_digest, config, name), config.inputs[name])
        for name, path in order.machine.files.items()
    ]
    if order.method_file:
        planned_files.append((Path(order.method_file), file_code, order.method_code))
    for path, digest, planned in planned_files:
        try:
            now = digest(path)
        except (*LASTING, SyntaxError, ValueError, InputError):  # gone, or no code any more
            now = ""
        if now != planned:
            raise JobError(f"{path} has changed since the study was planned: run the study again")


def load_program(path: str, method_file: str) -> Program:
    """The function that a method names: "module:function", or a function of the user's file.

    A script's is the one that runs its command.
    """
    if is_script(method_file):
        from ablate.methods.script_program import run_script

        return partial(run_script, declaration=read_script(Path(method_file)))
    module_name, _, function = path.rpartition(":")
    in_file = bool(method_file) and not module_name
    module = import_file(Path(method_file)) if in_file else importlib.import_module(module_name)
    program: Program = getattr(module, function)
    return program


def check_outcome(returned: object, program: str) -> Outcome:
    """What a program returned, if a table can be made of it: an Outcome of finite numbers.

    Raises JobError for what is no such thing, and DivergedError for a number that is not finite.
    """
    function = program.rpartition(":")[2]
    if not isinstance(returned, Outcome):
        raise JobError(f"{function} must return an Outcome, not {type(returned).__name__}")
    promised: Mapping[str, object] = {"metrics": returned.metrics, "best": returned.best}
    for name, values in promised.items():
        if not isinstance(values, Mapping):
            kind = type(values).__name__
            raise JobError(f"{function} must return numbers by name as {name}, not {kind}")
        for metric, value in values.items():
            if isinstance(value, bool) or not isinstance(value, Real):
                wrong = f'"{metric}" is {value!r}, of type {type(value).__name__}'
                raise JobError(f"{function} must return numbers as {name}, but {wrong}")
            if not math.isfinite(value):
                raise DivergedError(f'{function} returned {name} in which "{metric}" is {value}')
    return returned


def _result(outcome: Outcome, seconds: float) -> JobResult:
    return JobResult(
        metrics={name: float(value) for name, value in outcome.metrics.items()},
        best={name: float(value) for name, value in outcome.best.items()},
        best_epoch=outcome.best_epoch,
        weights_digest=outcome.weights_digest,
        facts={name: str(text) for name, text in outcome.facts.items()},
        costs={"train_seconds": seconds, "peak_memory_mib": outcome.peak_memory / 2**20},
    )
