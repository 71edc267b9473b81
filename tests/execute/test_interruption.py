"""Ctrl-C, SIGTERM and closed terminals: every job writes a checkpoint, and the command goes on."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios

import pytest

from ablate.store.events import CheckpointSaved, EpochEnded, Resumed, Started, Stopped
from tests.execute.toy_workshop import (
    PATIENCE_S,
    Workshop,
    fork_server,
    is_running,
    signal_worker,
    until,
)

Outcomes = dict[tuple[str, str, int], tuple[str, str]]

SLOW = ("--set", "pause=20")
SLOWER = ("--set", "pause=80")  # for what must be seen while a job runs, on a busy machine too


def resumes(workshop: Workshop, study: str, whole: Outcomes, *options: str) -> None:
    """The same command goes on, and ends as if nothing had happened."""
    said = workshop.run(study, *(options or SLOW))
    assert "resumed from a checkpoint" in said
    assert workshop.outcomes() == whole
    workshop.nothing_runs()


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGTERM, signal.SIGHUP)]
)
def test_one_request_stops_gently(
    workshop: Workshop, whole: Outcomes, signals: tuple[int, ...]
) -> None:
    """systemd sends SIGHUP right after SIGTERM, which is no second request."""
    workshop.settings(checkpoint_every="100 epochs")
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOWER)
    teacher, *_ = workshop.workers()
    until(lambda: workshop.events(EpochEnded), "an epoch")
    for number in signals:
        run.send_signal(number)
    done = workshop.finish(run)
    assert done.returncode == 130
    assert "stopping: 1 running job" in done.stderr
    assert "to go on from here: `ablate run study.toml --set pause=80`\n" in done.stderr
    assert not is_running(teacher.pid or 0)
    (history,) = workshop.histories()
    (attempt,) = history.attempts
    assert (attempt.outcome, attempt.status) == ("interrupted", "interrupted")
    (saved,) = workshop.events(CheckpointSaved)
    (interrupted,) = workshop.events(Stopped)
    assert saved.step == interrupted.step
    assert saved.step > 10, "saved where it was, between two epochs"
    workshop.nothing_runs()
    resumes(workshop, study, whole, *SLOWER)
    assert next(e.step for e in workshop.events(Resumed)) == saved.step


def test_every_running_job_checkpoints(workshop: Workshop) -> None:
    workshop.settings(checkpoint_every="100 epochs")
    run = workshop.start("run", workshop.study(), *SLOW)
    workshop.workers(2, step=10)
    run.send_signal(signal.SIGINT)
    assert workshop.finish(run).returncode == 130
    assert len(workshop.events(CheckpointSaved)) == len(workshop.events(Stopped)) == 2


def test_twice_ends_at_once_and_loses_no_more_than_an_interval(workshop: Workshop) -> None:
    workshop.settings(grace_s=600)  # so that nothing but the second signal can be it
    study = workshop.study("fault", '["hang"]')
    run = workshop.start("run", study, "--seeds", "0")
    hanging = workshop.hanging()
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGINT)  # may be merged with the first one, so:
    until(lambda: run.poll() is not None or interrupt(run), "its end")
    assert workshop.finish(run).returncode == 130
    assert not any(is_running(attempt.pid or 0) for attempt in hanging)
    workshop.nothing_runs()
    workshop.run(study, "--seeds", "0")
    resumed = [h for h in workshop.histories() if h.resumed_from]
    assert [h.resumed_from for h in resumed] == [(10,)], "the last checkpoint before step 15"


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(workshop: Workshop) -> None:
    workshop.settings(grace_s=0.5)
    study = workshop.study("fault", '["ignore_sigterm"]')
    run = workshop.start("run", study, "--seeds", "0")
    stubborn = workshop.hanging()
    run.send_signal(signal.SIGTERM)
    assert workshop.finish(run).returncode == 130
    assert not any(is_running(attempt.pid or 0) for attempt in stubborn)
    ends = [h.attempts[-1] for h in workshop.histories() if h.attempts[-1].signal]
    assert [(end.signal, end.status) for end in ends] == [(9, "interrupted")]
    workshop.run(study, "--seeds", "0")
    assert any(h.resumed_from == (10,) for h in workshop.histories())


def interrupt(run: subprocess.Popen[str]) -> bool:
    run.send_signal(signal.SIGINT)
    return False


def lead_session() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def open_terminal(workshop: Workshop, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """Start a command as the leader of a session on a terminal of its own."""
    ours, theirs = pty.openpty()
    process = workshop.start(
        *arguments,
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=False,
        preexec_fn=lead_session,
    )  # fmt: skip
    os.close(theirs)
    return process, ours


def drain(terminal: int) -> bytes:
    """What a terminal shows now; a full one would make the program wait."""
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 65536)
    except (BlockingIOError, OSError):
        return b""


def test_a_closed_terminal(workshop: Workshop, whole: Outcomes) -> None:
    workshop.settings(checkpoint_every="100 epochs")
    study = workshop.study(method="TAUGHT")
    process, terminal = open_terminal(workshop, "run", study, *SLOW)
    shown = b""
    while b"/3 epochs" not in shown:
        shown += until(lambda: drain(terminal), "bars")
    until(lambda: workshop.events(EpochEnded), "an epoch")
    os.close(terminal)  # the kernel sends SIGHUP, and every word from now on fails
    assert process.wait(timeout=PATIENCE_S) == 130
    assert workshop.events(Stopped)
    workshop.nothing_runs()
    resumes(workshop, study, whole)


def test_nohup_outlives_its_terminal(workshop: Workshop) -> None:
    study = workshop.study()
    run = workshop.start(
        "run", study, "--set", "pause=10",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    workshop.workers()
    run.send_signal(signal.SIGHUP)
    assert workshop.finish(run).returncode == 0


def test_a_terminals_ctrl_c_reaches_the_orchestrator_alone(workshop: Workshop) -> None:
    process, terminal = open_terminal(workshop, "run", workshop.study(), *SLOWER)
    workers = workshop.workers(2)
    server = fork_server(process)
    groups = {os.getpgid(attempt.pid or 0) for attempt in workers}
    assert os.getpgid(server.pid) != os.getpgid(process.pid)
    assert groups == {attempt.pid for attempt in workers}, "each leads a group of its own"
    os.write(terminal, b"\x03")
    until(lambda: (drain(terminal), process.poll())[1] is not None, "its end")
    assert process.returncode == 130
    assert {e.reason for e in workshop.events(Stopped)} == {"SIGTERM"}
    os.close(terminal)


def test_stopping_before_anything_runs(workshop: Workshop) -> None:
    """A stop while workers of an earlier run are waited for launches nothing."""
    study = workshop.study("fault", '["hang"]')
    first = workshop.start("run", study, "--seeds", "0,1,2")
    hanging = workshop.hanging(2)  # a third job that would hang waits for its turn
    for attempt in hanging:
        signal_worker(attempt, signal.SIGSTOP)  # their own watch cannot end them either
    first.kill()
    first.wait()
    started = workshop.events(Started)
    second = workshop.start("run", study, "--seeds", "0,1,2", stderr=subprocess.PIPE)
    assert second.stderr is not None
    until(lambda: "waiting for 2 workers" in second.stderr.readline(), "a word")
    second.send_signal(signal.SIGINT)
    done = workshop.finish(second)
    assert done.returncode == 130, done.stderr
    assert workshop.events(Started) == started
    for attempt in hanging:
        assert is_running(attempt.pid or 0)
        signal_worker(attempt, signal.SIGKILL)
