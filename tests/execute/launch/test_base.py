"""The launchers' interface: a handle stands in the run directory before anything can start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.execute.launch.base import (
    HANDLE_FILE,
    Handle,
    Launcher,
    Report,
    read_handle,
    write_handle,
)
from ablate.execute.worker.order import Order
from ablate.methods.session import Machine


class Cluster(Launcher):
    """A launcher that remembers what stood in the run directory as it was asked to start."""

    name = "cluster"

    def __init__(self, answer: str = "42", *, fails: bool = False) -> None:
        self.answer, self.fails = answer, fails
        self.before: Handle | None = None

    def submit(self, order: Order, handle: Handle) -> str:
        self.before = read_handle(order.run)
        if self.fails:
            raise OSError("no connection")
        return self.answer

    def find(self, handles: Iterable[Handle]) -> list[Handle]:
        return [replace(handle, name=self.answer) for handle in handles]

    def wait(self, seconds: float) -> list[Report]:
        return []

    def terminate(self, handle: Handle) -> None: ...

    def kill(self, handles: Iterable[Handle]) -> None: ...

    def close(self, grace_s: float) -> None: ...


def order(folder: Path, attempt: int = 3) -> Order:
    (folder / ("a" * 64)).mkdir(exist_ok=True)
    return Order(folder / ("a" * 64), attempt, Machine(), {})


def test_a_handle_is_written_before_and_after_the_start(tmp_path: Path) -> None:
    launcher, wish = Cluster(), order(tmp_path)
    handle = launcher.launch(wish)
    assert launcher.before == replace(handle, name="")
    assert read_handle(wish.run) == handle
    assert (handle.launcher, handle.job, handle.attempt, handle.name) == (
        "cluster", "a" * 64, 3, "42",
    )  # fmt: skip
    assert launcher.launch(wish).token != handle.token, "each attempt has its own"


def test_a_start_that_fails_leaves_a_handle_to_ask_for(tmp_path: Path) -> None:
    launcher, wish = Cluster(fails=True), order(tmp_path)
    with pytest.raises(OSError, match="no connection"):
        launcher.launch(wish)
    assert read_handle(wish.run) == launcher.before
    assert launcher.before and launcher.before.name == ""


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"launcher": 1}', '{"launcher": "l", "job": "j", "attempt": "1"}']
)
def test_what_is_no_handle_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / HANDLE_FILE).write_text(content)
    assert read_handle(tmp_path) is None
    write_handle(tmp_path, Handle("l", "j", 1, "t"))
    assert read_handle(tmp_path) == Handle("l", "j", 1, "t")


def test_an_order_travels_as_text(tmp_path: Path) -> None:
    wish = replace(
        order(tmp_path),
        machine=Machine("cuda:0", 2, tmp_path / "data", {"weights": tmp_path / "w.pth"}),
        upstream={"teacher": tmp_path / "b"},
        interval=(0.5, "minute"),
        facts={"git": "abc"},
    )
    assert Order.from_json(wish.to_json()) == wish
