import dataclasses
import errno
import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import StoreError
from ablate.matrix.identity import job_id
from ablate.store.events import EpochEnded, Failed, Resumed, Started, Unknown, to_line
from ablate.store.folders import Folder
from ablate.store.job_result import JobResult
from ablate.store.rundir import (
    AbsentError,
    DamagedError,
    RunDirectory,
    parse_events,
    run_directories,
)


def test_create_is_idempotent_and_keeps_the_config_to_the_bit(run_directory, make_config):
    before = (run_directory.path / "config.json").stat().st_mtime_ns
    run_directory.create(make_config())
    assert (run_directory.path / "config.json").stat().st_mtime_ns == before
    assert run_directory.config() == make_config()
    assert job_id(run_directory.config()) == run_directory.id
    assert [run.id for run in run_directories(run_directory.path.parents[1])] == [run_directory.id]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"kind": "student"}', "\0" * 40])
def test_create_mends_a_damaged_config(run_directory, make_config, damage):
    (run_directory.path / "config.json").write_text(damage)
    with pytest.raises(StoreError, match=r"config\.json"):
        run_directory.config()
    run_directory.create(make_config())
    assert run_directory.config() == make_config()


@pytest.mark.parametrize(
    "name", ["", "abc", "A" * 64, "a" * 63, "a" * 65, "../" + "a" * 64, "a" * 64 + "\n"]
)
def test_only_full_ids_name_run_directories(tmp_path, name):
    with pytest.raises(StoreError, match="64 hex digits"):
        RunDirectory.of(tmp_path, name)


@pytest.mark.parametrize("value", [math.nan, "\udce9"])
def test_a_config_that_has_no_id_is_mended(run_directory, make_config, value):
    content = json.dumps({**vars(make_config()), "settings": {"a": value}})
    (run_directory.path / "config.json").write_text(content)
    with pytest.raises(StoreError, match=r"config\.json: damaged"):
        run_directory.config()
    assert run_directory.mend_config(make_config())
    assert run_directory.config() == make_config()
    assert not run_directory.mend_config(make_config())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": None, "seed": None}, "lacks kind, seed"),
        ({"colour": "red"}, "has colour, unknown here"),
    ],
)
def test_a_config_of_other_fields_is_told_in_a_sentence(run_directory, make_config, change, words):
    content = {**vars(make_config()), **change}
    content = {name: value for name, value in content.items() if value is not None}
    (run_directory.path / "config.json").write_text(json.dumps(content))
    with pytest.raises(StoreError) as told:
        run_directory.config()
    right = "`ablate run` of its study writes it anew"
    assert str(told.value) == f"{run_directory.path}/config.json: damaged: {words} ({right})"


def test_a_config_of_another_job_is_refused(tmp_path, make_config):
    other = dataclasses.replace(make_config(), seed=7)
    with pytest.raises(StoreError, match="belongs to job"):
        RunDirectory.of(tmp_path, job_id(make_config())).create(other)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_without_config_counts_as_absent(tmp_path):
    (tmp_path / "runs" / ("a" * 64)).mkdir(parents=True)
    assert list(run_directories(tmp_path)) == []
    assert list(run_directories(tmp_path / "nowhere")) == []


def test_no_events_yet(run_directory):
    assert run_directory.events() == parse_events(b"")
    assert run_directory.result() is None


def test_result_round_trips_exactly(run_directory):
    result = JobResult(metrics={"top1": 0.1 + 0.2, "loss": 5e-324}, best_epoch=3)
    run_directory.write_result(result)
    assert run_directory.result() == result


@pytest.mark.parametrize("damage", ["", "{", "[]", "\0" * 40])
def test_a_damaged_result_is_none_and_can_be_set_aside(run_directory, damage):
    run_directory.result_file.write_text(damage)
    assert run_directory.result() is None
    with pytest.raises(DamagedError, match=r"result\.json: damaged"):
        run_directory.read_result()
    aside = run_directory.set_result_aside()
    assert aside.name == "result.json.corrupt"
    assert aside.read_text() == damage
    assert not run_directory.result_file.exists()
    with pytest.raises(AbsentError):
        run_directory.read_result()


def test_a_folder_in_the_place_of_a_result_is_a_damaged_one(run_directory):
    run_directory.result_file.mkdir()
    assert run_directory.result() is None
    assert run_directory.set_result_aside().is_dir()
    assert not run_directory.result_file.exists()


def test_a_result_that_cannot_be_read_is_neither_sound_nor_damaged(run_directory, monkeypatch):
    run_directory.write_result(JobResult())

    def stale(*_, **__):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "read", stale)
        with pytest.raises(StoreError, match=r"result\.json: Stale file handle"):
            run_directory.read_result()
        with pytest.raises(StoreError, match=r"result\.json: Stale file handle"):
            run_directory.result()
    assert run_directory.result() == JobResult()


def test_events_hold_anything_that_json_can_say(run_directory):
    events = [
        EpochEnded(attempt=1, epoch=2, metrics={"loss": math.inf}),
        Failed(attempt=1, message="line\nbreak τ"),
    ]
    for event in events:
        run_directory.append(event)
    assert list(run_directory.events().events) == events


def test_append_after_a_crash_starts_a_new_line(run_directory):
    run_directory.append(Started(attempt=1))
    with run_directory.events_file.open("ab") as file:
        file.write(b'{"event": "epo')
    log = run_directory.events()
    assert (len(log.events), log.damaged, log.truncated) == (1, 0, True)
    run_directory.append(Resumed(attempt=1))
    log = run_directory.events()
    assert log.events == (Started(attempt=1), Resumed(attempt=1))
    assert (log.damaged, log.truncated) == (1, False)


def test_garbage_is_skipped_and_counted(run_directory):
    lines = [b'{"event": "a"}', b"\xff\xfe", b"\0" * 20, b"[1]", b'{"no": 1}', b"[" * 200_000]
    run_directory.events_file.write_bytes(b"\n".join(lines) + b'\n{"event": "b"}\n')
    log = run_directory.events()
    assert log.events == (Unknown(name="a", content={}), Unknown(name="b", content={}))
    assert (log.damaged, log.truncated) == (5, False)


APPENDER = """
import sys
from pathlib import Path
from ablate.store.events import Unknown, to_line
from ablate.store.rundir import AbsentError, DamagedError, RunDirectory
run = RunDirectory(Path(sys.argv[1]))
for n in range(60):
    run.append(Unknown(name=sys.argv[2], content={"n": n, "filler": sys.argv[2] * 3000}))
"""


def test_two_processes_append_without_mixing_lines(run_directory, start_python):
    children = [start_python(APPENDER, run_directory.path, name) for name in "ab"]
    assert [child.wait(30) for child in children] == [0, 0]
    log = run_directory.events()
    assert (log.damaged, log.truncated) == (0, False)
    for name in "ab":
        assert [e.content["n"] for e in log.events if e.name == name] == list(range(60))


_events = st.lists(
    st.builds(
        Unknown,
        name=st.text(max_size=5),
        content=st.dictionaries(st.just("x"), st.integers(), max_size=1),
    ),
    max_size=6,
)


@given(_events, st.data())
def test_a_log_cut_at_any_byte_keeps_every_whole_line(events, data):
    content = b"".join(to_line(event) + b"\n" for event in events)
    cut = data.draw(st.integers(0, len(content)))
    log = parse_events(content[:cut])
    whole = content[:cut].count(b"\n")
    assert log.damaged == 0
    assert log.size == cut
    assert list(log.events[:whole]) == events[:whole]
    assert len(log.events) <= whole + 1
    if len(log.events) > whole:  # only the newline was missing
        assert list(log.events) == events[: whole + 1]


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(content):
    assert parse_events(content).size == len(content)
