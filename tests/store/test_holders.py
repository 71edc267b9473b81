"""Who may be signalled: a process that has this very file open for writing, and nobody else."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from ablate.store import holders

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")

HOLD = "import sys; f = open(*sys.argv[1:3]); print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def hold():
    """Start a process, in a session of its own unless told otherwise, that has a file open."""
    started = []

    def start(file, mode="r+", **options):
        options = {"start_new_session": True, **options}
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(file), mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    return path


def test_a_process_that_holds_the_file_is_found_and_ended(lock, hold):
    process = hold(lock)
    assert holders.holds(process.pid, lock)
    assert holders.holders(lock) == [process.pid]
    assert holders.end_process(process.pid, lock)
    assert process.wait(30) == -signal.SIGKILL
    assert not holders.holds(process.pid, lock)


def test_a_copy_is_held_by_nobody(lock, hold, tmp_path):
    process = hold(lock)
    copy = shutil.copy(lock, tmp_path / "copy")
    (tmp_path / "link").symlink_to(lock)
    for other in (copy, tmp_path / "link", tmp_path / "missing"):
        assert not holders.holds(process.pid, other)
        assert not holders.end_process(process.pid, other)
        assert holders.holders(other) == []
    assert process.poll() is None


def test_who_only_reads_holds_nothing(lock, hold):
    process = hold(lock, "r")
    assert not holders.end_process(process.pid, lock)
    assert process.poll() is None


@pytest.mark.parametrize("pid", [0, -1, -2, 2**22 + 1, 2**31, 2**64, True, 1.5, None])
def test_no_number_that_is_no_process(lock, pid, monkeypatch):
    for name in ("kill", "killpg"):
        monkeypatch.setattr(os, name, lambda *_: pytest.fail("signalled by number"))
    assert not holders.holds(pid, lock)
    assert not holders.end_process(pid, lock)


def test_neither_process_one_nor_itself_nor_its_own_session_is_signalled(lock, hold, monkeypatch):
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: pytest.fail("signalled"))
    related = hold(lock, start_new_session=False)
    monkeypatch.setattr(holders, "_has_open", lambda *_: True)
    for pid in (1, os.getpid(), os.getppid(), related.pid):
        assert not holders.end_process(pid, lock)


def test_a_process_that_ended_in_between_is_not_taken_for_its_successor(lock, hold, monkeypatch):
    process = hold(lock)

    def look(*_):
        process.kill()
        process.wait()
        return True  # another process of that number holds the file

    monkeypatch.setattr(holders, "_has_open", look)
    assert not holders.holds(process.pid, lock)
