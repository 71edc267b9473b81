"""The suite: tests stand where their module stands, and import helpers by their whole names."""

from __future__ import annotations

import re
from pathlib import Path

from tests import REPOSITORY

TESTS = REPOSITORY / "tests"
FILES = sorted(path for path in TESTS.rglob("*.py") if path.parent.name != "sabotage")
NAMES = [path.relative_to(TESTS).as_posix() for path in FILES if path.name.startswith("test_")]

#: Why tests belong to no single module -> their files.
ACROSS_MODULES = {
    "what every command keeps to": (
        "cli/test_ambiguous.py", "cli/test_empty.py", "cli/test_errors.py", "cli/test_hints.py",
        "cli/test_silent_jobs.py", "cli/test_terminal.py",
    ),
    "whole studies in real processes, disturbed": (
        "execute/test_chaos.py", "execute/test_faults.py", "execute/test_hand_overs.py",
        "execute/test_interruption.py", "execute/test_kills.py", "execute/test_policy.py",
        "execute/launch/test_slurm_chaos.py", "execute/launch/test_slurm_runs.py",
    ),
    "whole studies of real training, own methods and own data": (
        "execute/test_own_data.py", "execute/test_own_method.py", "execute/test_own_script.py",
        "execute/test_installed_package.py", "execute/test_own_examples.py",
        "execute/test_training.py",
    ),
    "results folders from strangers, in a cage": ("hostile/test_hostile.py",),
    "histories of thousands of jobs, against all rules at once": (
        "execute/launch/test_slurm_simulation.py", "execute/scheduler/test_histories.py",
    ),
    "from a study's text to its rows": (
        "matrix/test_any_study.py", "matrix/test_bad_input.py", "matrix/test_computed.py",
        "matrix/test_own_data.py", "matrix/test_own_method.py", "matrix/test_shipped_studies.py",
    ),
    "reports in every format": (
        "report/test_escaping.py", "report/test_golden.py", "report/test_own_metrics.py",
        "report/test_page_browser.py", "report/test_recomputed.py",
    ),
    "simulations of a benchmark": ("statistics/test_error_rates.py",),
    "several processes, or all of the room's code": (
        "store/test_one_place.py", "store/test_readers.py",
    ),
    "training against what was written down or recorded, bit for bit": (
        "training/test_cuda_operations.py", "training/test_fake_cuda.py",
        "training/test_golden_cocord.py", "training/test_oracle.py",
        "training/test_published_pairs.py", "training/test_resume_bits.py",
        "training/test_same_bits.py",
    ),
    "the repository": (
        "test_architecture.py", "test_benchmarks.py", "test_docs.py", "test_suite.py",
        "test_wheel.py",
    ),
}  # fmt: skip
LISTED = {name for names in ACROSS_MODULES.values() for name in names}


def has_module(name: str) -> bool:
    """Whether `room/test_x.py` stands where `ablate/room/x.py`, or the package `x`, stands."""
    path = REPOSITORY / "ablate" / name
    tested = path.with_name(path.stem.removeprefix("test_"))
    return tested.is_dir() or tested.with_suffix(".py").is_file()


def test_files_are_named_after_their_modules_or_listed() -> None:
    assert [name for name in NAMES if has_module(name) == (name in LISTED)] == []
    assert set(NAMES) >= LISTED
    assert not has_module("store/test_nothing.py")


def test_every_folder_is_a_package() -> None:
    packages = {path.parent for path in FILES if path.name == "__init__.py"}
    assert {path.parent for path in FILES} == packages


def test_helpers_are_not_looked_for_in_folders() -> None:
    """They are imported from packages; a folder on sys.path would let two names collide."""
    search = re.compile(r"^\s*sys\.path(\.insert|\.append|\[.*\] =)", re.MULTILINE)
    assert [path for path in FILES if search.search(path.read_text(encoding="utf-8"))] == []


#: What images, their labels and weights are stored as.
DATA = re.compile(r"\.(gz|tar|tgz|np[yz]|pkl|pth?|png|jpe?g|parquet)$|-ubyte$")


def test_no_data_set_is_loaded_before_a_test_asks(opened_at_collection: frozenset[str]) -> None:
    """Of the modules that this run has collected, which may be all of them."""
    assert any(Path(name).name.startswith("test_suite.") for name in opened_at_collection)
    assert [name for name in sorted(opened_at_collection) if DATA.search(name)] == []
