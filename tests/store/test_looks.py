"""Looks are on record whatever happens to the study that made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import TOP1
from ablate.store.looks import earlier_sizes, looks_of, read_looks, record_looks
from ablate.store.results import MeasuredRun, StudyResults

DIGESTS = {"base": {"t/s": "aa"}, "row": {"t/s": "bb"}}


def study(seeds: int, *, title: str = "A", waiting: int = 0) -> StudyResults:
    plan = StudyPlan(
        name="a", title=title, question="", answers="", profile="quick", data="digits",
        metrics=(TOP1,), pairs=("t/s",), seeds=tuple(range(seeds)), baseline={}, overrides={},
        variants=(Variant("base", Role.BASELINE, "m"), Variant("row", Role.VARIANT, "m")),
        jobs=(), rows=DIGESTS,
    )  # fmt: skip
    runs = tuple(
        MeasuredRun(label, "t/s", seed, f"{label}{seed}",
            JobStatus.WAITING if seed >= seeds - waiting else JobStatus.DONE, {"top1": 1.0}, {})
        for label in DIGESTS
        for seed in range(seeds)
    )  # fmt: skip
    return StudyResults(plan, runs, (), {})


def sizes_before(folder: Path, results: StudyResults) -> tuple[int, ...]:
    [now] = looks_of(results)
    return earlier_sizes(read_looks(folder), now, "top1")


def test_a_set_of_seeds_that_has_ended_is_a_look(tmp_path: Path) -> None:
    assert record_looks(tmp_path, study(3, waiting=1)) == []
    assert read_looks(tmp_path) == ()
    record_looks(tmp_path, study(3))
    record_looks(tmp_path, study(3))
    [look] = read_looks(tmp_path)
    assert look.rows == {"bb": (0, 1, 2)}
    assert sizes_before(tmp_path, study(3)) == ()


def test_more_seeds_leave_a_trace(tmp_path: Path) -> None:
    for seeds in (3, 5):
        record_looks(tmp_path, study(seeds))
    assert sizes_before(tmp_path, study(8)) == (3, 5)


def test_a_new_title_hides_nothing(tmp_path: Path) -> None:
    record_looks(tmp_path, study(3))
    assert sizes_before(tmp_path, study(5, title="B")) == (3,)


def test_other_seeds_of_the_same_number_leave_a_trace(tmp_path: Path) -> None:
    record_looks(tmp_path, study(3))
    moved = study(3)
    runs = tuple(run._replace(seed=run.seed + 10) for run in moved.runs)
    assert sizes_before(tmp_path, replace(moved, runs=runs)) == (3,)


def test_merged_folders_have_the_looks_of_both(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    record_looks(one, study(3))
    record_looks(other, study(5))
    for path in (other / "looks").iterdir():
        (one / "looks" / path.name).write_bytes(path.read_bytes())
    assert sizes_before(one, study(8)) == (3, 5)


def test_two_seeds_are_no_look(tmp_path: Path) -> None:
    assert record_looks(tmp_path, study(2)) == []


def test_what_is_no_look_is_passed_over(tmp_path: Path) -> None:
    record_looks(tmp_path, study(3))
    endless = '{"pair": "", "metrics": [], "baseline": "", "rows": {"a": [Infinity]}}'
    texts = ("{}", "[1]", '{"rows": 3}', "no", endless)
    for name, text in zip("abcdf", texts, strict=True):
        (tmp_path / "looks" / f"{name}.json").write_text(text)
    (tmp_path / "looks" / "e.json").symlink_to("/etc/passwd")
    assert len(read_looks(tmp_path)) == 1
