"""The orchestrator with fake workers: packing by memory, starts that fail, workers elsewhere."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.execute import orchestrator
from ablate.execute.agenda import Agenda, job_names
from ablate.execute.launch.devices import CONTEXT_BYTES
from ablate.execute.launch.local import modules_for
from ablate.execute.launch.memory import MemoryWatch, taken_bytes
from ablate.execute.orchestrator import INGEST_S
from ablate.execute.recovery import declare_gone, read_past, settle_strays
from ablate.execute.scheduler.messages import (
    DeviceChanged,
)
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.summary import closing
from ablate.execute.worker.main import EXIT_BUSY
from ablate.execute.worker.order import Order
from ablate.matrix.identity import job_id
from ablate.matrix.plan import Matrix
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store import checkpoints
from ablate.store.events import AttemptEnded, EpochEnded, Failed, Resumed, Started, Unknown
from ablate.store.history import (
    history,
)
from ablate.store.job_result import JobResult
from ablate.store.locks import FolderLock
from ablate.store.rundir import EventLog, RunDirectory
from tests.execute.fake_launcher import (
    MIB,
    SETTINGS,
    FakeLauncher,
    Lines,
    finish,
    make_matrix,
    orchestrate,
)
from tests.naming import missing_from

GPU = DeviceCapacity("cuda:0", slots=None, free_bytes=8000 * MIB)


def test_jobs_share_a_gpu_once_their_peak_is_known(tmp_path: Path) -> None:
    launcher = FakeLauncher(lambda run, order: finish(run, order, peak_mib=1000))
    readings: list[int] = []

    def free() -> list[int]:
        readings.append((8000 - 1640 * len(launcher.running)) * MIB)
        return readings[-1:]

    summary, _ = orchestrate(tmp_path, make_matrix(6), launcher, [GPU], free)
    assert summary.count(JobStatus.DONE) == 6
    # Each takes 1000 MiB and a context of 640; with a tenth for safety four fit into 8000 MiB.
    assert launcher.together == 4
    assert readings, "and it was looked what is free"


def test_a_known_peak_counts_from_the_start(tmp_path: Path) -> None:
    launcher = FakeLauncher(lambda run, order: finish(run, order, peak_mib=1000))
    orchestrate(tmp_path, make_matrix(1), launcher, [GPU], lambda: [8000 * MIB])
    later = FakeLauncher(launcher.act)
    orchestrate(tmp_path, make_matrix(4), later, [GPU], lambda: [8000 * MIB])
    assert later.together == 3, "the first job of a kind is measured once, not once per run"


def test_free_memory_is_read_when_all_have_reached_their_peak() -> None:
    free = [5000]
    watch = MemoryWatch([GPU, DeviceCapacity("cpu", slots=2)], lambda: free)
    watch.launched("a", "cuda:0")
    watch.launched("elsewhere", "cpu")
    assert list(watch.warmed("elsewhere")) == []
    assert list(watch.warmed("a")) == [DeviceChanged("cuda:0", 5000)]
    assert list(watch.warmed("a")) == [], "once"
    watch.launched("b", "cuda:0")
    assert list(watch.warmed("a")) == [], "not while b may still grow"
    assert list(watch.warmed("b")) == [DeviceChanged("cuda:0", 5000)]
    watch.launched("c", "cuda:0")
    assert list(watch.ended("a")) == [], "c has not reached its peak"
    assert list(watch.ended("c")) == [DeviceChanged("cuda:0", 5000)]
    assert not MemoryWatch([DeviceCapacity("cpu")], list)


def test_no_reading_is_no_reading() -> None:
    watch = MemoryWatch([GPU], list)
    watch.launched("a", "cuda:0")
    assert list(watch.ended("a")) == []


def test_a_context_counts_but_not_of_a_job_that_was_not_measured() -> None:
    assert taken_bytes(1) == 1 + CONTEXT_BYTES
    assert taken_bytes(0) == 0


def test_a_start_that_fails_is_the_machines_fault_and_waited_out(tmp_path: Path) -> None:
    def refuse(run: RunDirectory, order: Order) -> None:
        if order.attempt <= 2:  # one retry is all that is allowed
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        finish(run, order)

    matrix = make_matrix(3)
    summary, lines = orchestrate(tmp_path, matrix, FakeLauncher(refuse), [DeviceCapacity("cpu", 2)])
    assert summary.count(JobStatus.DONE) == 3
    waiting = [sentence for sentence in lines.said if "waiting" in sentence]
    for words in ("could not be started", "Resource temporarily unavailable", "0.5 min"):
        assert words in waiting[0]
    assert "going on" in lines.said


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.EROFS])
def test_a_machine_that_does_not_recover_leaves_jobs_open_for_the_next_run(
    tmp_path: Path, number: int
) -> None:
    def refuse(run: RunDirectory, order: Order) -> None:
        raise OSError(number, os.strerror(number))

    matrix = make_matrix(60)
    summary, lines = orchestrate(tmp_path, matrix, FakeLauncher(refuse), [DeviceCapacity("cpu", 2)])
    assert summary.count(JobStatus.FAILED) == 0
    assert (summary.exit_code, summary.count(JobStatus.READY, JobStatus.INTERRUPTED)) == (1, 60)
    assert any("did not recover in time" in sentence for sentence in lines.said)
    again, _ = orchestrate(tmp_path, matrix, FakeLauncher(), [DeviceCapacity("cpu", 2)])
    assert again.count(JobStatus.DONE) == 60, "without `ablate retry`"


def test_a_disk_that_is_full_is_looked_at_before_anything_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = ["no room", "no room", "no room", ""]
    monkeypatch.setattr(orchestrator, "machine_trouble", lambda _: looks.pop(0))

    def refuse(run: RunDirectory, order: Order) -> None:
        if len(looks) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.path))
        finish(run, order)

    launcher = FakeLauncher(refuse)
    summary, lines = orchestrate(tmp_path, make_matrix(1), launcher, [DeviceCapacity("cpu", 1)])
    assert (summary.count(JobStatus.DONE), len(launcher.launched)) == (1, 2)
    assert sum("waiting until" in sentence for sentence in lines.said) == 1, "told once"


def test_a_job_that_another_worker_holds_keeps_its_attempts_and_its_log(tmp_path: Path) -> None:
    """The verdict of one run never closes the live attempt of another."""

    def busy(run: RunDirectory, order: Order) -> None:
        if order.attempt > 4:
            finish(run, order)

    def code(job: str) -> int:
        return EXIT_BUSY if launcher.launched.count(job) <= 4 else 0

    launcher = FakeLauncher(busy, code=code)
    matrix = make_matrix(1)
    summary, lines = orchestrate(tmp_path, matrix, launcher, [DeviceCapacity("cpu", 1)])
    assert summary.count(JobStatus.DONE) == 1
    assert any("another worker holds the job" in detail for _, _, detail in lines.statuses)
    (job,) = matrix.configs
    events = RunDirectory.of(tmp_path, job).events().events
    assert not [event for event in events if isinstance(event, AttemptEnded)]


def test_one_error_in_two_rows_stops_the_study_and_is_printed_once(tmp_path: Path) -> None:
    def fail(run: RunDirectory, order: Order) -> None:
        run.append(Started(attempt=order.attempt, host="h"))
        failed = Failed(attempt=order.attempt, message="KeyError: 'x'", fingerprint="f" * 64)
        run.append(failed)

    matrix = make_matrix(6)
    jobs = [
        replace(job, variant=f"row {number // 2}") for number, job in enumerate(matrix.plan.jobs)
    ]
    matrix = replace(matrix, plan=replace(matrix.plan, jobs=tuple(jobs)))
    launcher = FakeLauncher(fail)
    summary, lines = orchestrate(tmp_path, matrix, launcher, [DeviceCapacity("cpu", 3)])
    assert summary.count(JobStatus.FAILED) >= 2
    assert len(launcher.launched) <= 6, "the rest was not begun"
    assert any("the same error in different rows" in sentence for sentence in lines.said)
    words = "\n".join(line for line, _ in closing(Agenda((matrix,), SETTINGS, tmp_path), summary))
    assert words.count("KeyError: 'x'") == 1
    assert "same error as row" in words
    assert "log.txt; details" in words


def test_a_study_grows_by_the_seeds_that_are_asked_for(tmp_path: Path) -> None:
    small, large = make_matrix(2), make_matrix(5)
    asked: list[int] = []

    def more(matrix: Matrix) -> Matrix | None:
        asked.append(len(matrix.configs))
        return large if len(matrix.configs) == 2 else None

    summary, _ = orchestrate(
        tmp_path, small, FakeLauncher(), [DeviceCapacity("cpu", 1)], more_seeds=more
    )
    assert (asked, summary.count(JobStatus.DONE), len(summary.statuses)) == ([2, 5], 5, 5)


def test_seeds_that_an_earlier_run_has_done_are_not_waited_for(tmp_path: Path) -> None:
    small, large = make_matrix(2), make_matrix(5)
    orchestrate(tmp_path, large, FakeLauncher(), [DeviceCapacity("cpu", 1)])

    def more(matrix: Matrix) -> Matrix | None:
        return large if len(matrix.configs) == 2 else None

    again = FakeLauncher()
    summary, _ = orchestrate(tmp_path, small, again, [DeviceCapacity("cpu", 1)], more_seeds=more)
    assert (summary.count(JobStatus.DONE), again.launched) == (5, [])


def test_where_nothing_can_be_written_the_summary_has_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(run: RunDirectory, *_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(run.path))

    monkeypatch.setattr(RunDirectory, "create", refuse)
    monkeypatch.setattr(RunDirectory, "append", refuse)
    matrix = make_matrix(1)
    summary, lines = orchestrate(tmp_path, matrix, FakeLauncher(), [DeviceCapacity("cpu", 1)])
    (job,) = matrix.configs
    run = RunDirectory.of(tmp_path, job)
    assert summary.messages.keys() == {job}
    reason = summary.messages[job]
    assert missing_from(reason, "could not be started", "Permission denied", run.path) == []
    (once,) = lines.said  # not at each attempt
    assert missing_from(once, run.path, "Permission denied") == []
    (failed, _), _ = closing(Agenda((matrix,), SETTINGS, tmp_path), summary)
    first = failed.splitlines()[0]
    assert missing_from(first, "failed", "v, s, seed 0", reason) == []


def test_a_folder_in_the_place_of_a_result_is_none(tmp_path: Path) -> None:
    def spoil(run: RunDirectory, order: Order) -> None:
        if order.attempt == 1:
            run.result_file.mkdir()
            return
        run.result_file.rmdir()
        finish(run, order)

    summary, lines = orchestrate(
        tmp_path, make_matrix(1), FakeLauncher(spoil), [DeviceCapacity("cpu", 1)]
    )
    assert summary.count(JobStatus.DONE) == 1
    (crashed,) = (detail for _, status, detail in lines.statuses if status == "backoff")
    assert crashed.endswith("exited without a result")


def test_a_log_that_cannot_be_read_for_a_while_ends_nothing(tmp_path: Path) -> None:
    orders: list[Order] = []

    def spoil(run: RunDirectory, order: Order) -> None:
        run.events_file.mkdir()
        orders.append(order)

    def ends(job: str) -> bool:
        if not (run := RunDirectory.of(tmp_path, job)).events_file.is_dir():
            return True
        if lines.said:  # after it was looked for epochs
            run.events_file.rmdir()
            finish(run, orders[0])
        return False

    launcher, lines = FakeLauncher(spoil, ends), Lines()
    summary, _ = orchestrate(
        tmp_path, make_matrix(1), launcher, [DeviceCapacity("cpu", 1)], lines=lines
    )
    assert summary.count(JobStatus.DONE) == 1
    (said,) = lines.said
    assert said.endswith("events.jsonl: damaged: Is a directory (the run goes on)")


def test_jobs_that_wait_for_a_failed_one_are_shown_as_blocked_once(tmp_path: Path) -> None:
    def refuse(run: RunDirectory, order: Order) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    teachers = make_matrix(2, "teacher")
    first, second = teachers.configs
    student = next(iter(make_matrix(1).configs.values()))
    table = replace(student, kind="teacher_table", upstream={"teacher": second})
    students = {
        job_id(config): config
        for config in (
            replace(student, upstream={"teacher": first}),
            table,
            replace(student, seed=1, upstream={"table": job_id(table)}),
        )
    }
    matrix = replace(teachers, configs={**teachers.configs, **students})
    _, lines = orchestrate(tmp_path, matrix, FakeLauncher(refuse), [DeviceCapacity("cpu", 1)])
    blocked = [(job, detail) for job, status, detail in lines.statuses if status == "blocked"]
    culprits, names = [first, second, second], job_names(teachers)
    assert [job for job, _ in blocked] == list(students)
    for (_, detail), culprit in zip(blocked, culprits, strict=True):
        assert missing_from(detail, names[culprit], "failed") == []


def test_jobs_that_wait_for_one_that_failed_earlier_are_shown_as_blocked(tmp_path: Path) -> None:
    teacher, other = make_matrix(1, "teacher"), make_matrix(1)
    ((failed, config),) = teacher.configs.items()
    student = replace(next(iter(other.configs.values())), upstream={"teacher": failed})
    configs = {**teacher.configs, job_id(student): student, **other.configs}
    RunDirectory.of(tmp_path, failed).create(config).append(
        AttemptEnded(attempt=1, time=1.0, outcome=AttemptOutcome.ERROR, status=JobStatus.FAILED)
    )
    _, lines = orchestrate(
        tmp_path, replace(teacher, configs=configs), FakeLauncher(), [DeviceCapacity("cpu", 1)]
    )
    (blocked,) = [line for line in lines.statuses if line[:2] == (job_id(student), "blocked")]
    assert missing_from(blocked[2], job_names(teacher)[failed], "failed") == []
    (done,) = [line for line in lines.statuses if line[1] == "done"]
    assert lines.statuses.index(blocked) < lines.statuses.index(done), (
        "not beside another job's end"
    )


def test_where_a_job_goes_on_is_told_while_it_runs_and_once_an_attempt(tmp_path: Path) -> None:
    def resume(run: RunDirectory, order: Order) -> None:
        orders.append(order)
        run.append(Started(attempt=order.attempt, time=0.0, host="h"))
        run.append(
            Resumed(rejected=(), attempt=order.attempt, time=0.0, step=10 * order.attempt, epoch=1)
        )

    def ends(job: str) -> bool:
        if len(lines.notes) < len(orders):
            return False
        run.append(Unknown(name="remark", content={}))  # so that the log is read once more
        if len(orders) == 2:
            finish(run, orders[-1])
        return True

    orders: list[Order] = []
    matrix = make_matrix(1)
    (job,) = matrix.configs
    run = RunDirectory.of(tmp_path, job)
    launcher, lines = FakeLauncher(resume, ends), Lines()
    summary, _ = orchestrate(tmp_path, matrix, launcher, [DeviceCapacity("cpu", 1)], lines=lines)
    assert [note[1:] for note in lines.notes] == [
        ("resumed", "from step 10, epoch 1"),
        ("resumed", "from step 20, epoch 1"),
    ]
    assert (summary.launched, summary.resumed) == (2, 1), "jobs, not attempts"


def test_a_log_is_read_again_when_it_has_grown_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(run: RunDirectory, epoch: int) -> None:
        run.append(
            EpochEnded(
                attempt=1,
                time=float(epoch),
                epoch=epoch,
                step=epoch,
                metrics={"top1": 50.0 + epoch},
            )
        )

    def start(run: RunDirectory, order: Order) -> None:
        orders.append(order)
        run.append(Started(attempt=1, time=0.0, host="h"))
        write(run, 1)

    def ends(job: str) -> bool:
        run = RunDirectory.of(tmp_path, job)
        if len(lines.epochs) == 1 and not grown:
            grown.append(job)
            write(run, 2)
        if len(lines.epochs) == 2:
            reads.append(len(read))
        if len(reads) < 10 * ticks:
            return False
        finish(run, orders[0])
        return True

    ticks = round(INGEST_S / 0.1)  # of the clock, from one look to the next
    orders: list[Order] = []
    grown: list[str] = []
    read: list[str] = []
    reads: list[int] = []  #: so far, as time goes by after the last epoch
    events = RunDirectory.events

    def counted(run: RunDirectory) -> EventLog:
        read.append(run.id)
        return events(run)

    monkeypatch.setattr(RunDirectory, "events", counted)
    launcher, lines = FakeLauncher(start, ends), Lines()
    summary, _ = orchestrate(
        tmp_path, make_matrix(1), launcher, [DeviceCapacity("cpu", 1)], lines=lines
    )
    assert summary.count(JobStatus.DONE) == 1
    assert [epoch for _, epoch in lines.epochs] == [1, 2]
    assert set(reads) == {reads[0]}, "ten looks at a log that did not grow, and it was not read"


def test_modules_are_imported_once_for_what_will_run() -> None:
    assert modules_for(make_matrix(1).configs.values()) == []


def leave_open(results: Path, host: str, pid: int = 2**22 + 1) -> tuple[RunDirectory, str]:
    """An attempt of whose end nothing was heard."""
    ((job, config),) = make_matrix(1).configs.items()
    run = RunDirectory.of(results, job).create(config)
    run.append(
        Started(time=time.time(), attempt=1, host=host, pid=pid, process_start=5.0)
    )  # fmt: skip
    return run, job


def test_unknown_is_not_dead(tmp_path: Path) -> None:
    """On a file system that other machines share, a job that ran elsewhere is left alone."""
    run, job = leave_open(tmp_path, "elsewhere")
    matrix = make_matrix(1)

    def runs(name: str) -> RunDirectory:
        return RunDirectory.of(tmp_path, name)

    held = settle_strays(matrix.configs, runs, 0.1, print, at_work=lambda _: None)
    assert held.keys() == {job}
    assert missing_from(held[job], "may still run", 2**22 + 1, "elsewhere") == []
    past = read_past(matrix.configs, runs, held)
    assert past.open(matrix.configs) == []
    assert history(run.events().events).attempts[-1].open, "nothing was written down"
    assert declare_gone(run)
    assert not declare_gone(run)
    assert settle_strays(matrix.configs, runs, 0.1, print, at_work=lambda _: None) == {}
    assert history(run.events().events).status is JobStatus.INTERRUPTED


def test_a_result_settles_whether_a_worker_elsewhere_lives(tmp_path: Path) -> None:
    """It was killed, or cut off, between its result and its last word."""
    run, job = leave_open(tmp_path, "elsewhere")
    checkpoints.save(run.checkpoints, 10, b"of a job that is done")
    run.write_result(JobResult(metrics={"top1": 1.0}, costs={"peak_memory_mib": 1000.0}))
    alone = make_matrix(1)
    student = replace(alone.configs[job], upstream={"teacher": job})
    matrix = replace(alone, configs={job: alone.configs[job], job_id(student): student})

    def runs(name: str) -> RunDirectory:
        return RunDirectory.of(tmp_path, name)

    held = settle_strays(matrix.configs, runs, 0.1, print, at_work=lambda _: None)
    past = read_past(matrix.configs, runs, held)
    assert past.held == {}
    assert past.open(matrix.configs) == [job_id(student)]


def test_a_machine_that_got_another_name(tmp_path: Path) -> None:
    """On a file system of this machine alone, the job's lock tells whether its worker lives."""
    run, job = leave_open(tmp_path, "the name it had")

    def runs(name: str) -> RunDirectory:
        return RunDirectory.of(tmp_path, name)

    with FolderLock(run.lock, "a worker in another container"):
        held = settle_strays(make_matrix(1).configs, runs, 0.1, print)
        assert list(held) == [job]
    assert settle_strays(make_matrix(1).configs, runs, 0.1, print) == {}
    assert history(run.events().events).attempts[-1].error == "lost with its orchestrator"


def test_a_bystander_with_the_number_of_a_worker_elsewhere_lives_on(tmp_path: Path) -> None:
    """A worker in another container holds its job, and its number is another process's here."""
    bystander = subprocess.Popen(["sleep", "600"], start_new_session=True)
    run, job = leave_open(tmp_path, "another container", bystander.pid)

    def runs(name: str) -> RunDirectory:
        return RunDirectory.of(tmp_path, name)

    try:
        with FolderLock(run.lock, "a worker in another container"):
            held = settle_strays(make_matrix(1).configs, runs, 0.05, print)
        assert held.keys() == {job}
        assert missing_from(held[job], "still runs", bystander.pid, "another container") == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_number_of_a_group_alone_kills_nobody(tmp_path: Path) -> None:
    """A group that has a lost worker's number by chance is somebody else's."""
    pid = os.fork()
    if pid == 0:  # a leader that goes and leaves a child in its group
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.pause()
    os.waitpid(pid, 0)
    leave_open(tmp_path, os.uname().nodename, pid)
    settle_strays(make_matrix(1).configs, lambda job: RunDirectory.of(tmp_path, job), 0.1, print)
    os.killpg(pid, 0)  # ProcessLookupError if it is gone
    os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize("slots", [1, 3])
def test_slots_are_kept(tmp_path: Path, slots: int) -> None:
    launcher = FakeLauncher()
    orchestrate(tmp_path, make_matrix(7), launcher, [DeviceCapacity("cpu", slots)])
    assert launcher.together == slots
