from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ablate.methods import file_digests
from ablate.methods.file_digests import cache_folder, file_digest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as settled, whatever its age."""
    monkeypatch.setattr(file_digests, "_SETTLED_S", -1e9)
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from now on."""
    names: list[str] = []
    read = file_digests._read

    def noted(path: Path | str) -> object:
        names.append(Path(path).name)
        return read(path)

    monkeypatch.setattr(file_digests, "_read", noted)
    return names


def test_a_digest_is_that_of_the_content(old_file: Path) -> None:
    assert file_digest(old_file) == hashlib.sha256(b"one").hexdigest()
    assert file_digest(old_file) == hashlib.sha256(b"one").hexdigest()


def test_a_file_is_read_once(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = reads(monkeypatch)
    first = file_digest(old_file)
    assert file_digest(old_file) == first
    assert names == ["file"]
    assert (cache_folder() / "digests.sqlite3").is_file()


def test_a_changed_byte_is_seen_though_size_and_time_stay(old_file: Path) -> None:
    before = file_digest(old_file)
    times = old_file.stat()
    old_file.write_bytes(b"two")
    os.utime(old_file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file_digest(old_file) != before


def test_a_file_that_just_changed_is_not_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fresh"
    path.write_bytes(b"one")
    names = reads(monkeypatch)
    file_digest(path)
    file_digest(path)
    assert names == ["fresh", "fresh"]


@pytest.mark.parametrize("damage", ["no database", "a folder", "not writable"])
def test_without_a_cache_digests_are_right(
    old_file: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cache_folder() / "digests.sqlite3"
    place.parent.mkdir(parents=True)
    if damage == "no database":
        place.write_bytes(b"x" * 5000)
    elif damage == "a folder":
        place.mkdir()
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    assert file_digest(old_file) == hashlib.sha256(b"one").hexdigest()


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        file_digest(tmp_path / "pipe")
