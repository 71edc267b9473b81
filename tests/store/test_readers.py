import subprocess
import sys

import pytest

from ablate.errors import StoreError
from ablate.store.index import Index
from ablate.store.query import export
from ablate.store.rebuild import reindex
from tests.store.results_lab import TEACHER, WARM, files_of

READER = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from ablate.store.index import Index
def slowly(connection):
    before = connection.execute(text("SELECT count(*) FROM jobs")).scalar()
    print(before, flush=True)
    sys.stdin.readline()
    return before, connection.execute(text("SELECT count(*) FROM jobs")).scalar()
with Index.open(Path(sys.argv[1])) as index:
    print(*index.read(slowly), flush=True)
"""


def _slow_reader(results):
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(results)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_reader_does_not_block_the_writer_and_sees_one_state(filled):
    with Index.open(filled.results, writable=True, busy_seconds=0.2) as index:
        filled.epoch(filled.run(TEACHER), 3)
        index.ingest(filled.run(TEACHER))  # so that there is a log, and the reader shares it
        reader = _slow_reader(filled.results)
        assert reader.stdout.readline() == "4\n"
        assert index.ingest(filled.finish(filled.student(WARM, 1)))
        out, _ = reader.communicate("go\n", timeout=240)
        assert out == "4 4\n"
        with Index.open(filled.results) as again:
            assert len(export(again)) == 5


def test_a_file_that_changes_while_it_is_read_at_rest_is_read_again(filled):
    reader = _slow_reader(filled.results)
    assert reader.stdout.readline() == "4\n"  # opened as immutable: there is no log
    with Index.open(filled.results, writable=True) as index:
        index.ingest(filled.finish(filled.student(WARM, 1)))
    out, _ = reader.communicate("go\ngo\n", timeout=240)
    assert out.splitlines()[-1] == "5 5"


def test_reading_makes_and_changes_nothing(filled):
    before = files_of(filled.results)
    with Index.open(filled.results) as index:
        assert len(export(index)) == 5
    assert files_of(filled.results) == before


KILLED_WRITER = """
import os, sys
from pathlib import Path
from tests.store.results_lab import Lab, WARM
from ablate.store.index import Index
lab = Lab(Path(sys.argv[1]))
index = Index.open(lab.results, writable=True)
index.ingest(lab.finish(lab.student(WARM, 1)))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def killed(filled, start_python):
    """A folder whose writer was killed: what it committed last stands in the log only."""
    start_python(KILLED_WRITER, filled.results).wait()
    assert (filled.results / "ablate.db-wal").stat().st_size > 0
    return filled


def _statuses(lab):
    with Index.open(lab.results) as index:
        return sorted(record["status"] for record in export(index))


AFTER_KILL = ["done", "done", "done", "failed", "interrupted"]


def test_what_a_killed_writer_committed_is_read_without_a_trace(killed):
    before = {path: size for path, (size, _) in files_of(killed.results).items()}
    assert _statuses(killed) == AFTER_KILL
    assert {path: size for path, (size, _) in files_of(killed.results).items()} == before
    reindex(killed.results)
    assert _statuses(killed) == AFTER_KILL
    assert not (killed.results / "ablate.db-wal").exists()


def test_a_log_without_its_shared_memory_is_read_without_a_trace(killed):
    (killed.results / "ablate.db-shm").unlink()
    before = files_of(killed.results)
    assert _statuses(killed) == AFTER_KILL
    assert files_of(killed.results) == before


@pytest.mark.parametrize("state", ["filled", "killed"])
def test_a_read_only_folder_can_be_read(request, mount_read_only, state):
    lab = request.getfixturevalue(state)
    mount_read_only(lab.results)
    with pytest.raises(OSError, match="Read-only"):
        (lab.results / "x").touch()
    waiting = (
        AFTER_KILL if state == "killed" else ["done", "done", "failed", "interrupted", "waiting"]
    )
    assert _statuses(lab) == waiting
    with pytest.raises(StoreError), Index.open(lab.results, True) as index:
        index.register(lab.plan((9,)))
    with pytest.raises(StoreError):
        reindex(lab.results)


def test_a_read_only_folder_without_an_index_is_read_and_leaves_nothing(
    filled, mount_read_only, monkeypatch, tmp_path_factory
):
    usual = _statuses(filled)
    filled.results.joinpath("ablate.db").unlink()
    with pytest.raises(StoreError, match=r"index is missing; try: .*ablate reindex"):
        Index.open(filled.results)
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    mount_read_only(filled.results)
    assert _statuses(filled) == usual
    assert list(temporary.iterdir()) == []


def test_a_reader_beside_a_writer_of_its_own_process_keeps_the_writers_locks(filled):
    with Index.open(filled.results, writable=True) as index:
        with Index.open(filled.results) as reader:
            export(reader)
        index.ingest(filled.finish(filled.student(WARM, 1)))
        with Index.open(filled.results) as reader:
            export(reader)
        other = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM jobs')"
        subprocess.run([sys.executable, "-c", other, str(index.database)], check=True)
        # Had the locks been lost, the other process would have taken the log for its own.
        assert (filled.results / "ablate.db-wal").stat().st_size > 0
        assert len(export(index)) == 5
    assert not (filled.results / "ablate.db-wal").exists()
