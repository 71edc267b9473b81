"""Numbers of a script: read from lines and files, and never a stale one after a resumption."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import JobError
from ablate.methods.metrics import Better, Metric
from ablate.methods.script import Measure, Source, Take
from ablate.methods.script_metrics import Readings, in_files

F1 = Metric("f1", label="macro F1", better=Better.HIGHER)
LOSS = Metric("loss", label="Loss", better=Better.LOWER)
EPOCH = r"epoch (?P<epoch>\d+)"


def readings(take: Take = Take.LAST, progress: str = EPOCH) -> Readings:
    measures = {
        "f1": Measure(Source.PATTERN, r"f1=(\S+)", take=take),
        "loss": Measure(Source.PATTERN, r"(train|test) loss=(?P<value>\S+)", take=take),
    }
    return Readings({"f1": F1, "loss": LOSS}, measures, progress)


def fed(lines: list[str], **options: object) -> Readings:
    found = readings(**options)  # type: ignore[arg-type]
    for line in lines:
        found.read(line)
    return found


LINES = [
    "epoch 1 f1=0.5 test loss=3", "epoch 2 f1=0.9 test loss=1", "epoch 3 f1=0.7 test loss=2",
]  # fmt: skip


@pytest.mark.parametrize(
    ("take", "kept"),
    [(Take.LAST, {"f1": 0.7, "loss": 2.0}), (Take.BEST, {"f1": 0.9, "loss": 1.0})],
)
def test_the_last_or_the_best_value_counts(take: Take, kept: dict[str, float]) -> None:
    assert fed(LINES, take=take).kept == kept


def test_an_epoch_is_over_once_the_next_one_is_named() -> None:
    found = readings()
    ended = [found.read(line) for line in LINES]
    assert ended == [None, (1, {"f1": 0.5, "loss": 3.0}), (2, {"f1": 0.9, "loss": 1.0})]
    assert (found.epoch, found.current) == (3, {"f1": 0.7, "loss": 2.0})


def test_a_value_that_is_no_number_is_told_with_its_metric() -> None:
    with pytest.raises(JobError, match=r"f1 .*oops"):
        fed(["f1=oops"])


def resumed(lines: list[str], take: Take, progress: str = EPOCH) -> Readings:
    """An attempt that goes on after the first line of another one."""
    before, found = fed(LINES[:1], take=take, progress=progress), readings(take, progress)
    found.kept, found.seen = dict(before.kept), dict(before.seen)
    for line in lines:
        found.read(line)
    return found


@pytest.mark.parametrize("take", [*Take])
def test_a_resumed_attempt_that_printed_nothing_knows_nothing(take: Take) -> None:
    assert resumed([], take).incomplete()
    assert resumed([LINES[1].replace("f1", "F1")], take).incomplete(), "of one metric"


def test_no_epoch_may_be_missing_from_the_best() -> None:
    assert not resumed(LINES[1:], Take.BEST).incomplete()
    assert not resumed(LINES, Take.BEST).incomplete(), "again from the first epoch"
    assert resumed(LINES[2:], Take.BEST).incomplete()
    assert resumed(LINES[1:], Take.BEST, progress="").incomplete(), "nobody can tell"
    assert not resumed(LINES[2:], Take.LAST).incomplete()
    assert not resumed(LINES[2:], Take.LAST, progress="").incomplete()


def values(folder: Path, content: str, name: str, key: str, take: Take) -> dict[str, float]:
    (folder / name).write_text(content)
    source = Source.JSON if name.endswith("json") else Source.CSV
    return in_files({"f1": F1}, {"f1": Measure(source, name, key, take)}, lambda p: folder / p)


@pytest.mark.parametrize(
    ("content", "name", "key", "last", "best"),
    [
        ('{"test": {"f1": 0.25}}', "m.json", "test.f1", 0.25, 0.25),
        ('{"f1": [0.1, 0.9, 0.5]}', "m.json", "f1", 0.5, 0.9),
        ("epoch,f1\n1,0.1\n2,0.9\n3,0.5\n4,\n", "m.csv", "f1", 0.5, 0.9),
    ],
)
def test_files(tmp_path: Path, content: str, name: str, key: str, last: float, best: float) -> None:
    assert values(tmp_path, content, name, key, Take.LAST) == {"f1": last}
    assert values(tmp_path, content, name, key, Take.BEST) == {"f1": best}


@pytest.mark.parametrize(
    ("content", "name", "key", "named"),
    [
        ('{"f1": 1', "m.json", "f1", "JSON"),
        ('{"f2": 1}', "m.json", "f1", "f1"),
        ('{"f1": true}', "m.json", "f1", "True"),
        ('{"f1": []}', "m.json", "f1", "f1"),
        ("epoch\n1\n", "m.csv", "f1", "f1"),
        ("f1\nhigh\n", "m.csv", "f1", "high"),
    ],
)
def test_files_that_do_not_hold_it(
    tmp_path: Path, content: str, name: str, key: str, named: str
) -> None:
    with pytest.raises(JobError, match=named) as caught:
        values(tmp_path, content, name, key, Take.LAST)
    assert name in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"m\.json"):
        in_files({"f1": F1}, {"f1": Measure(Source.JSON, "m.json", "f1")}, lambda p: tmp_path / p)
