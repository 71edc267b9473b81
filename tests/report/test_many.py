"""Many studies at once: who does the work, and in which order it comes back."""

from __future__ import annotations

import os

import pytest
from results_folder import make_results

from ablate.report.many import over_studies
from ablate.store.index import Index


def process_and_key(index: Index, key: str) -> tuple[int, str]:
    return os.getpid(), key


@pytest.mark.parametrize("shared", [False, True])
def test_other_processes_do_shared_work_in_order(tmp_path, monkeypatch, shared):
    for name in ("c", "a", "b"):
        make_results(tmp_path, name=name)
    with Index.open(tmp_path) as index:
        keys = [one.key for one in index.find_studies()]
    monkeypatch.setattr("ablate.report.many.usable_cores", lambda: 2)
    done = over_studies(process_and_key, tmp_path, keys, shared=shared)
    assert [key for _, key in done] == keys
    assert all((process != os.getpid()) == shared for process, _ in done)
