"""Links, pipes and devices below a results folder lead nowhere and hang nothing."""

import errno
import os
import shutil

import pytest

from ablate.errors import StoreError
from ablate.store import checkpoints
from ablate.store.events import Finished
from ablate.store.folders import Folder, NotPlainError
from ablate.store.job_result import JobResult
from ablate.store.locks import FolderLock, holder_of
from ablate.store.rundir import RunDirectory, run_directories
from ablate.store.studies import document_paths, read_document


@pytest.fixture
def outside(tmp_path):
    """A file of the user that no results folder may touch."""
    path = tmp_path / "thesis.tex"
    path.write_text("years of work")
    return path


def put(kind, path, target):
    """Replace whatever is at `path`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path)


KINDS = ["link", "pipe", "zero", "circle"]
FILES = ["config.json", "events.jsonl", "result.json", "log.txt", "lock", "pulse.json"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_no_file_is_read_or_written_through_a_link_or_pipe(run_directory, outside, kind, name):
    put(kind, run_directory.path / name, outside)
    folder = run_directory.folder
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_APPEND | os.O_CREAT):
        with pytest.raises(NotPlainError) as raised:
            os.close(folder.open(name, flags))
        assert raised.value.filename == str(run_directory.path / name)
    with pytest.raises(NotPlainError, match="link, a pipe or a device"):
        folder.read(name, most_bytes=100)
    assert outside.read_text() == "years of work"


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_directory_says_of_them(run_directory, outside, kind):
    config = run_directory.config()
    for name in FILES:
        put(kind, run_directory.path / name, outside)
    with pytest.raises(StoreError, match=r"config\.json"):
        run_directory.config()
    with pytest.raises(StoreError, match=r"events\.jsonl"):
        run_directory.events()
    with pytest.raises(OSError, match="link"):
        run_directory.append(Finished(attempt=1))
    assert run_directory.result() is None, "certainly no result of ours"
    assert run_directory.set_result_aside().is_symlink() or kind == "pipe"
    with pytest.raises(StoreError, match="lock"):
        FolderLock(run_directory.lock, depth=2).try_acquire()
    assert holder_of(run_directory.lock) is None
    assert run_directory.mend_config(config), "written anew, in the link's place"
    assert run_directory.config() == config
    run_directory.write_result(JobResult())
    assert run_directory.result() == JobResult()
    assert outside.read_text() == "years of work"


@pytest.mark.parametrize("name", ["checkpoints", "artifacts"])
def test_folders_of_a_job_that_are_links_are_not_entered(run_directory, tmp_path, name):
    precious = tmp_path / "precious"
    precious.mkdir()
    kept = precious / f"step-000000001-{'0' * 16}.ckpt"
    kept.write_bytes(b"mine")
    (precious / ".x.tmp").write_bytes(b"mine")
    put("link", run_directory.path / name, precious)
    with pytest.raises(OSError, match="link"):
        checkpoints.save(run_directory.path / name, 2, b"new")
    assert checkpoints.newest(run_directory.path / name) == (None, ())
    checkpoints.remove_all(run_directory.path / name)
    with pytest.raises(OSError, match="link"):
        Folder(run_directory.path / name, depth=3).write("weights.pt", b"new")
    Folder(run_directory.path / name, depth=3).remove_temporaries()
    assert sorted(path.name for path in precious.iterdir()) == [".x.tmp", kept.name]
    with pytest.raises(OSError, match="link"):
        run_directory.create(run_directory.config())


@pytest.mark.parametrize("level", ["run", "runs"])
def test_a_linked_run_folder_is_none(run_directory, tmp_path, level):
    results = tmp_path / "copy"
    (results / "runs").mkdir(parents=True)
    copy = RunDirectory.of(results, run_directory.id)
    if level == "run":
        copy.path.symlink_to(run_directory.path)
    else:
        put("link", results / "runs", run_directory.path.parent)
    assert list(run_directories(results)) == []
    with pytest.raises(StoreError):
        copy.config()
    with pytest.raises(OSError, match="link"):
        copy.append(Finished(attempt=1))
    assert run_directory.events().events == ()


def test_the_results_folder_itself_may_be_a_link(run_directory, tmp_path):
    results = run_directory.path.parents[1]
    (tmp_path / "here").symlink_to(results)
    (found,) = run_directories(tmp_path / "here")
    found.append(Finished(attempt=1))
    assert run_directory.events().events == (Finished(attempt=1),)


def test_study_documents_behind_links_are_not_read(tmp_path, outside):
    (tmp_path / "studies").mkdir()
    put("link", tmp_path / "studies" / "a.json", outside)
    put("pipe", tmp_path / "studies" / "b.json", outside)
    for path in document_paths(tmp_path):
        with pytest.raises(StoreError, match="link, a pipe"):
            read_document(path)
    put("link", tmp_path / "studies", outside.parent)
    assert list(document_paths(tmp_path)) == []


def test_what_is_parsed_has_a_limit(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no space
    with pytest.raises(OSError, match="larger than 1 MiB") as raised:
        Folder(tmp_path).read("huge", most_bytes=2**20)
    assert raised.value.errno == errno.EFBIG


@pytest.mark.parametrize("name", ["", ".", "..", "../thesis.tex", "a/b", "/etc/passwd", "a\0b"])
def test_a_name_is_no_path(tmp_path, outside, name):
    (tmp_path / "inner").mkdir()
    for use in (
        lambda folder: folder.read(name, most_bytes=9),
        lambda folder: folder.write(name, b""),
        lambda folder: folder.remove(name),
        lambda folder: folder.rename("x", name),
    ):
        with pytest.raises(NotPlainError):
            use(Folder(tmp_path / "inner"))
    assert outside.read_text() == "years of work"
