"""The use case: what a run says before it starts, and when its folder is not its own any more."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import BusyError, Remedy
from ablate.execute.agenda import Agenda
from ablate.execute.launch.in_use import devices_in_use
from ablate.execute.notices import notices
from ablate.execute.recovery import read_past
from ablate.execute.run_study import Options, run_studies, run_study
from ablate.execute.scheduler.placement import DeviceCapacity
from ablate.execute.worker.order import Order
from ablate.matrix.inputs import DATA
from ablate.matrix.plan import Matrix
from ablate.methods.device import Device
from ablate.methods.lifecycle import JobStatus
from ablate.methods.session import Machine
from ablate.store.events import Started
from ablate.store.locks import FolderLock, orchestrator_lock
from ablate.store.rundir import RunDirectory
from ablate.store.studies import StudyDocument, write_document
from tests.execute.fake_launcher import SETTINGS, FakeLauncher, Lines, finish, make_matrix
from tests.execute.toy_workshop import PATIENCE_S, Workshop, fork_server, signal_worker, until

CPU = SETTINGS.model_copy(
    update={"execution": SETTINGS.execution.model_copy(update={"devices": ["cpu"]})}
)


def options(launcher: FakeLauncher | None = None, **more: object) -> Options:
    return Options(launcher=lambda _: launcher or FakeLauncher(), **more)  # type: ignore[arg-type]


def other_study(matrix: Matrix, **changes: object) -> Matrix:
    return replace(matrix, plan=replace(matrix.plan, **changes))  # type: ignore[arg-type]


def test_studies_run_together_and_share_what_they_have_in_common(tmp_path: Path) -> None:
    one, two = make_matrix(3), other_study(make_matrix(5), name="two")
    launcher, lines = FakeLauncher(), Lines()
    summary = run_studies([one, two], tmp_path, CPU, lines, options=options(launcher))
    assert (summary.count(JobStatus.DONE), len(launcher.launched), summary.exit_code) == (5, 5, 0)
    openings = [sentence for sentence in lines.said if "(toy)" in sentence or "jobs" in sentence]
    assert any("fake" in sentence for sentence in openings)
    assert any("two" in sentence for sentence in openings)


def test_a_study_asks_for_more_seeds_while_others_still_run(tmp_path: Path) -> None:
    small, long = make_matrix(1), other_study(make_matrix(6, kind="long"), name="long")
    launcher, asked = FakeLauncher(), list[tuple[str, int]]()

    def more(matrix: Matrix) -> Matrix | None:
        asked.append((matrix.plan.name, len(launcher.launched)))
        return make_matrix(2) if len(matrix.configs) == 1 else None

    summary = run_studies(
        [small, long], tmp_path, CPU, Lines(), options=options(launcher, more_seeds=more)
    )
    assert (summary.count(JobStatus.DONE), len(launcher.launched)) == (8, 8)
    assert sorted(name for name, _ in asked) == ["fake", "fake", "long"], "each once a set of seeds"
    assert (asked[0][0], asked[0][1] < 7) == ("fake", True), "long had jobs left"


def test_a_display_that_fails_ends_no_run(tmp_path: Path) -> None:
    class Broken(Lines):
        def say(self, sentence: str, *remedies: Remedy) -> None:
            raise SystemExit(1)  # as rich does when a pipe is closed

    summary = run_studies([make_matrix(2)], tmp_path, CPU, Broken(), options=options())
    assert (summary.count(JobStatus.DONE), summary.exit_code) == (2, 0)


def test_a_folder_in_use_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    again = Remedy("run", ("a.toml",))
    with (
        FolderLock(orchestrator_lock(tmp_path), "ablate run x"),
        pytest.raises(BusyError) as caught,
    ):
        run_studies([make_matrix(1)], tmp_path, CPU, Lines(), options=options(again=again))
    assert "ablate run x" in str(caught.value)
    assert "ablate run A.toml B.toml" in str(caught.value)
    assert caught.value.remedies == (Remedy("run", ("a.toml", "--wait")),)


def test_a_folder_that_is_moved_stops_the_run_and_is_not_made_again(tmp_path: Path) -> None:
    results = tmp_path / "results"

    def move(run: RunDirectory, order: Order) -> None:
        finish(run, order)
        if len(launcher.launched) == 2:
            results.rename(tmp_path / "elsewhere")

    launcher, lines = FakeLauncher(move), Lines()
    summary = run_studies([make_matrix(6)], results, CPU, lines, options=options(launcher))
    assert len(launcher.launched) == 2, "nothing was started after that"
    assert any("moved or replaced" in sentence for sentence in lines.said)
    assert not results.exists()
    assert summary.exit_code == 1


def test_another_study_of_the_name_is_said_to_be_there(tmp_path: Path) -> None:
    old = other_study(make_matrix(1), overrides={"lr": 0.1})
    write_document(tmp_path, StudyDocument(old.plan, 0.0))
    agenda = Agenda((make_matrix(1),), CPU, tmp_path)
    past = read_past(agenda.configs, agenda.run)
    (said,) = notices(agenda, past)
    assert "new beside" in said
    assert "lr = 0.1" in said
    same = Agenda((old,), CPU, tmp_path)
    assert list(notices(same, past)) == []


def test_a_study_of_the_name_with_other_data_is_said_to_read_them(tmp_path: Path) -> None:
    old, new = make_matrix(1), make_matrix(1)
    write_document(tmp_path, StudyDocument(old.plan, 0.0))
    for job, config in old.configs.items():
        RunDirectory.of(tmp_path, job).create(config)
    configs = {job: replace(c, inputs={DATA: "other"}) for job, c in new.configs.items()}
    new = replace(other_study(new, conditions="other data"), configs=configs)
    agenda = Agenda((new,), CPU, tmp_path)
    (said,) = notices(agenda, read_past(agenda.configs, agenda.run))
    assert "with other data" in said
    taught = other_study(old, conditions="other teachers")
    agenda = Agenda((taught,), CPU, tmp_path)
    (said,) = notices(agenda, read_past(agenda.configs, agenda.run))
    assert "teachers" in said
    other = other_study(old, baseline={"lr": 0.5})
    agenda = Agenda((other,), CPU, tmp_path)
    (said,) = notices(agenda, read_past(agenda.configs, agenda.run))
    assert "another baseline" in said


def test_other_threads_than_before_are_said(tmp_path: Path) -> None:
    matrix = make_matrix(2)
    for job, config in matrix.configs.items():
        run = RunDirectory.of(tmp_path, job).create(config)
        run.append(Started(attempt=1, threads=2, device=Device(), host="h"))
    agenda = Agenda((matrix,), CPU, tmp_path)
    (said,) = notices(agenda, read_past(agenda.configs, agenda.run))
    for words in ("2 jobs", "threads = 2", "1"):
        assert words in said


def test_runs_of_two_folders_know_of_each_others_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    said: list[str] = []
    gpus = [DeviceCapacity("cuda:0"), DeviceCapacity("cuda:1")]
    with devices_in_use(gpus, tmp_path / "one", said.append):
        assert said == []
        (note,) = (tmp_path / "ablate").iterdir()
        kept = note.read_bytes()
        with devices_in_use([DeviceCapacity("cuda:1")], tmp_path / "two", said.append):
            (sentence,) = said
    assert "cuda:1" in sentence and "cuda:0" not in sentence
    assert str(tmp_path / "one") in sentence
    note.write_bytes(kept)  # as a killed run leaves it
    with devices_in_use(gpus, tmp_path / "two", said.append):
        assert len(said) == 1


def test_a_run_of_one_study_needs_no_options(tmp_path: Path) -> None:
    matrix = make_matrix(1)
    for job, config in matrix.configs.items():
        run = RunDirectory.of(tmp_path, job).create(config)
        finish(run, Order(run.path, 1, Machine(), {}))
    assert run_study(matrix, tmp_path, CPU, Lines()).exit_code == 0


def test_the_reader_of_the_output_goes_away(workshop: Workshop) -> None:
    study = workshop.study()
    run = workshop.start("run", study, "--seeds", "0", "--set", "pause=20")
    worker, *_ = workshop.workers()
    signal_worker(worker, signal.SIGSTOP)
    for pipe in (run.stdout, run.stderr):
        assert pipe is not None
        pipe.close()
    signal_worker(worker, signal.SIGCONT)
    assert run.wait(timeout=PATIENCE_S) == 0
    until(lambda: len(workshop.outcomes()) == 2, "both jobs done")


def test_a_stopped_fork_server_keeps_nobody_waiting(workshop: Workshop) -> None:
    study = workshop.study(values="[1.0, 2.0, 3.0]")
    workshop.settings(cpu_slots=1, grace_s=1.0)
    run = workshop.start("run", study, "--seeds", "0", "--set", "pause=20")
    worker, *_ = workshop.workers()
    fork_server(run).send_signal(signal.SIGSTOP)
    signal_worker(worker)
    assert workshop.finish(run).returncode == 0, "another one was started"
    run = workshop.start("run", study, "--seeds", "1,", "--set", "pause=20")
    workshop.workers()
    fork_server(run).send_signal(signal.SIGSTOP)
    run.send_signal(signal.SIGINT)
    done = workshop.finish(run)
    assert done.returncode == 130
    workshop.nothing_runs()
