"""Commands around a run: status, show, logs, verify, reindex; those that read never write."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.execute.resume_proof import Proof, Trial
from ablate.matrix.expand import expand
from ablate.matrix.identity import short
from ablate.matrix.plan import Matrix
from ablate.store.files import TEMPORARY
from ablate.store.rundir import run_directories
from ablate.study.parse import read_study
from ablate.study.settings import load_settings
from tests.execute.toy_workshop import Workshop, signal_worker, until
from tests.report.results_folder import make_results


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A study with a job that resumed, one that failed, and one that waits for nobody."""
    made = Workshop(tmp_path_factory.mktemp("finished"))
    study = made.study("fault", '["crash_once", "bug", "diverge"]')
    made.run(study, "--seeds", "0", code=1)
    return made


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder, and what could change of it."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        if path.is_file()
        else (path.stat().st_mtime_ns, path.stat().st_ino, b"")
        for path in [folder, *sorted(folder.rglob("*"))]
    }


def test_commands_that_read_never_write(finished: Workshop) -> None:
    (job, *_) = (run.id for run in finished.runs())
    before = snapshot(finished.folder)
    for command in (
        ("status",), ("status", "--json"), ("export",), ("show", job[:12]), ("logs", job[:12]),
        ("logs", job, "-f"), ("report", "--table"),
    ):  # fmt: skip
        done = finished.ablate(*command)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
    assert snapshot(finished.folder) == before


def test_status_tells_who_resumed_and_who_failed(finished: Workshop) -> None:
    said = finished.ablate("status").stdout
    assert "2 done, 1 failed, 1 diverged" in said
    assert "resumed from epoch 1, step 10, attempt 2, lost 0." in said
    assert "ValueError: this always goes wrong" in said


def test_status_for_machines(finished: Workshop) -> None:
    (study,) = json.loads(finished.ablate("status", "--json").stdout)
    assert study["counts"] | {"done": 2, "failed": 1, "diverged": 1} == study["counts"]
    by_variant = {job["variant"]: job for job in study["jobs"]}
    (resumption,) = by_variant["fault = crash_once"]["resumptions"]
    assert (resumption["epoch"], resumption["step"], resumption["attempt"]) == (1, 10, 2)
    assert 0 <= resumption["lost_seconds"] < 60
    assert by_variant["fault = diverge"]["error"] == "DivergedError: the loss became nan"


def test_show_for_programs_has_the_whole_story(finished: Workshop) -> None:
    (run,) = (r for r in finished.runs() if r.config().settings["fault"] == "crash_once")
    record = json.loads(finished.ablate("show", run.id, "--json").stdout)
    assert (record["id"], record["status"]) == (run.id, "done")
    assert record["config"]["settings"]["fault"] == "crash_once"
    assert [attempt["number"] for attempt in record["attempts"]] == [1, 2]
    assert record["result"]["weights_digest"]


def test_show_leads_from_a_number_to_where_it_came_from(finished: Workshop) -> None:
    (run,) = (r for r in finished.runs() if r.config().settings["fault"] == "crash_once")
    said = finished.ablate("show", run.id[:10]).stdout
    for words in (
        run.id, "status   done", "attempt  1: started", "crashed", "killed by signal 9",
        "attempt  2: started", "resumed from epoch 1, step 10, lost 0.", "metric   top1 = ",
        "weights  ", "fact     ablate = ", "fact     python = ", "config   fault = crash_once",
        f"log      {run.log}", "seed 0",
    ):  # fmt: skip
        assert words in said, (words, said)


def test_an_unknown_job(finished: Workshop) -> None:
    done = finished.ablate("show", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'no job\'s id starts with "nothing"' in done.stderr


def test_logs_of_a_file_larger_than_the_memory(finished: Workshop, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(finished.results, results)
    (log, *_) = results.glob("runs/*/log.txt")
    with log.open("r+b") as file:
        file.truncate(2**40)
        file.seek(0, 2)
        file.write(b"the last words\n")
    for follow in ([], ["--follow"]):
        done = CliRunner().invoke(
            app, ["logs", log.parent.name, "--results", str(results), *follow]
        )
        assert done.exit_code == 0
        assert done.stdout.endswith("the last words\n")
        assert len(done.stdout) < 2**26
        assert str(log) in done.stderr and "left out" in done.stderr
        assert done.output.index("left out") < done.output.index("the last words")


def test_logs_follow_until_the_job_ends(workshop: Workshop) -> None:
    run = workshop.start("run", workshop.study(), "--seeds", "0", "--set", "pause=40")
    worker, *_ = workshop.workers(saved=True)
    (job,) = (r for r in workshop.runs() if workshop.living_of(r) == [worker])
    signal_worker(worker, signal.SIGSTOP)  # however long the follower takes to start
    until(workshop.indexed, "an index that knows of it")
    follower = workshop.start("logs", job.id[:12], "-f")
    assert follower.stdout is not None
    assert follower.stdout.readline() == "student with seed 0 at step 0\n"
    signal_worker(worker)
    assert "student with seed 0 at step " in follower.stdout.readline(), "the next attempt's words"
    assert follower.poll() is None
    assert workshop.finish(run).returncode == 0
    assert workshop.finish(follower).returncode == 0


def test_logs_follow_a_stopped_job_to_its_stop(workshop: Workshop) -> None:
    run = workshop.start("run", workshop.study(), "--seeds", "0", "--set", "pause=40")
    workers = workshop.workers(2, saved=True)  # and so have said something
    for worker in workers:
        signal_worker(worker, signal.SIGSTOP)
    until(workshop.indexed, "an index that knows of it")
    follower = workshop.start("logs", workshop.runs()[0].id, "-f")
    assert follower.stdout is not None
    assert follower.stdout.readline()
    run.send_signal(signal.SIGINT)
    for worker in workers:
        signal_worker(worker, signal.SIGCONT)
    assert workshop.finish(run).returncode == 130
    assert workshop.finish(follower).returncode == 0


@pytest.fixture
def scratch(workshop: Workshop) -> Iterator[Path]:
    """Where verify works; with a short name, for sockets in it may have no long one."""
    with tempfile.TemporaryDirectory() as folder:
        workshop.environment |= {"TMPDIR": folder}
        yield Path(folder)


def test_verify_proves_it_and_leaves_nothing(workshop: Workshop, scratch: Path) -> None:
    workshop.settings(checkpoint_every="5 steps")
    done = workshop.ablate("verify", workshop.study(), "--set", "pause=25", "--kills", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal to the bit: weights and all metrics" in done.stdout
    assert "attempts 3" in done.stdout
    assert not workshop.results.exists()
    assert not list(scratch.glob("ablate-scratch-*"))
    workshop.nothing_runs()


def test_verify_takes_a_job_of_two_rows_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student alone is the same job beside either teacher."""
    asked: list[str] = []

    def prove(matrix: Matrix, job: str, *_: object) -> Proof:
        asked.append(job)
        return Proof(job, *[Trial("d", {}, 2, (1,))] * 2)

    monkeypatch.setattr("ablate.execute.resume_proof.prove", prove)
    monkeypatch.chdir(Path(__file__).parents[2])
    study = tmp_path / "study.toml"
    study.write_text(
        'title = "T"\nmethod = "cocord"\npairs = ["resnet14/resnet8", "resnet20/resnet8"]\n'
        'references = ["student"]\nseeds = [0]\n'
    )
    settings = load_settings(Path("ablate.toml"))
    planned = [job.id for job in expand(read_study(study), settings, "quick").plan.jobs]
    (twice,) = {job for job in planned if planned.count(job) == 2}
    command = ["verify", str(study), "--profile", "quick", "--job", twice]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert asked == [twice]
    record = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert record.keys() == {"job", "whole", "broken", "interrupted", "equal"}
    assert record["whole"] == {"digest": "d", "metrics": {}, "attempts": 2, "resumed_from": [1]}
    assert record["equal"]


def test_a_method_without_weights_is_compared_by_its_metrics() -> None:
    first, same = (Trial("", {"auc": 0.5}, count, (1,) * (count - 1)) for count in (1, 2))
    assert Proof("j", first, same).agrees
    assert not Proof("j", first, same).has_weights
    assert not Proof("j", first, replace(same, metrics={"auc": 0.25})).agrees


def test_verify_says_so_where_nothing_could_be_proved(workshop: Workshop) -> None:
    """A job without a step has nothing to lose, so there is no moment to kill it at."""
    study = workshop.study()
    method = workshop.folder / "instant.py"
    toy = Path(__file__).parent.parent / "execute" / "toy_method.py"
    instant = "\n\ndef train(session: Session) -> Outcome:\n    return Outcome({'top1': 90.0})\n"
    method.write_text(toy.read_text() + instant)
    text = (workshop.folder / study).read_text().replace(str(toy), str(method))
    (workshop.folder / study).write_text(text)
    done = workshop.ablate("verify", study)
    assert done.returncode == 1
    assert "proves nothing" in done.stderr


def test_verify_leaves_what_a_failure_names(workshop: Workshop, scratch: Path) -> None:
    study = workshop.study("fault", '["none"]')
    done = workshop.ablate("verify", study, "--set", "fault=diverge")
    assert done.returncode == 1
    (kept,) = scratch.glob("ablate-scratch-*")
    assert f"the runs are kept for a look: {kept}\n" in done.stderr
    (log,) = kept.glob("*/runs/*/log.txt")
    assert str(log) in done.stderr


def test_verify_finds_a_program_that_does_not_resume(workshop: Workshop, scratch: Path) -> None:
    study = workshop.study()
    method = Path(workshop.folder / "forgetful.py")
    toy = Path(__file__).parent.parent / "execute" / "toy_method.py"
    method.write_text(toy.read_text().replace('f"seed {session', 'f"{os.getpid()} {session'))
    text = (workshop.folder / study).read_text().replace(str(toy), str(method))
    (workshop.folder / study).write_text(text)
    workshop.settings(checkpoint_every="5 steps")
    done = workshop.ablate("verify", study, "--set", "pause=25", "--kills", "1")
    assert done.returncode == 1, done.stdout
    assert "DIFFERENT" in done.stderr
    (kept,) = scratch.glob("ablate-scratch-*")
    assert f"the runs are kept for a look: {kept}\n" in done.stderr
    assert sorted(path.name for path in kept.iterdir()) == ["broken", "whole"]


def test_reindex_gives_the_same_export(finished: Workshop) -> None:
    before = finished.records()
    for database in finished.results.glob("ablate.db*"):
        database.unlink()
    assert finished.ablate("export").returncode == 1, "an index that is missing is not made up"
    stray = finished.results / "runs" / ("0" * 64)
    stray.mkdir()
    (stray / "config.json").write_text("{", encoding="utf-8")
    done = finished.ablate("reindex")
    assert done.returncode == 0
    assert done.stderr.startswith("left out: ")
    assert str(stray) in done.stderr
    shutil.rmtree(stray)
    assert finished.records() == before
    assert not list(finished.results.rglob(f"*{TEMPORARY}"))


def test_a_job_whose_folder_is_gone_was_done(tmp_path: Path) -> None:
    results = make_results(tmp_path / "results")
    (job,) = [run for run in run_directories(results) if run.config().kind == "teacher"]
    shutil.rmtree(job.path)
    archive = tmp_path / "symmetry.zip"
    for command in (
        ("status",), ("show", job.id), ("show", job.id, "--json"), ("logs", job.id),
        ("bundle", "symmetry", "--out", str(archive)),
    ):  # fmt: skip
        told = CliRunner().invoke(app, [*command, "--results", str(results)])
        assert told.exit_code == 0, told.output
        assert "was done; its folder is gone" in told.output, command
        assert "not run yet" not in told.output
    assert "warning" in told.stderr
    assert short(job.id) in told.stderr
    assert "10 jobs, 1 of them without a result" in told.stdout
    told = CliRunner().invoke(app, ["check", str(archive)])
    assert "1 of 10" in told.stderr


def test_a_folder_where_nothing_was_run_stays_as_it_is(tmp_path: Path) -> None:
    for command in ("retry", "reindex"):
        told = CliRunner().invoke(app, [command, "--results", str(tmp_path)])
        assert told.exit_code == 1
        assert "nothing has been run here" in told.stderr
        assert list(tmp_path.iterdir()) == []


def test_a_run_makes_a_deleted_index_anew(finished: Workshop) -> None:
    before = finished.records()
    (finished.results / "ablate.db").unlink()
    finished.run("study.toml", "--seeds", "0", code=1)
    assert finished.records() == before
