"""Two hundred small jobs on a real cluster that is disturbed at random: none lost, none unequal."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from ablate.methods.lifecycle import AttemptOutcome
from tests.execute.launch.slurm_cluster import Cluster, missing, running_cluster
from tests.execute.launch.test_slurm_runs import OnCluster
from tests.execute.toy_workshop import Workshop, signal_worker, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(1800)]

JOBS = 200
VALUES = "[" + ", ".join(str(number / 10) for number in range(1, JOBS // 2)) + "]"
EVERY = 12  #: results between two disturbances


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if why := missing():
        pytest.skip(why)
    with running_cluster(tmp_path / "slurm", max_array=64) as running:
        yield running


class Disturber:
    """Does one of the things that happen to jobs, their cluster and their orchestrator."""

    def __init__(self, lab: OnCluster, random: Random) -> None:
        self.lab, self.random = lab, random
        self.done: Counter[str] = Counter()

    def disturb(self, run: subprocess.Popen[str]) -> None:
        """Do one thing to what runs now, if there is something to do it to."""
        what: Callable[[subprocess.Popen[str]], bool] = self.random.choice(
            [self.requeue, self.cancel, self.kill_worker, self.stop_controller, self.kill_run]
        )
        if what(run):
            self.done[what.__name__] += 1

    def requeue(self, _: subprocess.Popen[str]) -> bool:
        return self._to_a_task("scontrol", "requeue")

    def cancel(self, _: subprocess.Popen[str]) -> bool:
        return self._to_a_task("scancel")

    def _to_a_task(self, *command: str) -> bool:
        running = self.lab.tasks("RUNNING")
        if not running:
            return False
        task = self.random.choice(running)
        environment = self.lab.cluster.environment
        subprocess.run([*command, task], env=environment, check=False, capture_output=True)
        start = ["scontrol", "update", f"JobId={task}", "StartTime=now"]
        subprocess.run(start, env=environment, check=False, capture_output=True)
        return True

    def kill_worker(self, _: subprocess.Popen[str]) -> bool:
        living = self.lab.living()
        try:
            signal_worker(self.random.choice(living))
        except (IndexError, ProcessLookupError):  # none, or it ended just now
            return False
        return True

    def stop_controller(self, _: subprocess.Popen[str]) -> bool:
        self.lab.cluster.stop("slurmctld")
        self.lab.cluster.start_controller()
        return True

    def kill_run(self, run: subprocess.Popen[str]) -> bool:
        run.send_signal(signal.SIGKILL)
        run.wait()
        return True


def results(lab: OnCluster) -> int:
    return sum(run.has_result_file() for run in lab.runs())


def wait_for(run: subprocess.Popen[str], lab: OnCluster, count: int) -> None:
    """Wait for so many results, or the end of the run."""
    until(lambda: run.poll() is not None or results(lab) >= count, "results", patience_s=900)


def test_chaos(tmp_path: Path, cluster: Cluster) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    lab = OnCluster(folder)
    lab.cluster, lab.environment["SLURM_CONF"] = cluster, str(cluster.config)
    lab.settings(max_retries=50)
    study = ("run", lab.study(values=VALUES), "--set", "pause=10", "--set", "epochs=2")
    disturber, next_at = Disturber(lab, Random(20)), EVERY
    code: int | None = None
    while code != 0:
        run = lab.start(*study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None:
            wait_for(run, lab, next_at)
            if run.poll() is None:
                disturber.disturb(run)
            next_at += EVERY
        code = run.returncode
    assert len(disturber.done) >= 4, disturber.done
    (tmp_path / "local").mkdir()
    local = Workshop(tmp_path / "local")
    local.study(values=VALUES)
    local.start(*study).communicate(timeout=900)
    assert len(lab.outcomes()) == JOBS
    assert lab.outcomes() == local.outcomes()
    finished = Counter(a.outcome for h in lab.histories() for a in h.attempts)
    assert finished[AttemptOutcome.FINISHED] == JOBS
    tables = [w.ablate("report", "study", "--format", "markdown").stdout for w in (lab, local)]
    assert tables[0] == tables[1]
    lab.close()
    local.close()
