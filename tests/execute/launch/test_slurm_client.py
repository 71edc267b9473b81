"""Slurm's commands: what their answers mean, and a real cluster's own answers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ablate.execute.launch.slurm_client import (
    SlurmClient,
    SlurmRefused,
    SlurmUnavailable,
    TaskState,
    parse_minutes,
    parse_state,
)
from tests.execute.launch.slurm_cluster import Cluster, missing, running_cluster, wait_until


def answering(
    out: str = "", *, code: int = 0, error: str = "", calls: list[Sequence[str]] | None = None
) -> SlurmClient:
    """A client whose every command gives one answer."""

    def run(
        command: Sequence[str], text: str | None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        if calls is not None:
            calls.append(command)
        return subprocess.CompletedProcess(list(command), code, out, error)

    return SlurmClient(run)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("RUNNING", TaskState.RUNNING),
        ("CANCELLED by 1000", TaskState.CANCELLED),
        ("CANCELLED+", TaskState.CANCELLED),
        ("COMPLETING", TaskState.RUNNING),
        ("REQUEUE_HOLD", TaskState.PENDING),
        ("BOOT_FAIL", TaskState.NODE_FAIL),
        ("SOMETHING_NEW", TaskState.UNKNOWN),
    ],
)
def test_states(word: str, state: TaskState) -> None:
    assert parse_state(word) is state


def test_unknown_is_not_over() -> None:
    assert not TaskState.UNKNOWN.ended
    assert TaskState.NODE_FAIL.ended


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("90:30", 91),
        ("2:00:00", 120),
        ("1-0", 1440),
        ("1-12:30", 2190),
        ("2-12:00:00", 3600),
        ("UNLIMITED", None),
    ],
)
def test_time_limits(text: str, minutes: int | None) -> None:
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5", "1-", "1.5"])
def test_what_is_no_time_limit(text: str) -> None:
    with pytest.raises(ValueError, match="no time limit"):
        parse_minutes(text)


def test_a_silent_controller_is_not_an_empty_queue() -> None:
    words = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    with pytest.raises(SlurmUnavailable, match="squeue"):
        answering(code=1, error=words).queue(user="me")


def test_a_job_that_the_queue_forgot_is_no_error() -> None:
    forgotten = answering(code=1, error="slurm_load_jobs error: Invalid job id specified")
    assert forgotten.queue(jobs=["17"]) == {}


def test_a_comment_may_hold_anything() -> None:
    found = answering("17_3|PENDING|(Dependency)|a|b|c\n").queue(jobs=["17"])
    assert found["17_3"].comment == "a|b|c"
    assert found["17_3"].reason == "Dependency"


def test_without_accounting_there_is_no_answer() -> None:
    disabled = answering(code=1, error="Slurm accounting storage is disabled")
    assert disabled.account(["17"]) is None
    assert disabled.associations("me") is None


def test_the_accounting_tells_exit_codes() -> None:
    lines = "17_0|NODE_FAIL|0:0\n17_0|OUT_OF_MEMORY|0:125\n17_1|CANCELLED by 0|0:15\n"
    found = answering(lines).account(["17"])
    assert found is not None
    assert found["17_0"].state is TaskState.OUT_OF_MEMORY
    assert (found["17_1"].exit_code, found["17_1"].signal) == (0, 15)


def test_many_tasks_are_cancelled_in_several_calls() -> None:
    calls: list[Sequence[str]] = []
    answering(calls=calls).cancel(f"17_{i}" for i in range(1200))
    assert sum(len(command) - 2 for command in calls) == 1200
    assert max(map(len, calls)) < 1000


def test_where_slurm_is_not_installed() -> None:
    def absent(
        command: Sequence[str], text: str | None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        raise FileNotFoundError(command[0])

    with pytest.raises(SlurmRefused, match=r"sbatch.*login node"):
        SlurmClient(absent).submit("#!/bin/sh\n")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := missing():
        pytest.skip(why)
    with running_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def client(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> SlurmClient:
    monkeypatch.setenv("SLURM_CONF", str(cluster.config))
    return SlurmClient()


def script(*lines: str, options: str = "") -> str:
    return "\n".join(["#!/bin/sh", f"#SBATCH --output=/dev/null {options}", *lines, ""])


@pytest.mark.slurm
def test_a_real_array(client: SlurmClient, tmp_path: Path) -> None:
    options = "--array=0-2%2 --comment=ablate:é|x"
    job = client.submit(script(f"touch {tmp_path}/$SLURM_ARRAY_TASK_ID", options=options))
    queue = client.queue(jobs=[job])
    assert set(queue) == {f"{job}_{i}" for i in range(3)}
    assert {task.comment for task in queue.values()} == {"ablate:é|x"}
    wait_until(lambda: len(list(tmp_path.iterdir())) == 3, "the array did not run")
    wait_until(
        lambda: {t.state for t in client.queue(jobs=[job]).values()} <= {TaskState.COMPLETED},
        "the array did not end",
    )


@pytest.mark.slurm
def test_a_real_cancellation(client: SlurmClient) -> None:
    job = client.submit(script("exec sleep 300"))
    wait_until(lambda: client.queue(jobs=[job])[job].state is TaskState.RUNNING, "it did not start")
    client.cancel([job])
    wait_until(lambda: client.queue(jobs=[job])[job].state is TaskState.CANCELLED, "it runs on")
    client.cancel([job, "999999"])  # both are over, or never were


@pytest.mark.slurm
def test_what_a_real_cluster_allows(client: SlurmClient) -> None:
    assert client.limits().max_array_size == 1001
    assert client.limits().kill_wait_s == 5
    assert client.partitions()["main"].max_time_minutes == 60
    assert client.account(["1"]) is None  # accounting is off
    with pytest.raises(SlurmRefused, match="partition"):
        client.check(script(options="--partition=nowhere"))
    client.check(script(options="--partition=main"))


@pytest.mark.slurm
def test_a_real_controller_that_is_away(client: SlurmClient, cluster: Cluster) -> None:
    cluster.stop("slurmctld")
    try:
        with pytest.raises(SlurmUnavailable):
            SlurmClient(timeout_s=3).queue(user="root")
    finally:
        cluster.start_controller()
        cluster.wait_until_idle()
