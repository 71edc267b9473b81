"""`ablate export` as a user calls it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.store.index import Index
from ablate.store.query import export
from tests.report.results_folder import make_results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def call(results):
    def call(*arguments, code=0):
        told = CliRunner().invoke(app, ["export", *map(str, arguments), "--results", str(results)])
        assert told.exit_code == code, told.output
        return told.stderr if code else told.stdout

    return call


def test_json_is_a_list_of_records(call, results):
    with Index.open(results) as index:
        records = export(index)
    assert json.loads(call()) == records
    assert call() == json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    assert call("symmetry", "--format", "json") == call()


def test_files(call, tmp_path):
    for format_ in ("json", "csv"):
        path = tmp_path / f"export.{format_}"
        assert call("--format", format_, "--out", path) == f"{path}\n"
        assert path.read_text() == call("--format", format_)
    path = tmp_path / "export.parquet"
    assert call("--format", "parquet", "--out", path) == f"{path}\n"
    assert path.read_bytes().startswith(b"PAR1")
    assert (
        call("--format", "tensorboard", "--out", tmp_path / "runs") == f"{tmp_path}/runs: 9 runs\n"
    )


def test_the_ending_of_a_file_says_the_format(call, tmp_path):
    for ending in ("json", "csv"):
        path = tmp_path / f"export.{ending}"
        assert call("--out", path) == f"{path}\n"
        assert path.read_text() == call("--format", ending)
    call("--out", tmp_path / "export.parquet")
    assert (tmp_path / "export.parquet").read_bytes().startswith(b"PAR1")
    call("--out", tmp_path / "export.txt", "--format", "csv")
    assert (tmp_path / "export.txt").read_text() == call("--format", "csv")
    for name in ("export.xlsx", "export"):
        said = call("--out", tmp_path / name, code=2)
        assert "names no format (one of .json, .csv, .parquet, or --format)" in said
        assert not (tmp_path / name).exists()


def test_what_does_not_fit_is_said(call):
    assert "parquet: needs a file (--out PATH)" in call("--format", "parquet", code=2)
    assert "tensorboard: needs a folder" in call("--format", "tensorboard", code=2)
    assert "xml" in call("--format", "xml", code=2)
    assert 'no study "nope"' in call("nope", "--format", "csv", code=2)
