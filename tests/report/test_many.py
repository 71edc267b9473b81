"""Work that several processes share: who does it, and in which order it comes back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ablate.report.many import over_all, over_studies
from ablate.store.index import Index
from ablate.store.processes import garbage_collector_off
from tests import REPOSITORY
from tests.execute.toy_workshop import is_running, until
from tests.report.results_folder import make_results


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr("ablate.report.many.usable_cores", lambda: 2)


def process_and_key(index: Index, key: str) -> tuple[int, str]:
    return os.getpid(), key


def process_and_item(item: int) -> tuple[int, int]:
    return os.getpid(), item


def processes_below(item: int) -> set[int]:
    return {process for process, _ in over_all(process_and_item, range(item))} | {os.getpid()}


def wait_for_ever(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    threading.Event().wait()


def garbage_left(item: int) -> int:
    """How many of the items so far are still in memory, each of them only held by itself."""
    left = sum(isinstance(one, _Circle) for one in gc.get_objects())
    for _ in range(50):
        _Circle()
    return left


class _Circle:
    def __init__(self) -> None:
        self.itself = self
        self.load: list[list[object]] = [
            [] for _ in range(200)
        ]  # enough of them to make Python look


@pytest.mark.parametrize("shared", [False, True])
def test_other_processes_do_shared_work_in_order(tmp_path, shared):
    for name in ("c", "a", "b"):
        make_results(tmp_path, name=name)
    with Index.open(tmp_path) as index:
        keys = [one.key for one in index.find_studies()]
    done = over_studies(process_and_key, tmp_path, keys, shared=shared)
    assert [key for _, key in done] == keys
    assert all((process != os.getpid()) == shared for process, _ in done)


def test_a_share_is_not_shared_again():
    assert all(len(processes) == 1 for processes in over_all(processes_below, [3] * 4))


@pytest.mark.parametrize("shared", [False, True])
def test_what_one_item_leaves_behind_does_not_stay_through_the_others(shared):
    with garbage_collector_off():  # as it is while a report is made; processes take that over
        left = over_all(garbage_left, range(40), shared=shared)
        assert not gc.isenabled()
    assert max(left) < 20 * 50 / 2  # half of what one of two processes makes


def test_processes_end_with_the_one_that_asked(tmp_path):
    script = (
        "import ablate.report.many as many, tests.report.test_many as test_many\n"
        "many.usable_cores = lambda: 2\n"
        f"many.over_all(test_many.wait_for_ever, [{str(tmp_path)!r}] * 2)"
    )
    asking = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)
    until(lambda: len(list(tmp_path.iterdir())) == 2, "two processes that work")
    asking.kill()
    asking.wait()
    for path in tmp_path.iterdir():
        until(lambda pid=int(path.name): not is_running(pid), "its end")
