"""The first commands in an empty folder: init, new, parts, doctor, import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ablate
from ablate.cli.app import app
from ablate.methods.metrics import COSTS
from ablate.methods.registry import find_method, installed
from ablate.study.settings import load_settings

ROOT = Path(__file__).parents[2]


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == code, (arguments, done.output, done.stderr)
    return done.stdout


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_makes_a_folder_in_which_studies_expand(empty: Path) -> None:
    call("init")
    assert load_settings(empty / "ablate.toml").profile == "quick"
    matrix = ablate.expand("studies/lpred_symmetry.toml")
    assert matrix.plan.pairs == ("resnet14/resnet8",)
    first = (empty / "ablate.toml").read_text().splitlines()[0]
    assert (empty / first.removeprefix("#:schema ")).is_file()
    study = empty / "studies" / "lpred_symmetry.toml"
    first = study.read_text().splitlines()[0]
    assert (study.parent / first.removeprefix("#:schema ")).is_file()


def test_init_overwrites_nothing(empty: Path) -> None:
    (empty / "ablate.toml").write_text("# mine\n")
    call("init")
    assert (empty / "ablate.toml").read_text() == "# mine\n"


def test_the_settings_that_init_writes_are_those_of_this_repository() -> None:
    template = ROOT / "ablate" / "cli" / "templates" / "settings.toml"
    assert template.read_text() == (ROOT / "ablate.toml").read_text()


def test_new_studies_expand_for_every_part(empty: Path) -> None:
    call("init")
    for part in ("temperature", "predictor.enabled", "head.depth", "loss.pred", "lr"):
        call("new", f"studies/{part}", "--part", part)
        assert len(ablate.expand(f"studies/{part}.toml", "paper").plan.variants) > 1
    assert "already" in CliRunner().invoke(app, ["new", "studies/lr.toml"]).stderr


SCRIPT = """title = "Tiny net"
command = ["{python}", "fit.py", "--seed={seed}"]
code = ["fit.py"]
[[metric]]
name = "loss"
label = "Validation loss"
better = "lower"
pattern = 'loss=([0-9.]+)'
[[part]]
name = "layers"
label = "hidden layers"
baseline = 1
minimum = 1
flag = "--layers"
[[part]]
name = "decay"
baseline = 0.0
minimum = 0
flag = "--decay"
"""


def test_a_new_study_of_a_script_speaks_of_that_script(empty: Path) -> None:
    call("init")
    (empty / "net.toml").write_text(SCRIPT)
    (empty / "fit.py").touch()
    for part in ("layers", "decay"):
        call("new", f"studies/{part}", "--method", "net.toml", "--part", part)
        plan = ablate.expand(f"studies/{part}.toml").plan
        assert [metric.name for metric in plan.metrics] == ["loss"]
        assert len(plan.variants) == 2
    text = (empty / "studies" / "layers.toml").read_text()
    assert "parts.decay" in text
    assert "momentum" not in text
    assert "much does" not in text


@pytest.mark.parametrize("method", ["cocord", "kd", "crd", "student"])
def test_new_studies_expand_for_every_method(method: str, empty: Path) -> None:
    call("init")
    call("new", "studies/first", "--method", method)
    matrix = ablate.expand("studies/first.toml")
    assert len(matrix.plan.variants) > 1


@pytest.mark.parametrize("name", ["..", ".", "/", "studies/..", "übung"])
def test_a_new_study_needs_a_name_that_a_study_can_have(name: str, empty: Path) -> None:
    done = CliRunner().invoke(app, ["new", name])
    assert done.exit_code == 2
    assert "named by its file" in done.stderr
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("method", [method.name for method in installed()])
def test_parts_are_listed_for_people_and_programs(method: str) -> None:
    record = json.loads(call("parts", method, "--json"))
    assert record["method"] == method
    text = call("parts", method)
    keys = {"name", "symbol", "label", "aliases", "baseline", "allowed", "values",
            "value_labels", "remove", "add", "source", "help"}  # fmt: skip
    for part in record["parts"]:
        assert set(part) == keys
        assert part["name"] in text
        assert part["label"] in text


def test_parts_of_an_unknown_method_name_the_known(empty: Path) -> None:
    assert '"cocord"' in CliRunner().invoke(app, ["parts", "cocrd"]).stderr


def test_doctor_names_what_is_missing(empty: Path) -> None:
    checks = {one["name"]: one for one in json.loads(call("doctor", "--quick", "--json", code=1))}
    assert checks["ablate.toml"]["state"] == "problem"
    assert "ablate init" in checks["ablate.toml"]["remedy"]
    call("init")
    checks = {one["name"]: one for one in json.loads(call("doctor", "--quick", "--json"))}
    assert {one["state"] for one in checks.values()} <= {"ok", "warning"}
    assert {"python", "cores", "memory", "git", "devices", "results", "disk"} <= set(checks)


def test_doctor_finds_data_sets_by_their_files(empty: Path) -> None:
    call("init")
    settings = (empty / "ablate.toml").read_text()
    (empty / "ablate.toml").write_text(settings.replace("~/.cache/ablate", "data"))
    (empty / "data" / "cifar-10-batches-py").mkdir(parents=True)  # which is another one
    checks = {one["name"]: one for one in json.loads(call("doctor", "--quick", "--json"))}
    assert checks["data of quick"]["state"] == "ok"
    assert checks["data of paper"]["state"] == "warning"
    assert str(empty / "data") in checks["data of paper"]["found"]
    folder = empty / "data" / "cifar-100-python"
    folder.mkdir()
    for name in ("meta", "train", "test"):
        (folder / name).touch()
    checks = {one["name"]: one for one in json.loads(call("doctor", "--quick", "--json"))}
    assert checks["data of paper"]["state"] == "ok"


def test_doctor_lists_what_packages_bring(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, entry in (("plain", "tiny-net"), ("taker", "resnet20")):
        info = tmp_path / "site" / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ablate.networks]\n{entry} = nowhere:Net\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    call("init")
    checks = {one["name"]: one for one in json.loads(call("doctor", "--quick", "--json"))}
    plain, taker = checks["package plain"], checks["package taker"]
    assert plain["state"] == "ok" and "network tiny-net" in plain["found"]
    assert taker["state"] == "warning" and "resnet20" in taker["found"] and taker["remedy"]


def test_doctor_tries_torch(empty: Path) -> None:
    call("init")
    checks = {one["name"]: one for one in json.loads(call("doctor", "--json"))}
    assert checks["bits on cpu"]["state"] == "ok"


def test_version_is_printed() -> None:
    assert call("--version").strip() == f"ablate {ablate.__version__}"


def test_the_shell_is_offered_studies_and_profiles(empty: Path) -> None:
    from ablate.cli import complete

    call("init")
    assert complete.study_files("studies/l") == ["studies/lpred_symmetry.toml"]
    assert complete.profiles("q") == ["quick"]
    assert "cocord" in complete.methods("co")
    assert "temperature" in complete.parts("t")
    assert complete.jobs("") == []


def test_a_shell_completes_methods_and_profiles(empty: Path) -> None:
    call("init")
    for words, offered in (("ablate parts co", "cocord"), ("ablate run x --profile ", "quick")):
        environment = {
            **os.environ,
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
            "_ABLATE_COMPLETE": "complete_bash",
        }
        command = [sys.executable, "-m", "ablate"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert offered in done.stdout.split(), done.stderr


@pytest.mark.parametrize("line", ["parts --json", "import plan.md --json", "doctor --quick"])
def test_commands_before_a_run_load_no_torch(line: str, empty: Path) -> None:
    (empty / "plan.md").write_text("# S\n- **Ablated Part**: Predictor\n- **Action**: REMOVE\n")
    call("init")
    code = f"""
import sys
from ablate.cli import main
sys.argv = ["ablate", *{line.split()!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert "torch" not in sys.modules and "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_metric_and_setting_that_counts_is_listed_on_a_line_of_its_own(empty: Path) -> None:
    lines = call("parts", "cocord").splitlines()
    method = find_method("cocord")
    for metric in (*method.metrics, *COSTS):
        assert f"    {metric.label}  {metric.name}" in lines
        assert method.metric(metric.label) == metric
    for name in ("teacher.epochs", "teacher.lr", "crd.negatives"):
        assert any(line.startswith(f"    {name}  ") for line in lines), name
    assert "train_seconds" in {m["name"] for m in json.loads(call("parts", "--json"))["metrics"]}


def test_networks_are_listed_with_who_brings_them(empty: Path) -> None:
    lines = call("parts", "--networks").splitlines()
    assert {"resnet8  (ablate)", "vgg13  (ablate)", "alexnet  (torchvision)"} <= set(lines)
    records = json.loads(call("parts", "--networks", "--json"))
    assert len({one["name"] for one in records}) == len(records) == len(lines)
