"""`ablate report` as a user calls it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.matrix.plan import PlannedJob
from ablate.store.index import Index
from ablate.store.query import study_results
from tests.execute.toy_workshop import until
from tests.report.figure_studies import sweep
from tests.report.results_folder import PAIR, make_results

TOP1 = ("--metric", "top1")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def report(results):
    def call(*arguments, code=0, folder=results):
        place = [] if "--from" in arguments else ["--results", str(folder)]
        told = CliRunner().invoke(app, ["report", *map(str, arguments), *place])
        assert told.exit_code == code, told.output
        return told.stderr if code else told.stdout

    return call


def test_tables_are_the_default(report):
    text = report()
    assert text == report("symmetry", "--table") == report("symmetry", "--format", "terminal")
    assert "L_pred only" in text
    assert "1 diverged" in text


@pytest.mark.parametrize("command", ["report", "status", "export", "bundle"])
def test_a_study_named_by_its_file_is_found_from_anywhere(command, tmp_path, monkeypatch):
    make_results(tmp_path / "project" / "results")
    (tmp_path / "project" / "ablate.toml").write_text('[profiles.quick]\ndata = "digits"\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = CliRunner().invoke(app, [command, str(tmp_path / "project" / "symmetry.toml")])
    assert told.exit_code == 0, told.output
    assert "symmetry" in told.stdout
    refused = CliRunner().invoke(app, [command, str(tmp_path / "nowhere" / "symmetry.toml")])
    assert refused.exit_code == 2
    assert "--results" in refused.stderr


def test_the_study_that_was_run_last_is_the_default(report, tmp_path):
    folder = make_results(tmp_path / "results", name="first")
    make_results(folder, name="last")
    told = CliRunner().invoke(app, ["report", *TOP1, "--results", str(folder)])
    assert told.stdout == report("last", *TOP1, folder=folder)
    assert told.stderr.startswith("last, the study that was run last; 1 other study: ")
    both = report("--all", *TOP1, folder=folder)
    assert both == report("first", *TOP1, folder=folder) + told.stdout


def test_a_study_that_newer_code_ran_again_is_shown_once(report, tmp_path):
    folder = make_results(tmp_path / "results", code="old")
    make_results(folder, code="new")
    latest = report("symmetry", "--table", *TOP1, folder=folder)
    assert "code new" in latest
    assert "code old" not in latest
    page = tmp_path / "p.html"
    assert report("symmetry", "--html", page, *TOP1, folder=folder) == f"{page}\n"
    assert "code old" in report("symmetry", "--all", "--table", *TOP1, folder=folder)


def test_processes_that_share_the_work_print_the_same(report, tmp_path, monkeypatch):
    folder = tmp_path / "results"
    for name in ("a", "b", "c"):
        make_results(folder, name=name)
    alone = report("--all", *TOP1, folder=folder)
    monkeypatch.setattr("ablate.cli.report._MANY_JOBS", 0)
    monkeypatch.setattr("ablate.report.many.usable_cores", lambda: 2)
    assert report("--all", *TOP1, folder=folder) == alone
    said = report("--all", "--metric", "nope", folder=folder, code=2)
    assert said.count("error: --metric: study a has no metric") == 1


def test_one_metric_and_the_best_epoch(report):
    document = json.loads(report("--format", "json", "--metric", "top1", "--epoch", "best"))
    [analysis] = document["analyses"]
    assert analysis["metric"] == "top1"
    assert analysis["rows"][0]["values"]["0"] == pytest.approx(94.81)
    assert "has no metric" in report("--metric", "top2", code=2)


def test_tables_into_a_file_whose_ending_says_the_format(report, tmp_path):
    path = tmp_path / "new" / "table.tex"
    assert report("--out", path) == f"{path}\n"
    assert path.read_text() == report("--format", "latex")
    report("--out", path, "--format", "csv")
    assert path.read_text() == report("--format", "csv")
    page = tmp_path / "table.html"
    report("--out", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert '<meta charset="utf-8">' in text
    assert f"<body>\n{report('--format', 'html')}</body>" in text
    assert '".pdf" names no format' in report("--out", tmp_path / "table.pdf", code=2)


def test_commands_lead_to_the_folder_that_was_read_and_files_name_none(report, tmp_path):
    data = {"data": "folder:/home/else/Bilder@16"}
    folder = make_results(tmp_path / "a b", overrides=data)
    shown = " ".join(report("symmetry", *TOP1, folder=folder).split())
    [command] = re.findall("`ablate run ([^`]*)`", shown)
    assert command.endswith(f" --results '{folder}'")
    assert "folder:/home/else/Bilder@16" in command
    assert shown.count("/home/else") == 1, "footers name no folder"
    files = [tmp_path / name for name in ("t.md", "t.tex", "t.json", "t.html", "t.txt")]
    for file in files:
        report("symmetry", "--out", file, folder=folder)
    page = tmp_path / "page.html"
    report("symmetry", "--html", page, folder=folder)
    for file in (*files, page):
        text = file.read_text()
        assert "/home/else" not in text, file
        assert "--results" not in text, file
    assert "folder:Bilder@16" in files[0].read_text()


def test_page(report, tmp_path):
    path = tmp_path / "page.html"
    assert report("symmetry", "--html", path) == f"{path}\n"
    text = path.read_text()
    assert "attempt 2: from epoch 1, step 10, 1.5 s lost" in text
    assert "9 of 9 runs" not in text
    assert "a loss became NaN" in text
    assert "<img" in text


def test_figures(report, tmp_path):
    told = report("--figures", tmp_path, "--metric", "top1").split()
    assert [Path(path).name for path in told] == [
        "symmetry-differences-top1.pdf", "symmetry-differences-top1.png",
        "symmetry-curves-top1.pdf", "symmetry-curves-top1.png",
    ]  # fmt: skip
    assert sorted(tmp_path.iterdir()) == sorted(map(Path, told))


def test_ctrl_c_ends_the_drawing_of_figures(tmp_path):
    values = [0.05 * 2**i for i in range(9)]
    plan = sweep(values, "temperature", "τ", 0.1).plan
    with Index.open(tmp_path / "results", writable=True) as index:
        index.register(replace(plan, pairs=tuple(f"teacher{i}/student" for i in range(60))))
    folder = tmp_path / "figures"
    command = [sys.executable, "-m", "ablate", "report", "--figures", folder, *TOP1]
    drawing = subprocess.Popen(
        [*command, "--results", tmp_path / "results"],
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, as a shell gives to each command
    )
    until(lambda: list(folder.glob("*.png")), "the first figure")
    os.killpg(drawing.pid, signal.SIGINT)
    _, said = drawing.communicate()
    assert (drawing.returncode, said) == (130, b"")
    left = list(folder.iterdir())
    assert len(left) < 2 * 60
    assert not [path for path in left if path.suffix not in (".pdf", ".png")]


def test_page_figures_and_tables_at_once(report, tmp_path):
    told = report("--html", tmp_path / "p.html", "--figures", tmp_path, "--table", *TOP1)
    assert told.startswith(report(*TOP1))
    assert (tmp_path / "p.html").exists()


def test_several_studies_have_a_page_each(tmp_path, report):
    folder = make_results(tmp_path / "results")
    make_results(folder, profile="other")
    make_results(folder, name="twin")
    told = report("--all", "--html", tmp_path / "p.html", *TOP1, folder=folder).split()
    names = sorted(Path(path).name for path in told)
    assert len(names) == 3
    assert names[0].startswith("p-symmetry-other-")
    assert names[1].startswith("p-symmetry-quick-")
    assert names[2] == "p-twin.html"
    assert report("twin", "--html", tmp_path / "p.html", *TOP1, folder=folder).endswith("/p.html\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], 'no study "nope" (one of: symmetry)'),
        (["symetry"], 'did you mean "symmetry"?'),
        (["--html", "x.html", "--format", "csv"], "--format: is about tables"),
        (["--html", "x.html", "--power", "0.3"], "add --table"),
        (["--figures", "x", "--out", "t.tex"], "--out: is about tables"),
        (["--power", "-1"], "--power"),
        (["--baseline", "x"], "add --from FILE"),
        (["--metric", "top1", "--metric", "test_loss"], "once, or with --from"),
        (["--from", "none.csv"], "none.csv: cannot be read"),
        (["--metric", "top3"], 'has no metric "top3" (did you mean "top1"?)'),
        (
            ["--metric", "Top-5 accuracy (%)"],
            'no metric "Top-5 accuracy (%)" (one of: top1 (Top-1 accuracy (%)), test_loss ',
        ),
    ],
)
def test_what_does_not_fit_is_said(report, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in report(*arguments, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written(report, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in report("--html", tmp_path / "file" / "p.html", code=1)
    assert "cannot be written" in report("--figures", tmp_path / "file", code=1)


def test_reports_write_nothing_into_the_results(report, results, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    report("--html", tmp_path / "p.html", "--figures", tmp_path, *TOP1)
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before


def test_a_file_of_other_tools(tmp_path):
    path = tmp_path / "runs.csv"
    seeds = range(4)
    values = [f"{name},{seed},{base + seed % 3}" for name, base in (("a", 70), ("b", 80.5))
              for seed in seeds]  # fmt: skip
    path.write_text("variant,seed,F1\n" + "\n".join([*values[:-1], "b,3,80.9"]))
    told = CliRunner().invoke(app, ["report", "--from", str(path), "--metric", "F1:%:higher"])
    assert told.exit_code == 0, told.output
    assert "10.60 points above the baseline" in " ".join(told.stdout.split())
    assert "baseline: a, the first row" in told.stderr
    found = CliRunner().invoke(
        app, ["report", "--from", str(path), "--baseline", "b", "--format", "json"]
    )
    [analysis] = json.loads(found.stdout)["analyses"]
    assert (analysis["baseline"], analysis["better"]) == ("b", None)
    assert [row["verdict"] for row in analysis["rows"]] == [None, "lower"]
    assert '--metric "F1::higher"' in found.stderr


def test_full_notes(report):
    short, full = report(*TOP1), report(*TOP1, "--notes", "full")
    assert "Satterthwaite" in full
    assert "Satterthwaite" not in short


def test_options_about_own_results_are_refused_beside_a_file(report, tmp_path):
    table = tmp_path / "r.csv"
    table.write_text("variant,seed,acc\na,0,1\nb,0,2\n")
    told = report("nosuch", "--from", table, "--epoch", "best", "--all", "--results", "r", code=2)
    for option in ("nosuch", "--epoch", "--all", "--results"):
        assert option in told


def test_a_format_that_the_ending_contradicts_is_told(results, tmp_path):
    path = tmp_path / "t.md"
    told = CliRunner().invoke(
        app, ["report", "--format", "latex", "--out", str(path), "--results", str(results)]
    )
    assert "is written as latex" in told.stderr


def test_a_metric_that_is_missing_is_listed_with_labels_and_how_to_add_it(report):
    told = report("--metric", "xyzzy", code=2)
    assert "top1 (Top-1 accuracy" in told
    assert "`metrics` in the study's file" in told


def test_a_finished_study_of_the_name_is_told_where_the_latest_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.report.results_folder.TOP1", ((94.0, 93.0, 92.0),) * 3)
    folder = make_results(tmp_path / "results", code="old")
    job = PlannedJob("a" * 64, "student", "L_pred only", PAIR, 0)
    with Index.open(folder, writable=True) as index:
        [done] = index.find_studies("symmetry")
        index.register(replace(study_results(index, done.key).plan, code="new", jobs=(job,)))
    told = CliRunner().invoke(app, ["report", "symmetry", "--results", str(folder)])
    assert f"`ablate report {done.key} --results {folder}`" in told.stderr
    assert "10 of 10 jobs done" in told.stderr
    assert done.key not in told.stdout
    told = CliRunner().invoke(app, ["report", done.key, "--results", str(folder)])
    assert "an earlier study" not in told.stderr
