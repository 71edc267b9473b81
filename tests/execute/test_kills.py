"""SIGKILL of worker, orchestrator, both, or the fork server; and what else processes do."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from ablate.store.events import CheckpointSaved, Resumed, Stopped
from tests.execute.toy_workshop import Workshop, fork_server, is_running, signal_worker, until

Outcomes = dict[tuple[str, str, int], tuple[str, str]]

SLOW = ("--set", "pause=15")
SLOWER = ("--set", "pause=100")  # so that a job outlasts a look at the index


def test_a_killed_worker_is_replaced(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOW)
    victim, *_ = workshop.workers(saved=True)
    signal_worker(victim)
    done = workshop.finish(run)
    assert done.returncode == 0, done.stderr
    assert "killed by signal 9" in done.stderr
    assert "1 resumed from a checkpoint" in done.stderr
    assert workshop.outcomes() == whole
    teacher = next(h for h in workshop.histories() if h.resumed_from)
    first, second = teacher.attempts
    assert (first.outcome, first.signal) == ("crashed", 9)
    assert second.resumed_step == first.last_step == 10 * (second.resumed_epoch or 0)
    assert second.lost_seconds is not None and first.started and first.ended
    assert 0 <= second.lost_seconds <= first.ended - first.started
    workshop.nothing_runs()


def test_the_orchestrator_is_killed_and_orphans_leave_with_a_checkpoint(
    workshop: Workshop, whole: Outcomes
) -> None:
    workshop.settings(checkpoint_every="100 epochs")
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOW)
    workshop.workers(step=10)
    run.kill()
    workshop.nothing_runs()
    (orphaned,) = workshop.events(Stopped)
    assert orphaned.reason == "orchestrator gone"
    assert [e.step for e in workshop.events(CheckpointSaved)] == [orphaned.step]
    workshop.run(study, *SLOW)
    assert [e.step for e in workshop.events(Resumed)] == [orphaned.step]
    assert workshop.outcomes() == whole


def test_both_are_killed(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOWER)
    victim, *_ = workshop.workers(saved=True)
    until(workshop.indexed, "an index that knows of it")
    signal_worker(victim, signal.SIGSTOP)  # so that it can't notice the other's death
    run.kill()
    run.wait()
    signal_worker(victim)
    workshop.nothing_runs()
    status = json.loads(workshop.ablate("status", "--json").stdout)
    assert status[0]["counts"]["interrupted"] == 1, "its process is gone"
    workshop.run(study, *SLOWER)
    assert workshop.outcomes() == whole
    lost = next(h.attempts[0] for h in workshop.histories() if h.resumed_from)
    assert (lost.outcome, lost.error) == ("lost", "lost with its orchestrator")


def test_a_killed_fork_server_costs_nothing(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOW)
    workshop.workers()
    fork_server(run).kill()
    done = workshop.finish(run)
    assert done.returncode == 0, done.stderr
    assert workshop.outcomes() == whole
    assert all(len(h.attempts) == 1 for h in workshop.histories()), "its workers lived on"
    workshop.nothing_runs()


def test_a_stopped_worker_is_not_dead(workshop: Workshop) -> None:
    run = workshop.start("run", workshop.study(), "--seeds", "0", *SLOW)
    sleeper, other = workshop.workers(2)
    signal_worker(sleeper, signal.SIGSTOP)
    until(lambda: not is_running(other.pid or 0), "the other job's end")
    until(lambda: workshop.indexed() == 2, "an index that knows of both jobs")
    index = json.loads(workshop.ablate("status", "--json").stdout)
    assert [job["status"] for job in index[0]["jobs"]].count("running") == 1
    signal_worker(sleeper, signal.SIGCONT)
    assert workshop.finish(run).returncode == 0
    assert all(len(h.attempts) == 1 for h in workshop.histories())


def test_a_stopped_machine(workshop: Workshop) -> None:
    run = workshop.start("run", workshop.study(), "--seeds", "0", *SLOW)
    workshop.workers(2)
    everyone = workshop.processes()
    for process in everyone:
        process.suspend()
    until(lambda: all(p.status() == psutil.STATUS_STOPPED for p in everyone), "all stopped")
    for process in everyone:
        process.resume()
    assert workshop.finish(run).returncode == 0
    assert all(len(h.attempts) == 1 for h in workshop.histories())


def grandchild(workshop: Workshop) -> int:
    pid = until(
        lambda: [p.read_text() for run in workshop.runs() for p in run.artifacts.glob("*.pid")],
        "a grandchild",
    )
    return int(pid[0])


def test_a_grandchild_is_gone_afterwards(workshop: Workshop) -> None:
    workshop.run(workshop.study("fault", '["grandchild"]'), "--seeds", "0")
    assert not is_running(grandchild(workshop))


@pytest.mark.parametrize("whom", ["orchestrator", "both"])
def test_a_grandchild_does_not_outlive_an_orphan(workshop: Workshop, whom: str) -> None:
    study = workshop.study("fault", '["grandchild"]')
    run = workshop.start("run", study, "--seeds", "0", *SLOW)
    pid = grandchild(workshop)
    (parent,) = (a for a in workshop.living() if a.pid == os.getpgid(pid))
    if whom == "both":
        signal_worker(parent, signal.SIGSTOP)
    run.kill()
    run.wait()
    if whom == "both":
        signal_worker(parent)
        assert is_running(pid), "nobody is left to end it, until the next run"
        workshop.run(study, "--seeds", "0", *SLOW)
    until(lambda: not is_running(pid), "the grandchild's end")
    workshop.nothing_runs()


def test_exit_0_without_a_result_is_no_success(workshop: Workshop) -> None:
    workshop.settings(max_retries=1)
    said = workshop.run(workshop.study("fault", '["exit_0"]'), "--seeds", "0", code=1)
    assert "exited without a result" in said
    (failed,) = (h for h in workshop.histories() if h.error)
    assert [a.outcome for a in failed.attempts] == ["crashed"] * len(failed.attempts)
    assert len(failed.attempts) == 3, "one with progress, one retry, and the last"


def test_workers_killed_between_two_system_calls(workshop: Workshop) -> None:
    points = ("checkpoint-writing", "checkpoint-written", "checkpoint-renamed",
              "result-written", "result-renamed")  # fmt: skip
    workshop.order(*(f"kill-{point}" for point in points))
    workshop.run(workshop.study(), "--seeds", "0")
    assert workshop.orders_left() == []
    assert len(workshop.outcomes()) == 2
    crashed = [a for h in workshop.histories() for a in h.attempts if a.outcome == "crashed"]
    assert len(crashed) == len(points) - 1, "a result counts, however its worker ended"
    for run in workshop.runs():
        assert not any(run.checkpoints.iterdir())
        assert not list(run.path.rglob(".*.tmp"))


def test_orchestrators_killed_before_and_inside_a_transaction(workshop: Workshop) -> None:
    study = workshop.study()
    for point in ("before", "inside"):
        workshop.order(f"kill-ingest-{point}")
        assert workshop.ablate("run", study, "--seeds", "0").returncode == -signal.SIGKILL
    workshop.run(study, "--seeds", "0")
    assert len(workshop.outcomes()) == 2
    workshop.nothing_runs()


def test_a_folder_that_is_moved_stops_its_run_and_is_whole_where_it_is(
    workshop: Workshop, whole: Outcomes
) -> None:
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOW)
    workshop.workers(saved=True)
    elsewhere = workshop.results.rename(workshop.folder / "elsewhere")
    done = workshop.finish(run)
    assert done.returncode == 1
    assert "moved or replaced" in done.stdout + done.stderr
    workshop.nothing_runs()
    assert not workshop.results.exists(), "no worker made it again for its checkpoint"
    elsewhere.rename(workshop.results)
    workshop.run(study, *SLOW)
    assert workshop.outcomes() == whole
