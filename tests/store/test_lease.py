"""Leases keep others out where the kernel's locks don't, and tell a holder that it has lost."""

import json
import os
import shutil

import pytest

from ablate.errors import BusyError
from ablate.store import lease, locks
from ablate.store.folders import Folder
from ablate.store.lease import EXPIRES_S, LeaseFiles, LeaseWatch
from ablate.store.locks import FolderLock, is_held


@pytest.fixture
def no_locks(monkeypatch):
    """A file system without locks, which other machines share."""
    monkeypatch.setattr(locks, "_flock", lambda _: None)
    monkeypatch.setattr(locks, "is_local", lambda _: False)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def elsewhere(path, **changes):
    """Make the lease of a lock one of another machine."""
    (file,) = path.parent.glob(f"{path.name}.lease-*")
    found = json.loads(file.read_bytes()) | {"host": "elsewhere", **changes}
    file.write_text(json.dumps(found))
    return file


def test_without_locks_the_lease_excludes(tmp_path, no_locks):
    path = tmp_path / "lock"
    with FolderLock(path, "first"):
        assert not FolderLock(path).try_acquire()
        with pytest.raises(BusyError):
            FolderLock(path).acquire()
        assert is_held(path) is None
    with FolderLock(path):
        assert len(list(tmp_path.glob("lock.lease-*"))) == 1, "those before are removed"


def test_a_dead_holder_of_this_machine_holds_nothing(tmp_path, no_locks, start_python):
    code = """
import os, sys
from pathlib import Path
from ablate.store import locks
locks._flock, locks.is_local = lambda _: None, lambda _: False
assert locks.FolderLock(Path(sys.argv[1])).try_acquire()
os._exit(0)
"""
    assert start_python(code, tmp_path / "lock").wait(30) == 0
    assert FolderLock(tmp_path / "lock").try_acquire()


def test_a_lease_of_another_machine_ends_when_it_stops_beating(tmp_path, no_locks):
    path, clock = tmp_path / "lock", Clock()
    FolderLock(path).acquire().release()
    elsewhere(path, released=False)
    waiting = FolderLock(path)
    waiting._watch = LeaseWatch(clock)
    for beat in (1, 2, 3):  # as long as it beats, however wrong its clock may be
        clock.now += EXPIRES_S - 1
        elsewhere(path, beat=beat)
        assert not waiting.try_acquire()
    clock.now += EXPIRES_S - 1
    assert not waiting.try_acquire()
    clock.now += 2
    assert waiting.try_acquire()


def test_one_of_several_takers_wins(tmp_path, no_locks):
    files = LeaseFiles(Folder(tmp_path), "lock")
    first, descriptor = files.take_next(None)
    os.close(descriptor)
    assert files.take_next(None) is None
    second, descriptor = files.take_next(first)
    os.close(descriptor)
    assert files.take_next(first) is None, "too late: the number is taken"
    assert files.newest() == second


def test_a_holder_that_was_asleep_knows_that_it_lost(tmp_path, no_locks):
    lock = FolderLock(tmp_path / "lock").acquire()
    assert lock.beat()
    files = LeaseFiles(Folder(tmp_path), "lock")
    _, descriptor = files.take_next(files.newest())
    os.close(descriptor)
    assert not lock.beat()
    assert lock.lost


def test_a_removed_lock_file_lets_nobody_else_in(tmp_path):
    path = tmp_path / "orchestrator.lock"
    with FolderLock(path) as lock:
        path.unlink()
        assert not FolderLock(path).try_acquire()
        assert lock.beat()


@pytest.mark.parametrize("how", ["moved", "copied over", "cleared"])
def test_a_folder_that_goes_away_is_noticed(tmp_path, how):
    folder = tmp_path / "results"
    folder.mkdir()
    with FolderLock(folder / "orchestrator.lock") as lock:
        if how == "moved":
            folder.rename(tmp_path / "elsewhere")
        elif how == "copied over":
            shutil.copytree(folder, tmp_path / "copy")
            shutil.rmtree(folder)
            (tmp_path / "copy").rename(folder)
        else:
            shutil.rmtree(folder)
            folder.mkdir()
        assert not lock.beat()
        assert str(folder) in lock.lost


def test_a_copy_of_a_held_folder_is_free(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    with FolderLock(folder / "orchestrator.lock"):
        copy = shutil.copytree(folder, tmp_path / "copy")
        assert is_held(folder / "orchestrator.lock")
        assert not is_held(copy / "orchestrator.lock")
        with FolderLock(copy / "orchestrator.lock"):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": -1, "beat": "x"}', b"\xff", None])
def test_a_damaged_lease_on_a_local_file_system_keeps_nobody_out(tmp_path, content):
    file = tmp_path / "lock.lease-000007"
    if content is None:
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    with FolderLock(tmp_path / "lock"):
        assert LeaseFiles(Folder(tmp_path), "lock").newest().number == 8


def test_the_heartbeat_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEATS_EVERY_S", 0.01)
    with FolderLock(tmp_path / "lock"):
        files = LeaseFiles(Folder(tmp_path), "lock")
        while files.newest().beat < 2:
            pass
    assert files.newest().released
    assert lease.BEATS_EVERY_S * 3 < EXPIRES_S
