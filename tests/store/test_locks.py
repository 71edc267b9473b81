import os
import signal
import time

import pytest

from ablate.errors import BusyError, StoreError
from ablate.store.locks import FolderLock, holder_of, orchestrator_lock

HOLDER = """
import sys, time
from pathlib import Path
from ablate.store.locks import FolderLock
with FolderLock(Path(sys.argv[1]), "ablate run studies/x.toml"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_one_holder_who_is_named_and_whose_death_frees_the_lock(tmp_path, start_python):
    path = orchestrator_lock(tmp_path)
    child = start_python(HOLDER, path)
    assert child.stdout.readline() == "held\n"
    lock = FolderLock(path, "me")
    assert not lock.try_acquire()
    with pytest.raises(BusyError, match=f'process {child.pid} on .*"ablate run studies/x.toml"'):
        lock.acquire()
    assert holder_of(path).pid == child.pid
    child.send_signal(signal.SIGKILL)
    child.wait()
    lock.acquire(wait_seconds=60)
    assert lock.held
    assert holder_of(path).pid == os.getpid()
    lock.release()
    assert not lock.held
    assert holder_of(path) is None


def test_waits_for_the_holder_to_leave(tmp_path, start_python, monkeypatch):
    path = tmp_path / "lock"
    child = start_python(HOLDER, path)
    child.stdout.readline()
    waited = []

    def wait(seconds):
        waited.append(seconds)
        child.kill()
        child.wait()

    monkeypatch.setattr(time, "sleep", wait)
    with FolderLock(path).acquire(wait_seconds=60):
        assert len(waited) == 1, "it was held at first, and free after its holder had left"


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    with FolderLock(tmp_path / "lock") as lock:
        assert lock.try_acquire()
        assert not FolderLock(tmp_path / "lock").try_acquire()
    assert FolderLock(tmp_path / "lock").try_acquire()


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    lock = FolderLock(tmp_path / "lock").acquire()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.read(reading, 1)  # outlives the parent's hold
        os._exit(0)
    try:
        lock._forget()  # what the kernel does when the parent dies
        FolderLock(tmp_path / "lock").acquire(wait_seconds=10)
    finally:
        os.write(writing, b"x")
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_a_folder_that_cannot_be_locked(tmp_path):
    with pytest.raises(StoreError, match="cannot be locked"):
        FolderLock(tmp_path / "missing" / "lock").acquire()


def test_garbage_in_a_lock_file_names_nobody(tmp_path):
    path = tmp_path / "lock"
    for garbage in (b"", b"{", b"[]", b'{"pid": 1}', b"\xff"):
        path.write_bytes(garbage)
        assert holder_of(path) is None
    with FolderLock(path, "x"):
        assert holder_of(path).command == "x"
