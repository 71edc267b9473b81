"""Studies are forgotten, waste is found and removed, and two folders become one."""

import dataclasses
import fcntl
import json
import shutil

import pytest

from ablate.errors import InputError, StoreError
from ablate.matrix.inputs import data_inputs
from ablate.methods.catalog import data_info
from ablate.store import artifacts, tidying
from ablate.store.index import Index
from ablate.store.looks import Look
from ablate.store.merging import merge_results
from ablate.store.query import export, study_plan
from ablate.store.studies import document_paths
from tests.store.results_lab import BASE, TEACHER, WARM, Lab, files_of


def test_a_forgotten_study_is_gone_and_its_results_stay(filled):
    with Index.open(filled.results, writable=True) as index:
        index.register(filled.plan(name="other"))
        with pytest.raises(InputError, match="nothing"):
            tidying.forget(index, "nothing")
        assert tidying.forget(index, "tau") == [filled.plan().key]
        assert [study.name for study in index.find_studies()] == ["other"]
        assert tidying.find_waste(filled.results) == [], "the other study has its jobs"
        tidying.forget(index, "other")
    assert list(document_paths(filled.results)) == []
    waste = tidying.find_waste(filled.results)
    assert {one.path.name for one in waste} == {run.name for run in _runs(filled)}
    assert all(one.size > 0 for one in waste)
    for one in waste:
        tidying.remove(one, filled.results)
    assert _runs(filled) == []
    with Index.open(filled.results, writable=True) as index:
        assert export(index) == []


def _runs(lab):
    return sorted((lab.results / "runs").iterdir())


def test_leftovers_of_jobs_that_are_needed(filled):
    run = filled.run(TEACHER)
    (run.path / "result.json.corrupt").write_bytes(b"??")
    (run.path / ".result.json.1-ab.tmp").write_bytes(b"?")
    (run.path / ".x.tmp").symlink_to("/etc/hostname")
    waste = tidying.find_waste(filled.results)
    assert sorted(one.size for one in waste) == [1, 2]
    for one in waste:
        tidying.remove(one, filled.results)
    assert run.result() is not None
    assert tidying.find_waste(filled.results) == []


def test_a_damaged_study_document_makes_no_job_nobodys(filled):
    next(document_paths(filled.results)).write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        tidying.find_waste(filled.results)


def test_a_linked_run_folder_is_no_waste(filled, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").touch()
    (filled.results / "runs" / ("0" * 64)).symlink_to(precious)
    assert "0" * 64 not in {one.path.name for one in tidying.find_waste(filled.results)}
    shutil.rmtree(filled.run(TEACHER).path)


def test_decoded_images_that_no_study_here_reads(filled, tmp_path):
    data_dir = tmp_path / "data"
    whole = dataclasses.replace(
        data_info("digits"), name="folder:/my/set@8", train=300, content="1" * 64
    )
    other = dataclasses.replace(whole, content="2" * 64)
    for key, text in (
        ("read", json.dumps(dataclasses.asdict(whole))),
        ("changed", json.dumps(dataclasses.asdict(other))),
        ("damaged", "{"),
    ):
        place = data_dir / "decoded" / key
        place.mkdir(parents=True)
        (place / "images.u8").write_bytes(bytes(1000))
        (place / "source.json").write_text(text)
    (data_dir / "decoded" / "link").symlink_to(filled.results)
    part = dataclasses.replace(whole, train=100)
    config = dataclasses.replace(TEACHER, data="folder@8[100]", inputs=data_inputs(part))
    config_file = filled.run(TEACHER).path / "config.json"
    config_file.write_text(json.dumps(dataclasses.asdict(config)))
    found = {one.path.name: one for one in tidying.find_unused_maps(filled.results, data_dir)}
    assert found.keys() == {"changed", "damaged"}
    assert "/my/set" in found["changed"].what
    assert found["changed"].size > 1000
    with (found["changed"].path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="in use"):
            tidying.remove_map(found["changed"])
    tidying.remove_map(found["changed"])
    assert sorted(p.name for p in (data_dir / "decoded").iterdir()) == ["damaged", "link", "read"]
    assert tidying.find_unused_maps(filled.results, tmp_path / "elsewhere") == []


@pytest.fixture
def machines(tmp_path):
    """Two machines that computed the seeds 0 and 1 of a study, with the same teacher."""
    labs = Lab(tmp_path / "a"), Lab(tmp_path / "b")
    for seed, lab in enumerate(labs):
        teacher = lab.run(TEACHER)
        teacher.artifact_folder.write("weights.pt", b"taught")
        written = artifacts.measure(teacher)
        lab.finish(TEACHER, artifacts=written)
        used = {"teacher": {name: one.sha256 for name, one in written.items()}}
        for variant in (BASE, WARM):
            lab.finish(lab.student(variant, seed), upstream=used)
        with Index.open(lab.results, writable=True) as index:
            index.register(lab.plan(seeds=(seed,)))
    return labs


def test_two_machines_become_one_folder(machines):
    here, there = machines
    before = files_of(there.results)
    merged = merge_results(here.results, there.results)
    assert (merged.jobs, merged.known, merged.studies, merged.refused) == (2, 1, 1, [])
    assert files_of(there.results) == before
    with Index.open(here.results) as index:
        assert study_plan(index, here.plan(seeds=(0,)).key).seeds == (0, 1)
        assert {one["status"] for one in export(index, "tau")} == {"done"}
    again = merge_results(here.results, there.results)
    assert (again.jobs, again.known, again.studies, again.refused) == (0, 3, 0, [])
    assert here.run(there.student(WARM, 1)).read_result().upstream["teacher"]
    assert not list((here.results / "runs").glob(".merging*"))


def test_what_differs_is_kept_as_it_is_here_and_named(machines):
    here, there = machines
    run = here.run(TEACHER)
    before = run.result_file.read_bytes()
    other = there.run(TEACHER)
    other.write_result(dataclasses.replace(other.read_result(), metrics={"top1": 1.0}))
    merged = merge_results(here.results, there.results)
    assert len(merged.refused) == 1
    assert run.id[:10] in merged.refused[0]
    assert run.result_file.read_bytes() == before


def test_students_of_another_teacher_are_not_mixed_in(machines):
    here, there = machines
    student = there.run(there.student(BASE, 1))
    used = {"teacher": {"weights.pt": "0" * 64}}
    student.write_result(dataclasses.replace(student.read_result(), upstream=used))
    merged = merge_results(here.results, there.results)
    assert merged.jobs == 1
    (sentence,) = merged.refused
    assert "teacher" in sentence


@pytest.mark.parametrize("harm", ["artifact", "result", "config"])
def test_what_is_damaged_there_is_not_taken_over(machines, harm):
    here, there = machines
    shutil.rmtree(here.run(TEACHER).path)
    other = there.run(TEACHER)
    if harm == "artifact":
        (other.artifacts / "weights.pt").write_bytes(b"TAUGHT")
    elif harm == "result":
        other.result_file.write_bytes(other.result_file.read_bytes().replace(b"90.5", b"99.5"))
    else:
        (other.path / "config.json").write_text("{}")
    merged = merge_results(here.results, there.results)
    assert any(other.id[:10] in one for one in merged.refused)
    assert any("teacher is not finished here" in one for one in merged.refused), (
        "so its students are not"
    )
    assert merged.jobs == 0


def test_what_is_not_done_or_begun_here_stays(machines):
    here, there = machines
    there.start(there.run(there.student(BASE, 3)))
    here.start(here.run(here.student(BASE, 1)))
    merged = merge_results(here.results, there.results)
    assert (merged.jobs, merged.unfinished) == (1, 1)
    assert "begun here" in merged.refused[0]


def test_looks_are_merged_by_their_content(machines):
    import hashlib

    from ablate.matrix.identity import canonical

    here, there = machines
    text = canonical(Look("t/s", ("top1",), "b", {"r": (0, 1, 2)}).to_json())
    folder = there.results / "looks"
    folder.mkdir()
    name = f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    (folder / name).write_text(text)
    (folder / f"{'0' * 64}.json").write_text(text)
    merge_results(here.results, there.results)
    assert [path.name for path in (here.results / "looks").iterdir()] == [name]


def test_a_folder_is_not_merged_with_itself_or_with_none(machines, tmp_path):
    here, _ = machines
    with pytest.raises(InputError, match="itself"):
        merge_results(here.results, here.results)
    with pytest.raises(InputError, match="no such results folder"):
        merge_results(here.results, tmp_path / "none")
