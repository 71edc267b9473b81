import errno
import os
import stat
import time
from pathlib import Path

import pytest

from ablate.store import checkpoints
from ablate.store.events import Failed, Finished, Started
from ablate.store.files import atomic_write, remove_temporaries
from ablate.store.rundir import RunDirectory


def test_replaces_the_whole_content(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, b"long old content")
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from ablate.store.files import atomic_write
print("go", flush=True)
n = 0
while True:
    n += 1
    atomic_write(Path(sys.argv[1]), str(n % 10).encode() * 200_000)
"""


def test_a_killed_writer_leaves_the_old_or_the_new(tmp_path, start_python):
    path = tmp_path / "file"
    for round_ in range(4):
        child = start_python(WRITER, path)
        child.stdout.readline()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(0.02 + 0.013 * round_)
        child.kill()
        child.wait()
        content = path.read_bytes()
        assert len(content) == 200_000
        assert len(set(content)) == 1
    remove_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_short_writes_are_completed(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:7])))
    atomic_write(tmp_path / "file", b"0123456789" * 10)
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 10


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_leaves_the_old_content_alone(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space") as raised:
        patch.setattr(os, call, full)
        atomic_write(path, b"new")
    assert raised.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def failing_folders(monkeypatch, number):
    """A file system that cannot fsync a folder, and says so by this number."""
    real = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_file_system_that_cannot_sync_folders_is_written_to(tmp_path, monkeypatch, number):
    failing_folders(monkeypatch, number)
    atomic_write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    run = RunDirectory(tmp_path / ("a" * 64))
    run.path.mkdir()
    run.append(Started(attempt=1))
    assert len(run.events().events) == 1


def test_a_disk_that_fails_says_so(tmp_path, monkeypatch):
    failing_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        atomic_write(tmp_path / "file", b"new")


def test_a_really_full_disk_keeps_the_checkpoints_from_before(tiny_disk):
    first = checkpoints.save(tiny_disk, 1, b"a" * 20_000)
    second = checkpoints.save(tiny_disk, 2, b"b" * 20_000)
    with pytest.raises(OSError) as raised:
        checkpoints.save(tiny_disk, 3, b"c" * 40_000)
    assert raised.value.errno == errno.ENOSPC
    assert sorted(tiny_disk.iterdir()) == [first, second]
    found, rejected = checkpoints.newest(tiny_disk)
    assert found is not None
    assert (found.step, rejected) == (2, ())


def test_a_really_full_disk_cuts_an_event_and_no_other(tiny_disk):
    run = RunDirectory(tiny_disk / ("a" * 64))
    run.path.mkdir()
    run.append(Started(attempt=1))
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(OSError) as raised:
        run.append(Failed(attempt=1, message="y" * 10_000))
    assert raised.value.errno == errno.ENOSPC
    assert run.events().events == (Started(attempt=1),)
    ballast.unlink()
    run.append(Finished(attempt=1))
    assert run.events().events == (Started(attempt=1), Finished(attempt=1))


def test_write_to_a_missing_folder_says_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        atomic_write(tmp_path / "no" / "file", b"")
