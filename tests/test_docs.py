"""The docs show what there is: every command, option and key, and commands that work."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import ablate
from ablate.cli.app import app
from ablate.study.json_schema import settings_schema, study_schema
from tests.report.results_folder import make_results

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), DOCS / "results" / "README.md"]
SHIPPED = sorted((DOCS / "results").glob("*.json"))
GROUP: Any = typer.main.get_command(app)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands_of(page: Path) -> Iterator[str]:
    """Command lines of a page: in blocks of console, in indented blocks, and in backquotes."""
    text = page.read_text(encoding="utf-8")
    for block in _CONSOLE.findall(text):
        yield from block.splitlines()
    yield from re.findall(r"^    (ablate [^#\n]*)", text, re.MULTILINE)
    yield from re.findall(r"`(ablate [^`]*)`", text)


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    for name, command in GROUP.commands.items():
        section = text.partition(f"### ablate {name}")[2].partition("\n### ")[0]
        assert section, f"ablate {name} is not in docs/reference.md: python docs/generate.py"
        for option in (o for p in command.params for o in p.opts if o.startswith("--")):
            assert option in section, f"{name} {option}: python docs/generate.py"
        assert "Example: ablate " in (command.help or ""), f"ablate {name} shows no example"


def test_every_key_is_documented() -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    for schema in (study_schema(), settings_schema()):
        for table in (schema, *schema["$defs"].values()):
            found = next((one for one in table.get("anyOf", ()) if "properties" in one), table)
            for key in found.get("properties", ()):
                assert f"| `{key}` |" in text, f"{key}: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_exist_with_their_options(page: Path) -> None:
    if page.name == "reference.md":
        return
    for line in commands_of(page):
        words = [word for word in shlex.split(line.replace("...", "").replace("…", "")) if word]
        if len(words) < 2 or words[1].startswith("-"):
            continue
        name, rest = words[1].strip(","), words[2:]
        assert name in GROUP.commands, f"{page.name}: {line}"
        known = {option for p in GROUP.commands[name].params for option in p.opts} | {"--help"}
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in known, f"{page.name}: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def keys_of(found: Any) -> Iterator[str]:
    """Keys of records, but not those of tables whose keys are names of the user's."""
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            yield from one
            for key in ("jobs", "analyses", "rows", "parts", "glance", "machine", "cost"):
                if isinstance(one.get(key), list | dict):
                    yield from keys_of(one[key])


@pytest.mark.parametrize(
    "line",
    [
        "import examples/heads.md --json",
        "parts --json",
        "doctor --quick --json",
        "preview studies/temperature.toml --json",
        "status --json --results RESULTS",
        "show JOB --json --results RESULTS",
        "report --format json --results RESULTS",
    ],
)
def test_json_has_the_keys_that_the_page_names(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    make_results(tmp_path / "results")
    with ablate.open_results(tmp_path / "results") as results:
        job = results.records()[0]["id"]
    words = line.replace("RESULTS", str(tmp_path / "results")).replace("JOB", job).split()
    done = CliRunner().invoke(app, words)
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    keys = set(keys_of(json.loads(done.stdout)))
    assert keys
    assert {key for key in keys if f"`{key}`" not in text} == set()


def save_plan(folder: Path) -> None:
    """Save the document of the tutorial as the page says."""
    text = (DOCS / "plan_to_table.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"Save this one as `([^`]+)`", text)
    (document,) = re.findall(r"```markdown\n(.*?)```", text, re.DOTALL)
    (folder / name).write_text(document, encoding="utf-8")


@pytest.mark.parametrize("page", ["plan_to_table.md", "agents.md"])
def test_the_first_commands_of_a_page_work_in_an_empty_folder(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_plan(tmp_path)
    shown = _CONSOLE.findall((DOCS / page).read_text(encoding="utf-8"))[0].splitlines()
    first = [line for line in shown if line.split()[1] in ("init", "import", "preview")]
    assert len(first) == 3
    for line in first:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, (line, done.output, done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", ["plan_to_table.md", "agents.md"])
def test_commands_that_a_page_shows_run_in_an_empty_folder(page: str, tmp_path: Path) -> None:
    save_plan(tmp_path)
    lines = [line for line in commands_of(DOCS / page) if "STUDY" not in line and "JOB" not in line]
    shown = _CONSOLE.findall((DOCS / page).read_text(encoding="utf-8"))[0].splitlines()
    assert shown == lines[: len(shown)]
    for line in shown:
        command = [sys.executable, "-m", *shlex.split(line)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_the_method_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", (DOCS / "own_method.md").read_text(), re.DOTALL)[0]
    (tmp_path / "my_method.py").write_text(code)
    (tmp_path / "ablate.toml").write_text('[profiles.quick]\ndata = "digits"\n')
    (tmp_path / "walk.toml").write_text(
        'title = "Walk"\nmethod = "my_method.py:METHOD"\nseeds = [0, 1]\nmetrics = ["distance"]\n'
        '[[ablation]]\nablated_part = "step.kind"\nreplacement = ["uniform"]\n'
    )
    monkeypatch.chdir(tmp_path)
    summary = ablate.run(ablate.expand("walk.toml"), "results")
    assert summary.exit_code == 0
    with ablate.open_results("results") as results:
        assert len(results.frame().query("metric == 'distance'")) == 4
        assert "uniform" in results.table("walk")


def blocks(page: str) -> list[str]:
    """The blocks of TOML that a page shows."""
    return re.findall(r"```toml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def test_the_script_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declaration, study, profile, _ = blocks("own_script.md")
    example = ROOT / "examples" / "script"
    assert declaration == (example / "letters.toml").read_text()
    assert study == (example / "context.toml").read_text()
    for name, text in {"letters.toml": declaration, "context.toml": study}.items():
        (tmp_path / name).write_text(text)
    shutil.copy(example / "train.py", tmp_path)
    (tmp_path / "ablate.toml").write_text(profile)
    monkeypatch.chdir(tmp_path)
    matrix = ablate.expand("context.toml", profile="short", seeds=[0, 1])
    assert (matrix.plan.baseline["epochs"], matrix.plan.baseline["lr"]) == (2, 1.0)
    assert ablate.run(matrix, "results").exit_code == 0
    with ablate.open_results("results") as results:
        assert "Perplexity" in results.table("context")


def test_the_stages_of_the_docs_are_read(tmp_path: Path) -> None:
    from ablate.methods.script_file import read_script

    path = tmp_path / "stages.toml"
    metric = '[[metric]]\nname = "f1"\npattern = "f1=(.+)"\n'
    path.write_text(f'title = "T"\ncode = ["*.py"]\n{blocks("own_script.md")[3]}{metric}')
    script = read_script(path).script
    assert list(script.stages) == ["pretrain", "main"]
    assert script.needed("main") == ["pretrain"]


def test_the_study_of_the_docs_is_planned(tmp_path: Path) -> None:
    [study] = blocks("own_method.md")
    shutil.copy(ROOT / "examples" / "plain_torch.py", tmp_path)
    (tmp_path / "ablate.toml").write_text('[profiles.quick]\ndata = "digits"\n')
    (tmp_path / "dropout.toml").write_text(study)
    matrix = ablate.expand(tmp_path / "dropout.toml", settings=tmp_path / "ablate.toml")
    assert [row.label for row in matrix.plan.variants][1:] == ["w/o dropout"]


def test_results_are_shipped() -> None:
    script = (DOCS / "results" / "make.sh").read_text(encoding="utf-8")
    written = re.findall(r"^write \S+ \S+ (\S+)$", script, re.MULTILINE)
    assert sorted(written) == [path.stem for path in SHIPPED]
    page = (DOCS / "results" / "README.md").read_text(encoding="utf-8")
    for path in SHIPPED:
        assert path.stem in page, "the page says what it shows"


@pytest.mark.parametrize("name", ["lpred_symmetry_quick", "lpred_symmetry_fashion"])
def test_the_figures_on_running_statistics_follow_from_shipped_runs(name: str) -> None:
    import pandas as pd
    import scipy.stats

    runs = pd.read_csv(DOCS / "results" / f"{name}.jobs.csv")
    runs = runs[runs["kind"] == "student"]
    table = runs.pivot(index="seed", columns=["variant", "metric"], values="value")
    gap = {
        row: table[row, "top1"] - table[row, "top1_reestimated"]
        for row in ("L_pred only", "L_pred + L̃_pred, λ_pred = 4")
    }
    worth = (gap["L_pred only"] - gap["L_pred + L̃_pred, λ_pred = 4"]).round(9)
    half = scipy.stats.t.ppf(0.975, len(worth) - 1) * worth.std() / len(worth) ** 0.5
    low, high = (
        f"{end:+.2f}".replace("-", "−") for end in (worth.mean() - half, worth.mean() + half)
    )
    counts = ", ".join(
        str(int(n)) for n in ((worth > 0).sum(), (worth == 0).sum(), (worth < 0).sum())
    )
    line = f"{len(worth)} seeds | {worth.mean():+.2f} ({low} to {high}) | {counts} |"
    assert line in (DOCS / "results" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("report", SHIPPED, ids=lambda path: path.stem)
def test_shipped_tables_follow_from_shipped_runs(report: Path) -> None:
    """Means, deviations and differences, computed again by pandas from a line per job."""
    import pandas as pd

    runs = pd.read_csv(report.with_suffix(".jobs.csv"))
    runs = runs[runs["kind"] == "student"]
    analyses = json.loads(report.read_text(encoding="utf-8"))["analyses"]
    assert analyses
    for analysis in analyses:
        chosen = runs[(runs["metric"] == analysis["metric"]) & (runs["pair"] == analysis["pair"])]
        values = chosen.pivot(index="seed", columns="variant", values="value")
        for row in analysis["rows"]:
            own = values[row["variant"]]
            assert row["mean"] == pytest.approx(own.mean(), abs=1e-9)
            assert row["sd"] == pytest.approx(own.std(), abs=1e-9)
            if row["verdict"] is not None:
                difference = (own - values[analysis["baseline"]]).mean()
                assert row["difference"] == pytest.approx(difference, abs=1e-9)
                assert row["low"] < difference < row["high"]
                assert (row["verdict"] in ("better", "worse")) == (row["low"] * row["high"] > 0)
