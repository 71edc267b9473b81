"""The Slurm launcher against a simulated queue: arrays, dependencies, every kind of end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.execute.launch.base import (
    Began,
    Exit,
    Handle,
    LauncherSilent,
    Queued,
    Report,
    read_handle,
)
from ablate.execute.launch.slurm import FOLDER, SlurmLauncher
from ablate.execute.launch.slurm_client import SlurmClient
from ablate.execute.launch.slurm_script import Array, directives
from ablate.execute.worker.order import Order
from ablate.methods.lifecycle import AttemptOutcome
from ablate.methods.session import Machine
from ablate.store.events import Started, Stopped
from ablate.store.job_result import JobResult
from ablate.store.rundir import RunDirectory
from ablate.study.slurm_settings import Slurm
from tests.execute.launch.fake_slurm import FakeSlurm, Task


def job_id(number: int) -> str:
    return f"{number:064x}"


class Lab:
    """A results folder, a fake cluster, and a launcher between them."""

    def __init__(self, results: Path, **settings: object) -> None:
        self.results = results
        self.cluster = FakeSlurm(work=lambda task: 100.0, finish=self.succeed)
        self.settings = Slurm(**{"poll_s": 30.0, "late_s": 60.0} | settings)  # type: ignore[arg-type]
        self.launcher = self.new_launcher()
        self.handles: dict[str, Handle] = {}
        self.news: dict[str, list[Report]] = {}

    def new_launcher(self) -> SlurmLauncher:
        return SlurmLauncher(
            self.settings,
            self.results,
            SlurmClient(self.cluster),
            clock=lambda: self.cluster.now,
            sleep=self.cluster.advance,
        )

    def run(self, job: str) -> RunDirectory:
        return RunDirectory.of(self.results, job)

    def launch(self, *jobs: int, after: tuple[int, ...] = (), attempt: int = 1) -> None:
        for job in map(job_id, jobs):
            run = self.run(job)
            run.path.mkdir(parents=True, exist_ok=True)
            upstream = {f"role{i}": self.run(job_id(i)).path for i in after}
            order = Order(run.path, attempt, Machine(), upstream, kind="student")
            self.handles[job] = self.launcher.launch(order)

    def wait(self, until: Callable[[], bool], seconds: float = 10_000) -> None:
        """Let the launcher and the cluster go on until something is so."""
        deadline = self.cluster.now + seconds
        while not until():
            assert self.cluster.now < deadline, self.news
            for report in self.launcher.wait(5.0):
                self.news.setdefault(report.job, []).append(report)

    def ended(self, *jobs: int) -> bool:
        return all(self.exits(job) for job in jobs)

    def exits(self, job: int) -> list[Exit]:
        return [r for r in self.news.get(job_id(job), []) if isinstance(r, Exit)]

    def succeed(self, task: Task) -> None:
        RunDirectory(task.order.parent).write_result(JobResult(metrics={"top1": 1.0}))

    def task(self, job: int) -> Task:
        order = self.run(job_id(job)).path / "order.json"
        return next(task for task in self.cluster.tasks.values() if task.order == order)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_jobs_of_one_kind_are_one_array(lab: Lab) -> None:
    lab.launch(1, 2, 3)
    lab.wait(lambda: lab.ended(1, 2, 3))
    assert lab.cluster.calls.count("sbatch") == 1
    assert {exit_.exit_code for job in (1, 2, 3) for exit_ in lab.exits(job)} == {0}
    kinds = dict.fromkeys(type(report) for report in lab.news[job_id(3)])
    assert list(kinds) == [Queued, Began, Exit]


def test_a_handle_names_its_array_before_and_its_task_after(lab: Lab) -> None:
    lab.launch(1)
    before = read_handle(lab.run(job_id(1)).path)
    assert before is not None
    assert re.fullmatch(r"[0-9a-f]{16}:0", before.name)
    lab.launcher.wait(0)
    after = read_handle(lab.run(job_id(1)).path)
    assert after is not None
    assert after.name == f"{before.name}=1"


def test_arrays_are_split_where_the_cluster_wants(tmp_path: Path) -> None:
    lab = Lab(tmp_path, at_once=2)
    lab.cluster.max_array = 4
    lab.launch(*range(1, 11))
    lab.wait(lambda: lab.ended(*range(1, 11)))
    sizes = [len(re.findall(r"^orders\[", s, re.M)) for s in lab.cluster.submitted]
    assert sizes == [4, 4, 2]
    assert all("--array=0-3%2" in s or "--array=0-1%2" in s for s in lab.cluster.submitted)


def test_no_more_tasks_than_allowed_are_in_the_queue(tmp_path: Path) -> None:
    lab = Lab(tmp_path, max_array=2, max_submitted=4)
    lab.launch(*range(1, 11))
    most = 0

    def look() -> bool:
        nonlocal most
        most = max(most, sum(not task.over for task in lab.cluster.tasks.values()))
        return lab.ended(*range(1, 11))

    lab.wait(look)
    assert most == 4


def test_what_waits_for_a_task_is_submitted_with_it(lab: Lab) -> None:
    lab.launch(1)
    lab.launch(2, 3, after=(1,))
    lab.launcher.wait(0)
    assert len(lab.cluster.submitted) == 2
    assert f"--dependency=afterok:{lab.task(1).id}" in lab.cluster.submitted[1]
    lab.wait(lambda: lab.ended(1, 2, 3))


def test_what_needs_a_failed_task_is_told_as_cancelled(lab: Lab) -> None:
    lab.launch(1)
    lab.launch(2, after=(1,))
    lab.wait(lambda: bool(lab.cluster.running), seconds=100)
    lab.cluster.end(lab.task(1), "FAILED")
    lab.wait(lambda: lab.ended(1, 2))
    assert lab.exits(2)[0].outcome is AttemptOutcome.CANCELLED


def test_an_unanswered_submission_is_found_and_not_repeated(lab: Lab) -> None:
    lab.cluster.loses_answers = 1
    lab.launch(1, 2)
    lab.wait(lambda: lab.ended(1, 2))
    assert len(lab.cluster.submitted) == 1


def test_a_silent_controller_ends_nothing(lab: Lab) -> None:
    lab.launch(1)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.cluster.silent = True
    for _ in range(400):
        assert lab.launcher.wait(5.0) == []  # though the task has ended long since
    with pytest.raises(LauncherSilent):
        lab.new_launcher().find(lab.handles.values())
    lab.cluster.silent = False
    lab.wait(lambda: lab.ended(1))
    assert lab.exits(1)[0].exit_code == 0


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("PREEMPTED", AttemptOutcome.PREEMPTED),
        ("NODE_FAIL", AttemptOutcome.NODE_FAILED),
        ("TIMEOUT", AttemptOutcome.TIME_LIMIT),
        ("OUT_OF_MEMORY", AttemptOutcome.OUT_OF_MEMORY),
        ("CANCELLED", AttemptOutcome.CANCELLED),
        ("FAILED", None),
    ],
)
def test_ends_are_told_apart(lab: Lab, state: str, outcome: AttemptOutcome | None) -> None:
    lab.launch(1)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.cluster.end(lab.task(1), state)
    lab.wait(lambda: lab.ended(1))
    [exit_] = lab.exits(1)
    assert exit_.outcome is outcome
    assert state in exit_.trouble


def test_the_accounting_tells_what_the_queue_forgot(lab: Lab) -> None:
    lab.cluster.remembers_s, lab.cluster.accounting = 0.0, True
    lab.launch(1)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.cluster.end(lab.task(1), "NODE_FAIL")
    lab.wait(lambda: lab.ended(1))
    assert lab.exits(1)[0].outcome is AttemptOutcome.NODE_FAILED


def test_a_forgotten_task_is_lost_only_after_its_files_had_time(lab: Lab) -> None:
    lab.launch(1)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.cluster.end(lab.task(1), "FAILED")
    lab.cluster.tasks.clear()
    began = lab.cluster.now
    lab.wait(lambda: lab.ended(1))
    assert lab.cluster.now - began >= lab.settings.late_s
    assert lab.exits(1)[0].outcome is AttemptOutcome.LOST


def test_a_result_that_appears_late_counts(lab: Lab) -> None:
    lab.cluster.finish = lambda task: None
    lab.launch(1)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.cluster.end(lab.task(1), "COMPLETED")
    lab.wait(lambda: lab.cluster.now > 50)
    assert not lab.ended(1)
    lab.succeed(lab.task(1))
    lab.wait(lambda: lab.ended(1))
    assert lab.exits(1)[0].exit_code == 0


def test_a_worker_whose_word_is_there_is_not_waited_for(lab: Lab) -> None:
    def leave(task: Task) -> float:
        run = RunDirectory(task.order.parent)
        run.append(Started(attempt=1))
        run.append(Stopped(attempt=1, step=3, reason="SIGTERM"))
        return 1.0

    lab.cluster.work, lab.cluster.finish = leave, lambda task: None
    lab.launch(1)
    lab.wait(lambda: lab.ended(1), seconds=lab.settings.late_s - 1)
    assert lab.exits(1)[0].outcome is None  # its own word says more


def test_a_requeued_task_is_queued_again(lab: Lab) -> None:
    lab.launch(1)
    lab.wait(lambda: Began(job_id(1)) in lab.news.get(job_id(1), []))
    lab.cluster.places = 0
    lab.cluster.requeue(lab.task(1))
    lab.wait(lambda: isinstance(lab.news[job_id(1)][-1], Queued))
    lab.cluster.places = 1
    lab.wait(lambda: lab.ended(1))
    assert lab.exits(1)[0].exit_code == 0


def test_a_task_that_waits_is_taken_back_and_one_that_runs_is_asked_to_leave(lab: Lab) -> None:
    lab.cluster.places = 1
    lab.cluster.finish = lambda task: None
    lab.launch(1, 2)
    lab.wait(lambda: bool(lab.cluster.running))
    lab.launch(3)
    for handle in lab.handles.values():
        lab.launcher.terminate(handle)
    lab.wait(lambda: lab.ended(1, 2, 3))
    assert lab.task(1).signalled
    assert lab.exits(2)[0].outcome is AttemptOutcome.CANCELLED
    assert lab.exits(3)[0].outcome is AttemptOutcome.INTERRUPTED
    assert len(lab.cluster.submitted) == 1  # the third never left


def test_a_successor_takes_over_whatever_the_first_had_submitted(lab: Lab) -> None:
    lab.launch(1)
    lab.launcher.wait(0)
    lab.cluster.loses_answers = 1
    lab.launch(2)
    lab.launcher.wait(0)  # it is killed before it hears of the second
    lab.launch(3)  # and before it submits the third
    handles = [read_handle(lab.run(job_id(job)).path) for job in (1, 2, 3)]
    lab.launcher = lab.new_launcher()
    found = lab.launcher.find([handle for handle in handles if handle])
    assert [handle.job for handle in found] == [job_id(1), job_id(2)]
    lab.wait(lambda: lab.ended(1, 2))
    assert len(lab.cluster.submitted) == 2


def test_an_id_that_the_cluster_gave_again_is_another_job(lab: Lab) -> None:
    lab.launch(1)
    lab.launcher.wait(0)
    handle = read_handle(lab.run(job_id(1)).path)
    assert handle is not None
    lab.task(1).comment = "somebody else's"
    assert lab.new_launcher().find([handle]) == []


def test_a_forged_handle_names_nothing(lab: Lab) -> None:
    for name in ("", "17", "17_3; rm -rf /", "../../x:0=1", f"{'a' * 16}:0=--all"):
        assert lab.launcher.find([Handle("slurm", job_id(1), 1, "t", name)]) == []


def test_refusals_are_told_with_slurms_own_words(tmp_path: Path) -> None:
    lab = Lab(tmp_path, max_array=5000)
    lab.cluster.max_array = 2
    lab.launcher._arrays._largest = 5000  # a limit that was lowered meanwhile
    lab.launch(1, 2, 3)
    lab.wait(lambda: lab.ended(1, 2, 3))
    assert {lab.exits(job)[0].outcome for job in (1, 2, 3)} == {AttemptOutcome.REFUSED}
    assert "array" in lab.exits(1)[0].trouble


def test_one_query_a_round_however_many_jobs(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.cluster.places = 50
    lab.launch(*range(1, 201))
    lab.wait(lambda: lab.ended(*range(1, 201)))
    rounds = lab.cluster.now / lab.settings.poll_s
    assert lab.launcher.queries <= rounds + 1


def test_paths_reach_the_script_as_they_are(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "a b'$(touch x)%j")
    lab.results.mkdir()
    lab.launch(1)
    lab.wait(lambda: lab.ended(1))
    assert lab.exits(1)[0].exit_code == 0
    assert "%%j" in next(line for line in lab.cluster.submitted[0].splitlines() if "output" in line)


def test_options_reach_the_script_only_where_they_are_set() -> None:
    array = Array("t" * 16, "student", {0: Path("o"), 1: Path("p"), 5: Path("q")})
    lines = directives(array, Slurm(gres="gpu:1", time="2:00:00"), Path("r") / FOLDER)
    assert {"--array=0-1,5", "--gres=gpu:1", "--time=2:00:00", "--requeue"} <= set(lines)
    assert not any(line.startswith(("--mem", "--partition", "--dependency")) for line in lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"time": "soon"},
        {"memory": "8 GB"},
        {"partition": "a b"},
        {"options": ["exclude=n1"]},
        {"options": ["--array=0-9"]},
        {"options": ["--time=1"]},
        {"setup": ["a\nb"]},
        {"poll_s": 0.0},
    ],
)
def test_settings_are_checked(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Slurm(**settings)  # type: ignore[arg-type]
