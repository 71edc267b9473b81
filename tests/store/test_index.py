import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import BusyError, InputError, StoreError
from ablate.methods.lifecycle import AttemptOutcome, JobStatus
from ablate.methods.script import TAKEN, Take
from ablate.store import schema
from ablate.store.events import AttemptEnded, Requeued, Resumed
from ablate.store.index import Index
from ablate.store.job_result import JobResult
from ablate.store.locks import FolderLock, orchestrator_lock
from ablate.store.query import curves, export, job
from ablate.store.rebuild import reindex
from ablate.store.rundir import RunDirectory
from tests.naming import missing_from
from tests.store.results_lab import BASE, TEACHER, WARM, Lab, dump, files_of


def test_a_new_folder_gets_an_index(lab):
    with Index.open(lab.results, writable=True) as index:
        assert export(index) == []
    with Index.open(lab.results) as index:
        assert export(index) == []
    assert sorted(path.name for path in lab.results.iterdir()) == ["ablate.db", "format.json"]


def test_ingesting_again_changes_nothing(filled):
    before = dump(filled.results / "ablate.db")
    runs = [filled.run(config) for config in filled.configs()[:4]]
    with Index.open(filled.results, writable=True) as index:
        assert index.ingest_many(runs) == 0
        assert not index.ingest(runs[0])
        filled.epoch(runs[2], 2, attempt=3)
        assert index.ingest(runs[2])
        assert not index.ingest(runs[2])
    after = dump(filled.results / "ablate.db")
    assert after["jobs"] != before["jobs"]
    assert len(after["metrics"]) == len(before["metrics"]) + 2


def test_a_log_that_shrank_is_taken_over_anew(filled):
    run = filled.run(filled.student(BASE, 0))
    run.events_file.write_bytes(run.events_file.read_bytes().split(b"\n")[0] + b"\n")
    with Index.open(filled.results, writable=True) as index:
        assert index.ingest(run)
    before = dump(filled.results / "ablate.db")
    reindex(filled.results)
    assert dump(filled.results / "ablate.db") == before


def test_the_index_can_be_deleted(filled):
    database = filled.results / "ablate.db"
    with Index.open(filled.results) as index:
        before = export(index)
    rows = dump(database)
    database.unlink()
    with pytest.raises(StoreError, match="`ablate reindex`"):
        Index.open(filled.results)
    rebuilt = reindex(filled.results)
    assert (rebuilt.studies, rebuilt.jobs, rebuilt.left_out) == (1, 4, ())
    with Index.open(filled.results) as index:
        assert export(index) == before
    assert dump(database) == rows
    database.unlink()
    Index.open(filled.results, writable=True).close()  # the next run rebuilds it by itself
    assert dump(database) == rows


def test_reindex_says_what_it_left_out(filled):
    plan = filled.plan()
    (filled.results / "studies" / f"{plan.key}.json").write_text("{")
    (filled.run(TEACHER).path / "config.json").write_text("?")
    rebuilt = reindex(filled.results)
    assert (rebuilt.studies, rebuilt.jobs) == (0, 3)
    assert len(rebuilt.left_out) == 2
    assert plan.key in rebuilt.left_out[0]
    assert "config.json" in rebuilt.left_out[1]


def test_reindex_names_files_that_are_damaged(filled):
    done, failed = filled.run(TEACHER), filled.run(filled.student(WARM, 0))
    done.result_file.write_text("{")
    first, *rest = failed.events_file.read_bytes().splitlines(keepends=True)
    failed.events_file.write_bytes(b"".join((first, b"?\n", b'{"eve\n', *rest)))
    rebuilt = reindex(filled.results)
    assert rebuilt.jobs == 4
    result, log = sorted(rebuilt.left_out, key=lambda sentence: "events" in sentence)
    assert result.startswith(f"{done.result_file}: damaged")
    assert "the next run does the job again" in result
    assert missing_from(log, failed.events_file, "2 damaged lines") == []


def test_reindex_makes_no_index_where_nothing_was_run(tmp_path):
    (tmp_path / "thesis.pdf").touch()
    with pytest.raises(StoreError, match="nothing has been run here"):
        reindex(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.pdf"]


def test_a_directory_that_cannot_be_read_keeps_no_other_out(lab):
    runs = [lab.finish(config) for config in lab.configs()]
    (runs[0].path / "config.json").write_text("?")
    runs[2].result_file.unlink()  # without it, the log is all that tells of the job
    runs[2].events_file.unlink()
    runs[2].events_file.mkdir()
    with Index.open(lab.results, writable=True) as index:
        runs[1].append(Requeued(time=99.0))
        with pytest.raises(StoreError) as raised:
            index.ingest_many(runs)
        first, second = str(raised.value).splitlines()
        assert f"{runs[0].id}/config.json: damaged" in first
        assert f"{runs[2].id}/events.jsonl: damaged: Is a directory" in second
        assert index.ingest_many(runs[1:2]) == 0, "it was taken over all the same"


def link(file):
    file.unlink()
    file.symlink_to("/etc/hostname")


def enlarge(file):
    os.truncate(file, 2**40)


@pytest.mark.parametrize(("damage", "word"), [(link, "link"), (enlarge, "larger than")])
def test_a_result_counts_without_its_event_log(lab, damage, word):
    run = lab.finish(lab.configs()[0])
    before = run.read_result()
    damage(run.events_file)
    rebuilt = reindex(lab.results)
    with Index.open(lab.results) as index:
        found = job(index, run.id)
    assert (found.status, found.result.metrics) == (JobStatus.DONE, before.metrics)
    assert not found.history.attempts
    (sentence,) = rebuilt.left_out
    assert str(run.events_file) in sentence and word in sentence


def test_a_result_that_could_not_be_read_is_looked_at_again(lab, monkeypatch):
    def stale(run):
        raise StoreError(f"{run.result_file}: Stale file handle")

    with Index.open(lab.results, writable=True) as index:
        run = lab.finish(lab.student(BASE, 0))
        with monkeypatch.context() as patched:
            patched.setattr(RunDirectory, "read_result", stale)
            assert index.ingest(run)
        assert [one["status"] for one in export(index)] != ["done"]
        assert index.ingest(run)
        assert [one["status"] for one in export(index)] == ["done"]
        assert not index.ingest(run)


def test_reindex_leaves_a_working_orchestrator_alone(filled):
    with FolderLock(orchestrator_lock(filled.results), "ablate run x"), pytest.raises(BusyError):
        reindex(filled.results)


def test_a_folder_where_nothing_was_run(tmp_path):
    with pytest.raises(StoreError, match="nothing has been run here"):
        Index.open(tmp_path / "results")
    with pytest.raises(InputError, match="no such results folder"):
        reindex(tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def _set_version(lab, version):
    with contextlib.closing(sqlite3.connect(lab.results / "ablate.db")) as connection:
        connection.execute("UPDATE meta SET value = ?", (version,))
        connection.commit()


HALF_MIGRATED = (
    "DROP TABLE meta",
    "ALTER TABLE jobs DROP COLUMN costs",
    "ALTER TABLE attempts ADD COLUMN novel",
    "DROP TABLE metrics",
)


@pytest.mark.parametrize("version", ["0", "unknown", str(schema.VERSION + 1), *HALF_MIGRATED])
def test_another_index_is_rebuilt_by_a_writer_and_refused_by_a_reader(filled, version):
    before = dump(filled.results / "ablate.db")
    if version in HALF_MIGRATED:
        with contextlib.closing(sqlite3.connect(filled.results / "ablate.db")) as connection:
            connection.execute(version)
    else:
        _set_version(filled, version)
    files = files_of(filled.results)
    with pytest.raises(StoreError, match="`ablate reindex`"):
        Index.open(filled.results)
    assert files_of(filled.results) == files
    Index.open(filled.results, writable=True).close()
    assert dump(filled.results / "ablate.db") == before


@pytest.mark.parametrize(
    "content", [b"this is no database" * 300, b"SQLite format 3\0" + b"?" * 5000]
)
def test_a_damaged_index_is_named_and_can_be_rebuilt(filled, content):
    before = dump(filled.results / "ablate.db")
    (filled.results / "ablate.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"ablate\.db.*`ablate reindex`"):
        Index.open(filled.results)
    Index.open(filled.results, writable=True).close()
    assert dump(filled.results / "ablate.db") == before


@pytest.mark.parametrize("kind", ["link", "pipe", "log"])
def test_an_index_that_is_a_link_or_pipe_is_replaced_and_not_followed(filled, tmp_path, kind):
    database = filled.results / "ablate.db"
    before = dump(database)
    other = tmp_path / "other.db"
    shutil.copy(database, other)
    precious = other.read_bytes()
    if kind == "log":
        database.with_name("ablate.db-wal").symlink_to(other)
    else:
        database.unlink()
        os.mkfifo(database) if kind == "pipe" else database.symlink_to(other)
    with pytest.raises(StoreError, match="link, a pipe"):
        Index.open(filled.results)
    Index.open(filled.results, writable=True).close()
    assert dump(database) == before
    assert other.read_bytes() == precious


def test_an_index_that_another_program_keeps_locked_stops_no_run(filled):
    with contextlib.closing(sqlite3.connect(filled.results / "ablate.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Index.open(filled.results, writable=True, busy_seconds=0.05) as index:
            index.register(filled.plan(name="another"))
            assert {study.name for study in index.find_studies()} == {"tau", "another"}


def test_a_deleted_run_directory_is_no_longer_shown(filled):
    run = filled.run(filled.student(BASE, 0))
    shutil.rmtree(run.path)
    files = files_of(filled.results)
    with Index.open(filled.results) as index:
        (record,) = [one for one in export(index, "tau") if one["id"] == run.id]
        assert (record["status"], record["metrics"], record["attempts"]) == ("waiting", {}, 0)
        assert not [one for one in curves(index, filled.plan().key, ["top1"]) if one.epoch == 2]
    assert files_of(filled.results) == files, "a reader leaves it out and writes nothing"
    with Index.open(filled.results, writable=True):
        pass
    ids = [row[0] for row in dump(filled.results / "ablate.db")["jobs"]]
    assert run.id not in ids


def test_edits_of_the_same_size_are_seen(lab):
    run = lab.finish(lab.student(BASE, 0))
    with Index.open(lab.results, writable=True) as index:
        log = run.events_file.read_bytes()
        assert b'"loss":1.0' in log
        run.events_file.write_bytes(log.replace(b'"loss":1.0', b'"loss":2.0'))
        assert index.ingest(run)
        values = index.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT value FROM metrics WHERE epoch = 1 AND metric = 'loss'"
            ).scalar_one()
        )
        assert values == 2.0
        result = run.result_file.read_bytes()
        run.result_file.write_bytes(result.replace(b"90.5", b"91.5"))
        assert index.ingest(run), "changed, and so no result any more"
        assert [one["status"] for one in export(index)] == ["interrupted"]


def test_a_result_that_contradicts_the_last_epoch_is_named(lab):
    run = lab.finish(lab.student(BASE, 0), metrics={"top1": 99.0, "loss": 0.1})
    with Index.open(lab.results, writable=True):
        pass
    (sentence,) = reindex(lab.results).left_out
    with Index.open(lab.results) as index:
        assert job(index, run.id).doubt == sentence
    assert str(run.result_file) in sentence
    assert "top1 is 99.0, was 90.5" in sentence


def test_the_best_of_a_scripts_values_contradicts_no_last_epoch(lab):
    facts = {f"{TAKEN}loss": str(Take.BEST), f"{TAKEN}top1": str(Take.LAST)}
    run = lab.finish(lab.student(BASE, 0), metrics={"top1": 99.0, "loss": 0.1}, facts=facts)
    with Index.open(lab.results, writable=True):
        pass
    with Index.open(lab.results) as index:
        doubt = job(index, run.id).doubt
    assert "top1" in doubt and "loss" not in doubt


def test_rows_that_no_index_of_ours_holds_name_the_remedy(filled):
    with contextlib.closing(sqlite3.connect(filled.results / "ablate.db")) as connection:
        connection.execute("UPDATE jobs SET metrics = '{', status = 'odd'")
        connection.commit()
    with (
        Index.open(filled.results) as index,
        pytest.raises(StoreError, match="`ablate reindex`"),
    ):
        export(index)


def test_a_reader_cannot_write(filled):
    with Index.open(filled.results) as index, pytest.raises(StoreError, match="reading only"):
        index.ingest(filled.finish(filled.student(WARM, 1)))


def test_a_key_keeps_its_seeds_and_loses_its_old_rows(lab):
    with Index.open(lab.results, writable=True) as index:
        assert index.register(lab.plan((0, 1))) == lab.plan((0, 1))
        assert index.register(lab.plan((2,))).seeds == (0, 1, 2)
        merged = index.register(lab.plan((0,), (BASE,)))
    assert merged.seeds == (0, 1, 2)
    assert {job.variant for job in merged.jobs} == {None, "base"}
    rows = dump(lab.results / "ablate.db")
    assert len(rows["study_jobs"]) == 4
    reindex(lab.results)
    assert dump(lab.results / "ablate.db") == rows


LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_a_locked_index_is_waited_for_and_then_named(filled, start_python):
    run = filled.finish(filled.student(WARM, 1))
    with Index.open(filled.results, writable=True, busy_seconds=0.2) as index:
        child = start_python(LOCKER, index.database, 600)
        child.stdout.readline()
        with pytest.raises(StoreError, match=r"another process kept it locked for 0\.2 s"):
            index.ingest(run)
        child.kill()
        child.wait()
        assert index.ingest(run)
    with Index.open(filled.results, writable=True, busy_seconds=30) as index:
        filled.epoch(run, 3)
        child = start_python(LOCKER, index.database, 0.4)
        child.stdout.readline()
        assert index.ingest(run)


REBUILDER = """
import sys
from pathlib import Path
from ablate.store.rebuild import reindex
print("go", flush=True)
while True:
    reindex(Path(sys.argv[1]))
"""


def test_a_killed_reindex_leaves_the_old_or_the_new(filled, start_python):
    before = dump(filled.results / "ablate.db")
    for round_ in range(5):
        child = start_python(REBUILDER, filled.results)
        child.stdout.readline()
        time.sleep(0.01 + 0.017 * round_)
        child.kill()
        child.wait()
        assert dump(filled.results / "ablate.db") == before
    reindex(filled.results)
    names = {path.name for path in filled.results.iterdir()}
    leases = {name for name in names if name.startswith("orchestrator.lock.lease-")}
    assert len(leases) == 1
    assert names - leases == {"ablate.db", "runs", "studies", "orchestrator.lock", "format.json"}


def test_a_full_disk_is_named(tiny_disk):
    lab = Lab(tiny_disk / "results")
    with pytest.raises(StoreError, match=r"full|No space"):
        Index.open(lab.results, writable=True)


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("epoch"), st.integers(1, 4), st.integers(1, 3)),
        st.tuples(st.sampled_from(["start", "resume", "end", "retry"]), st.integers(1, 3)),
        st.tuples(st.sampled_from(["tear", "result", "ingest"])),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(_steps)
def test_ingesting_bit_by_bit_gives_what_a_rebuild_gives(steps):
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "results")
        run = lab.run(TEACHER)
        with Index.open(lab.results, writable=True) as index:
            index.register(lab.plan())
            for step in steps:
                _take(lab, run, index, *step)
            index.ingest(run)
        before = dump(lab.results / "ablate.db")
        reindex(lab.results)
        assert dump(lab.results / "ablate.db") == before


def _take(lab, run, index, name, *numbers):
    if name == "epoch":
        lab.epoch(run, *numbers)
    elif name == "start":
        lab.start(run, *numbers)
    elif name == "resume":
        run.append(Resumed(attempt=numbers[0], step=7, epoch=1))
    elif name == "end":
        run.append(
            AttemptEnded(attempt=numbers[0], outcome=AttemptOutcome.ERROR, status=JobStatus.FAILED)
        )
    elif name == "retry":
        run.append(Requeued())
    elif name == "tear":
        with run.events_file.open("ab") as file:
            file.write(b'{"event": "epoch", "epo')
    elif name == "result":
        run.write_result(JobResult(metrics={"top1": 1.0}))
    else:
        index.ingest(run)


def test_importing_the_index_loads_neither_torch_nor_pandas():
    code = "import sys, ablate.store.index, ablate.store.query; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "numpy"} & set(out.stdout.split())
