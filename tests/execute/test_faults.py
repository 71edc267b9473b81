"""Disks that are full, read-only or rotten, a locked index, and a clock that jumps."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.store.events import AttemptEnded, CheckpointSaved, Finished, Resumed
from tests.execute.toy_workshop import PATIENCE_S, Workshop, signal_worker, until
from tests.naming import missing_from

Outcomes = dict[tuple[str, str, int], tuple[str, str]]

SLOW = ("--set", "pause=40")


def test_a_full_disk_during_a_checkpoint_costs_only_that(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.order("full-checkpoint")
    workshop.run(study, "--seeds", "0")
    assert workshop.orders_left() == []
    assert all(len(h.attempts) == 1 for h in workshop.histories()), "training went on"
    (log,) = [t for run in workshop.runs() if "failed" in (t := run.log.read_text())]
    assert "No space left on device" in log
    assert not any(list(run.checkpoints.iterdir()) for run in workshop.runs())
    assert len(workshop.outcomes()) == 2


@pytest.mark.parametrize("what", ["event", "result"])
def test_a_full_disk_during_another_write_is_tried_again(
    workshop: Workshop, whole: Outcomes, what: str
) -> None:
    study = workshop.study(method="TAUGHT")
    workshop.order(f"full-{what}", f"full-{what}")
    workshop.run(study)
    assert workshop.orders_left() == []
    assert workshop.outcomes() == whole
    again = [h for h in workshop.histories() if len(h.attempts) > 1]
    assert again
    if what == "result":
        assert "No space left" in again[0].attempts[0].error


def test_a_disk_that_stays_full_ends_the_run_and_fails_no_job(workshop: Workshop) -> None:
    workshop.settings(max_retries=0, machine_wait_minutes=0)
    study = workshop.study()
    workshop.order("full-result", "full-result")
    said = workshop.run(study, "--seeds", "0", code=1)
    assert "No space left on device" in said
    assert "the machine did not recover" in said
    assert "failed" not in said
    assert "2 done" in workshop.run(study, "--seeds", "0"), "without `ablate retry`"
    assert workshop.orders_left() == []


def test_a_full_disk_is_waited_for_without_using_up_attempts(workshop: Workshop) -> None:
    workshop.settings(max_retries=0)
    study = workshop.study()
    workshop.order("full-result", "full-result", "full-result")
    said = workshop.run(study, "--seeds", "0")
    for words in ("No space left on device", "waiting until that is over", "going on", "2 done"):
        assert words in said


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error: ")]


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    made = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting is not permitted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_results_folder_without_room(workshop: Workshop) -> None:
    """A real file system that is full: the command ends with sentences, and no process stays."""
    workshop.results.mkdir()
    study = workshop.study()
    workshop.settings(max_retries=0)
    with mounted(workshop.results, "-t", "tmpfs", "-o", "size=96k", "none"):
        done = workshop.ablate("run", study)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "No space left on device" in done.stderr or "disk is full" in done.stderr
        workshop.nothing_runs()


def test_a_read_only_results_folder(workshop: Workshop) -> None:
    workshop.results.mkdir()
    study = workshop.study()
    there = str(workshop.results)
    with mounted(workshop.results, "--bind", there):
        subprocess.run(["mount", "-o", "remount,ro,bind", there], check=True)
        done = workshop.ablate("run", study)
    assert done.returncode == 1
    (error,) = errors(done.stderr)
    assert "Read-only file system" in error


def test_a_file_where_the_results_folder_should_be(workshop: Workshop) -> None:
    workshop.results.write_text("no folder")
    done = workshop.ablate("run", workshop.study())
    (error,) = errors(done.stderr)
    assert done.returncode == 1
    assert f"{workshop.results}: cannot be made" in error


def interrupted(workshop: Workshop, study: str) -> None:
    """Run until a job has two checkpoints, and stop."""
    run = workshop.start("run", study, *SLOW)
    until(lambda: len(workshop.events(CheckpointSaved)) > 1, "two checkpoints")
    run.send_signal(signal.SIGINT)
    assert workshop.finish(run).returncode == 130


def test_a_corrupt_newest_checkpoint(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    interrupted(workshop, study)
    (run,) = workshop.runs()
    older, newest = sorted(run.checkpoints.glob("*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    said = workshop.run(study, *SLOW)
    assert workshop.outcomes() == whole
    (resumed,) = workshop.events(Resumed)
    assert resumed.step == int(older.name.split("-")[1])
    assert resumed.rejected == (newest.name + ".corrupt",)
    where = f"from step {resumed.step}, epoch {resumed.epoch}"
    assert f"resumed   teacher, seed 0  ({where}; 1 corrupt checkpoint passed over)" in said
    assert (
        f"corrupt checkpoint passed over: {newest.name}" in workshop.ablate("show", run.id).stdout
    )


def test_no_sound_checkpoint_is_a_fresh_start(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    interrupted(workshop, study)
    (run,) = workshop.runs()
    for path in run.checkpoints.glob("*.ckpt"):
        path.write_bytes(b"")
    said = workshop.run(study, *SLOW)
    assert "  (from the start: 2 corrupt checkpoints, none sound)\n" in said
    assert "restarted " in said
    assert workshop.outcomes() == whole
    assert not workshop.events(Resumed)
    assert "corrupt checkpoint passed over" in workshop.ablate("show", run.id).stdout


def test_a_truncated_last_event(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    interrupted(workshop, study)
    (run,) = workshop.runs()
    content = run.events_file.read_bytes()
    run.events_file.write_bytes(content[: content.rindex(b'"outcome"')])  # of the verdict
    workshop.run(study, *SLOW)
    assert workshop.outcomes() == whole
    assert workshop.events(Resumed)
    assert run.events().damaged == 1


def test_a_damaged_result_is_set_aside_and_computed_again(
    workshop: Workshop, whole: Outcomes
) -> None:
    study = workshop.study(method="TAUGHT")
    workshop.run(study)
    damaged, failed, *_ = workshop.runs()
    damaged.result_file.write_bytes(b"")
    failed.result_file.unlink()
    last = max(e.attempt for e in failed.events().events)
    failed.append(AttemptEnded(attempt=last, outcome=AttemptOutcome.ERROR, status=JobStatus.FAILED))
    retried = workshop.ablate("retry")
    assert (retried.returncode, retried.stdout) == (0, f"requeued {failed.id[:10]}\n")
    said = workshop.run(study)
    (again,) = [line for line in said.splitlines() if "its job runs again" in line]
    assert str(damaged.result_file) in again
    assert "5 jobs, 3 done" in said
    assert damaged.result_file.with_name("result.json.corrupt").exists()
    assert workshop.outcomes() == whole
    assert "nothing to run" in workshop.run(study)


def test_a_directory_that_cannot_be_read_takes_no_summary_away(workshop: Workshop) -> None:
    study = workshop.study()
    workshop.run(study, "--seeds", "0")
    rotten, _ = workshop.runs()
    rotten.events_file.unlink()
    rotten.events_file.mkdir()
    (workshop.results / "ablate.db").unlink()
    said = workshop.run(study, "--seeds", "0").splitlines()
    assert "study: all 2 jobs are done, nothing to run" in said
    assert any(line.startswith(f"{rotten.events_file}: damaged") for line in said)
    assert "2 done" in said
    again = workshop.ablate("reindex")
    told = again.stdout + again.stderr
    assert str(rotten.events_file) in told and "damaged" in told


@pytest.mark.parametrize("config", ["?", "{}", None])
def test_a_run_writes_a_damaged_config_anew(workshop: Workshop, config: str | None) -> None:
    study = workshop.study()
    workshop.run(study, "--seeds", "0")
    rotten, _ = workshop.runs()
    file = rotten.path / "config.json"
    before, outcomes = file.read_text(), workshop.outcomes()
    file.unlink() if config is None else file.write_text(config)
    (workshop.results / "ablate.db").unlink()
    said = workshop.run(study, "--seeds", "0").splitlines()
    words = said[0]
    assert missing_from(words, rotten.path, "config", "anew") == []
    assert missing_from(said[1], "study", "2 jobs", "done") == []
    assert file.read_text() == before
    assert workshop.outcomes() == outcomes
    assert words not in workshop.run(study, "--seeds", "0")


def test_a_locked_index_does_not_stop_training(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    run = workshop.start("run", study, *SLOW)
    workshop.workers()
    other = sqlite3.connect(workshop.results / "ablate.db", isolation_level=None, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    until(lambda: len(workshop.events(Finished)) == 5, "all jobs done behind the lock")
    other.execute("COMMIT")
    other.close()
    done = workshop.finish(run)
    assert done.returncode == 0, done.stderr
    assert "kept it locked" in done.stderr
    assert "the run goes on" in done.stderr
    assert workshop.outcomes() == whole


def test_a_clock_that_jumps(workshop: Workshop, whole: Outcomes) -> None:
    study = workshop.study(method="TAUGHT")
    workshop.order("clock-forward", "clock-back", "clock-back")
    run = workshop.start("run", study, *SLOW)
    first, *_ = workshop.workers(saved=True)
    signal_worker(first)
    done = workshop.finish(run)
    assert done.returncode == 0, done.stderr
    assert workshop.orders_left() == []
    assert workshop.outcomes() == whole
    ends = [a.outcome for h in workshop.histories() for a in h.attempts]
    assert sorted(map(str, ends)) == ["crashed", *["finished"] * 5], (
        "none was declared dead but the killed"
    )
    (lost,) = (e.lost_seconds for e in workshop.events(Resumed))
    assert lost is not None
    assert 0 <= lost < 60


def test_nobody_reads_the_output_from_the_start(workshop: Workshop) -> None:
    run = workshop.start("run", workshop.study())
    for pipe in (run.stdout, run.stderr):
        assert pipe is not None
        pipe.close()
    assert run.wait(timeout=PATIENCE_S) == 0
    assert len(workshop.outcomes()) == 4
