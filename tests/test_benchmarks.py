"""Every benchmark runs to its end with small arguments; what it measures is no matter here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import REPOSITORY

#: Benchmark -> arguments that make it small; OUT stands for a file of the test's own.
SMALL = {
    "checkpoints": "--epochs 1",
    "error_rates": "--studies 20",
    "image_folder": "200",
    "index": "--jobs 20 --epochs 2 --metrics 2",
    "plan_import": "3",
    "report": "--jobs 100 --rows 20 --study-jobs 50",
    "scheduling": "--jobs 20 --forks 2 --out OUT",
    "slurm": "--jobs 30 --gpus 4",
    "start": "--jobs 30 --rounds 1",
    "step": "--pairs resnet14/resnet8 --rounds 1 --threads 1 --out OUT",
    "study": "--pairs resnet14/resnet8 --images 20 --threads 1 --out OUT",
    "teacher_table": "--teachers resnet8 --passes 18 --gib 0.05 --threads 1 --out OUT",
    "views": "--images 100 --batches 1 --out OUT",
}


def test_each_is_tried_and_described() -> None:
    folder = REPOSITORY / "benchmarks"
    there = {path.stem for path in folder.glob("[!_]*.py")}
    assert there == SMALL.keys()
    described = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in there if f"`{name}.py`" not in described] == []


def stored(name: str) -> dict[str, Any]:
    path = REPOSITORY / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_figures_of_the_page_are_the_stored_ones() -> None:
    page = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for pair, found in stored("step")["pairs"].items():
        step, ratio = found["step_ms"], found["study_ratio"]
        names = ("fp32, table, both", "bf16, table, both", "fp32, table, pred")
        cells = [f"{step['plain'] / step[name]:.2f}" for name in names]
        share = found["bound_ms"]["fp32"] / step["fp32, table, both"]
        cells += [f"{share:.0%}".replace("%", " %"), *(f"{one:.2f}" for one in ratio.values())]
        assert f"| {pair} | {' | '.join(cells)} |" in page
    for found in stored("study")["pairs"].values():
        assert all(f"{one:.2f}" in page for one in found["ratio"].values())
    for found in stored("teacher_table")["teachers"].values():
        assert f"{found['anonymous_mib']:,.0f}" in page
        assert f"{found['throughput']:.0%}" in page.replace(" %", "%")
        assert found["bytes_equal_after_interruption"]
    views = stored("views")["batch_ms"]
    assert f"{views['torchvision, crop and flip'] / views['crop-flip']:.1f} times" in page


@pytest.mark.parametrize("profile", ["quick", "fashion"])
def test_what_bf16_costs_is_what_the_study_found(profile: str) -> None:
    report = REPOSITORY / "docs" / "results" / f"precision_{profile}.json"
    analysis, _ = json.loads(report.read_text(encoding="utf-8"))["analyses"]
    row = analysis["rows"][1]
    low, high = (f"{row[end]:+.2f}".replace("-", "−") for end in ("low", "high"))
    page = (REPOSITORY / "benchmarks" / "README.md").read_text(encoding="utf-8")
    words = " ".join(page.split())
    assert f"{row['difference']:+.2f}" in words
    assert re.search(rf"\b{row['n']}( seeds)? \({low} to \{high}\)", words)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_each_runs(name: str, tmp_path: Path) -> None:
    arguments = SMALL[name].replace("OUT", str(tmp_path / "out.json")).split()
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
