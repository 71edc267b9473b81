"""Whole runs on a real cluster: whatever it does to jobs leaves no trace in results."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate.execute.launch.base import read_handle
from ablate.execute.launch.slurm_address import Address
from ablate.methods.lifecycle import AttemptOutcome
from ablate.store.events import CheckpointSaved, Started
from tests.execute.launch.slurm_cluster import Cluster, missing, running_cluster
from tests.execute.toy_workshop import Workshop, until

pytestmark = pytest.mark.slurm

EXECUTOR = """
[executor]
kind = "slurm"
[executor.slurm]
poll_s = 0.5
late_s = 10.0
"""
Outcomes = dict[tuple[str, str, int], tuple[str, str]]


class OnCluster(Workshop):
    """A workshop whose jobs run on a cluster."""

    cluster: Cluster
    extra = ""

    def settings(self, **execution: object) -> None:
        super().settings(**execution)
        with (self.folder / "ablate.toml").open("a") as file:
            file.write(EXECUTOR + self.extra)

    def slow_study(self, *, pause: int = 100, epochs: int = 6) -> str:
        """A study whose jobs take some seconds each, and what makes them so."""
        self.pace = ("--set", f"pause={pause}", "--set", f"epochs={epochs}")
        return self.study(method="TAUGHT")

    def tasks(self, state: str = "") -> list[str]:
        """Slurm's names of our tasks in the queue, in a state."""
        states = f"--states={state}" if state else "--states=PENDING,RUNNING"
        return self.cluster.command("squeue", "-h", "-r", "-o", "%i", states).split()

    def running_task(self) -> tuple[str, str]:
        """Wait for a task that runs and has a checkpoint; returns its name and its job."""

        def look() -> tuple[str, str] | None:
            running = self.tasks("RUNNING")
            for run in self.runs():
                address = Address.of(read_handle(run.path))
                saved = any(isinstance(e, CheckpointSaved) for e in run.events().events)
                if address and address.task in running and saved and run.result() is None:
                    return address.task, run.id
            return None

        found = until(look, "a task that runs and has a checkpoint")
        assert found is not None
        return found

    def starts(self) -> Counter[str]:
        """How often each job's program was started."""
        counts: Counter[str] = Counter()
        for run in self.runs():
            counts[run.id] = sum(isinstance(event, Started) for event in run.events().events)
        return counts

    def expected(self, folder: Path) -> Outcomes:
        """What the same study computes on this machine, in no hurry to be disturbed."""
        folder.mkdir()
        local = Workshop(folder)
        local.study(method="TAUGHT")
        local.run("study.toml", "--set", self.pace[-1])  # to rest in between changes no result
        outcomes = local.outcomes()
        local.close()
        return outcomes


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := missing():
        pytest.skip(why)
    with running_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, cluster: Cluster) -> Iterator[OnCluster]:
    folder = tmp_path / "study"
    folder.mkdir()
    made = OnCluster(folder)
    made.cluster = cluster
    made.environment["SLURM_CONF"] = str(cluster.config)
    yield made
    for task in made.tasks():
        subprocess.run(["scancel", task], env=cluster.environment, check=False)
    until(lambda: not made.tasks(), "an empty queue")
    made.close()
    cluster.wait_until_idle()


def test_the_same_study_gives_the_same_bits(
    lab: OnCluster, whole: dict[tuple[str, str, int], tuple[str, str]]
) -> None:
    lab.run(lab.study(method="TAUGHT"))
    assert lab.outcomes() == whole
    assert set(lab.starts().values()) == {1}


def test_a_requeued_job_goes_on_in_its_own_folder(lab: OnCluster, tmp_path: Path) -> None:
    run = lab.start("run", lab.slow_study(), *lab.pace)
    task, job = lab.running_task()
    lab.cluster.command("scontrol", "requeue", task)
    until(lambda: task in lab.tasks("PENDING"), "the task to be queued again")
    lab.cluster.command("scontrol", "update", f"JobId={task}", "StartTime=now")
    done = lab.finish(run)
    assert done.returncode == 0, done.stderr
    assert lab.outcomes() == lab.expected(tmp_path / "local")
    assert lab.starts()[job] == 2
    assert sum(lab.starts().values()) == len(lab.runs()) + 1


def test_a_cancelled_job_is_left_until_the_next_run(lab: OnCluster, tmp_path: Path) -> None:
    run = lab.start("run", lab.slow_study(), *lab.pace)
    task, _ = lab.running_task()
    lab.cluster.command("scancel", task)
    done = lab.finish(run)
    assert done.returncode == 1
    ended = [a.outcome for h in lab.histories() for a in h.attempts]
    assert {AttemptOutcome.CANCELLED, AttemptOutcome.INTERRUPTED} & set(ended)
    lab.run("study.toml", *lab.pace)
    assert lab.outcomes() == lab.expected(tmp_path / "local")


def test_a_controller_that_is_away_costs_nothing(lab: OnCluster, tmp_path: Path) -> None:
    run = lab.start("run", lab.slow_study(), *lab.pace)
    lab.running_task()
    lab.cluster.stop("slurmctld")
    until(lambda: not lab.living(), "the workers to end without it")
    lab.cluster.start_controller()
    done = lab.finish(run)
    assert done.returncode == 0, done.stderr
    assert lab.outcomes() == lab.expected(tmp_path / "local")
    assert set(lab.starts().values()) == {1}


def test_a_dead_node_trains_no_job_twice(lab: OnCluster, tmp_path: Path) -> None:
    run = lab.start("run", lab.slow_study(pause=300), *lab.pace)
    task, _ = lab.running_task()
    node = lab.cluster.command("squeue", "-h", "-j", task, "-o", "%N").strip()
    lab.cluster.stop(f"slurmd.{node}", signal.SIGKILL)  # its workers run on
    try:
        until(
            lambda: "idle" not in lab.cluster.command("sinfo", "-h", "-n", node, "-o", "%t"),
            "the node to be missed",
        )
    finally:
        lab.cluster.start_node(node)
    done = lab.finish(run)
    assert done.returncode == 0, done.stderr
    assert lab.outcomes() == lab.expected(tmp_path / "local")
    finished = Counter(a.outcome for h in lab.histories() for a in h.attempts)
    assert finished[AttemptOutcome.FINISHED] == len(lab.runs())


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_an_orchestrator_that_dies_as_it_submits(
    lab: OnCluster, tmp_path: Path, moment: str
) -> None:
    real = shutil.which("sbatch")
    lines = {
        "before": ["kill -9 $PPID"],
        "during": [f'{real} "$@" >/dev/null', "kill -9 $PPID"],
        "after": [f'{real} "$@"', "(sleep 0.3; kill -9 $PPID) &"],
    }[moment]
    shim = tmp_path / "bin" / "sbatch"
    shim.parent.mkdir()
    check = f'case "$*" in *--test-only*) exec {real} "$@";; esac'
    shim.write_text("\n".join(["#!/bin/sh", check, *lines, ""]))
    shim.chmod(0o755)
    path = lab.environment.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    lab.environment["PATH"] = f"{shim.parent}:{path}"
    killed = lab.finish(lab.start("run", lab.slow_study(pause=20), *lab.pace))
    assert killed.returncode == -signal.SIGKILL
    lab.environment["PATH"] = path
    lab.run("study.toml", *lab.pace)
    assert lab.outcomes() == lab.expected(tmp_path / "local")
    assert set(lab.starts().values()) == {1}


def test_the_orchestrator_may_leave(lab: OnCluster, tmp_path: Path) -> None:
    lab.run(lab.slow_study(pause=20), *lab.pace, "--detach")
    assert len(lab.tasks()) + len(lab.tasks("COMPLETED")) >= 5  # the teacher and all that need it
    until(lambda: not lab.tasks(), "the cluster to finish")
    synced = lab.ablate("sync", "study.toml", *lab.pace)
    assert synced.returncode == 0, synced.stderr
    assert lab.outcomes() == lab.expected(tmp_path / "local")
    assert set(lab.starts().values()) == {1}
    again = lab.ablate("sync", "study.toml", *lab.pace)
    assert again.returncode == 0
    assert lab.tasks() == []


def test_cancel_takes_a_studys_jobs_off_the_cluster(lab: OnCluster, tmp_path: Path) -> None:
    lab.run(lab.slow_study(), *lab.pace, "--detach")
    cancelled = lab.ablate("cancel", "study.toml", *lab.pace, "--json")
    assert cancelled.returncode == 0
    (record,) = json.loads(cancelled.stdout)
    assert record.keys() == {"study", "key", "jobs"}
    assert record["jobs"] > 0
    until(lambda: not lab.tasks(), "an empty queue")
    lab.run("study.toml", *lab.pace)
    assert lab.outcomes() == lab.expected(tmp_path / "local")


def test_a_time_limit_is_no_end(lab: OnCluster) -> None:
    """Slurm's shortest limit is a minute, and it may warn up to a minute earlier than asked."""
    lab.extra = 'time = "1"\nsignal_before_s = 30\n'
    lab.settings()
    run = lab.start("run", lab.slow_study(pause=500, epochs=4), *lab.pace, "--seeds", "0")
    _, said = run.communicate(timeout=250)
    assert run.returncode == 0, said
    outcomes = Counter(a.outcome for h in lab.histories() for a in h.attempts)
    assert outcomes.keys() == {AttemptOutcome.FINISHED, AttemptOutcome.INTERRUPTED}
    assert outcomes[AttemptOutcome.FINISHED] == len(lab.runs())
    assert sum(h.resumed_from != () for h in lab.histories()) >= 1


def test_what_the_cluster_would_refuse_is_told_before_anything_runs(lab: OnCluster) -> None:
    lab.extra = 'partition = "nowhere"\n'
    lab.settings()
    said = lab.run(lab.study(), code=2)
    assert "executor.slurm.partition" in said
    assert "main" in said
    assert not lab.runs()
