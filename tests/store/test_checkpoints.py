import errno
import os

import pytest

from ablate.store.checkpoints import newest, remove_all, save


def _steps(folder):
    return sorted(int(path.name[5:14]) for path in folder.glob("*.ckpt"))


def test_the_last_two_are_kept(tmp_path):
    folder = tmp_path / "checkpoints"
    for step in (5, 10, 15, 20):
        path = save(folder, step, b"state %d" % step)
    assert path.name.startswith("step-000000020-")
    assert _steps(folder) == [15, 20]
    found, rejected = newest(folder)
    assert (found.step, found.payload, found.path, rejected) == (20, b"state 20", path, ())


def test_nothing_there(tmp_path):
    assert newest(tmp_path / "missing") == (None, ())
    remove_all(tmp_path / "missing")


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: b"", lambda c: b"X" + c[1:]])
def test_a_corrupt_newest_is_reported_once_and_the_one_before_used(tmp_path, damage):
    save(tmp_path, 1, b"first state")
    broken = save(tmp_path, 2, b"second state")
    broken.write_bytes(damage(broken.read_bytes()))
    found, rejected = newest(tmp_path)
    assert (found.step, found.payload) == (1, b"first state")
    assert rejected == (broken.with_name(broken.name + ".corrupt"),)
    assert rejected[0].exists()
    assert newest(tmp_path) == (found, ())
    save(tmp_path, 2, b"second state")
    assert newest(tmp_path)[0].step == 2
    remove_all(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_keeps_nothing_else(tmp_path):
    stubborn = tmp_path / f"step-000000001-{'a' * 16}.ckpt"
    stubborn.mkdir()
    save(tmp_path, 2, b"x")
    remove_all(tmp_path)
    assert list(tmp_path.iterdir()) == [stubborn]


def test_an_unreadable_newest_keeps_its_name(tmp_path):
    save(tmp_path, 1, b"state")
    unreadable = tmp_path / f"step-000000002-{'0' * 16}.ckpt"
    unreadable.mkdir()
    found, rejected = newest(tmp_path)
    assert found is not None
    assert (found.step, rejected) == (1, (unreadable,))
    assert unreadable.exists()


def test_all_corrupt_means_from_scratch(tmp_path):
    for step in (1, 2):
        save(tmp_path, step, b"state").write_bytes(b"?")
    found, rejected = newest(tmp_path)
    assert found is None
    assert len(rejected) == 2


def test_a_saved_checkpoint_is_never_pruned_by_its_own_save(tmp_path):
    for step in (30, 20, 10):
        assert save(tmp_path, step, b"x").exists()
    assert _steps(tmp_path) == [10, 30]


def test_saving_twice_at_one_step_keeps_one_file(tmp_path):
    assert save(tmp_path, 3, b"x") == save(tmp_path, 3, b"x")
    assert _steps(tmp_path) == [3]


def test_a_failed_save_removes_nothing(tmp_path, monkeypatch):
    for step in (1, 2):
        save(tmp_path, step, b"state")
    before = sorted(tmp_path.iterdir())

    def full(_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, "fsync", full)
        save(tmp_path, 3, b"state")
    assert sorted(tmp_path.iterdir()) == before


def test_leftovers_and_strangers(tmp_path):
    leftover = tmp_path / ".step-000000001-00.ckpt.77-abc.tmp"
    leftover.write_bytes(b"half")
    stranger = tmp_path / "step-one.ckpt"
    stranger.write_bytes(b"not ours")
    save(tmp_path, 1, b"x")
    assert not leftover.exists()
    assert newest(tmp_path)[0].step == 1


SAVER = """
import sys
from pathlib import Path
from ablate.store.checkpoints import newest, save
folder = Path(sys.argv[1])
found, rejected = newest(folder)
assert not rejected, rejected
step = found.step if found else 0
print("go", flush=True)
while True:
    step += 1
    save(folder, step, str(step).encode() * 20_000)
"""


def test_killed_savers_never_lose_a_checkpoint(tmp_path, start_python):
    last = 0
    for round_ in range(5):
        child = start_python(SAVER, tmp_path)
        assert child.stdout.readline() == "go\n"
        while (newest(tmp_path)[0] or last) == last:
            pass
        for _ in range(round_ * 3):
            os.sched_yield()
        child.kill()
        child.wait()
        found, rejected = newest(tmp_path)
        assert not rejected
        assert found.payload == str(found.step).encode() * 20_000
        assert found.step >= last
        last = found.step
    assert last > 0


def test_a_folder_that_was_moved_is_not_made_again(tmp_path):
    job = tmp_path / "results" / "runs" / "job"
    with pytest.raises(FileNotFoundError):
        save(job / "checkpoints", 1, b"state")
    assert not (tmp_path / "results").exists()
