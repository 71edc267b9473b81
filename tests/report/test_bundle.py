"""A reviewer's bundle: complete, without names of machines, and recomputed to the digit."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.errors import InputError
from ablate.report.bundle import recompute
from ablate.report.bundle.archive import without_result, write_bundle
from ablate.report.bundle.recompute import check_bundle
from ablate.store.index import Index
from ablate.store.rundir import RunDirectory
from tests.report.results_folder import make_results

Files = dict[str, bytes]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    results = make_results(tmp_path / "results")
    path = tmp_path / "symmetry.zip"
    with Index.open(results) as index:
        write_bundle(index, index.find_studies()[0].key, path)
    return path


def unpacked(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def changed(path: Path, change: Callable[[Files], None], *, forge_digests: bool = False) -> Path:
    """The bundle after a change; with `forge_digests` as somebody would who knows the format."""
    import hashlib

    files = unpacked(path)
    change(files)
    if forge_digests:
        about = json.loads(files["digests.json"])
        about["files"] = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in files.items()
            if name != "digests.json"
        }
        files["digests.json"] = json.dumps(about).encode()
    return packed(path.with_name("changed.zip"), files)


def test_a_bundle_is_complete_and_recomputed(bundle: Path) -> None:
    files = unpacked(bundle)
    assert {"README.md", "CHECKLIST.md", "report.json", "report.md", "digests.json"} <= set(files)
    assert sum(name.endswith("/config.json") for name in files) == 10
    assert sum(name.endswith("/result.json") for name in files) == 9
    checked = check_bundle(bundle)
    assert checked.differences == ()
    assert checked.jobs == 10
    assert checked.numbers > 100


def test_no_folder_of_the_user_is_named(tmp_path: Path) -> None:
    data = {"data": "folder:/home/somebody/Bilder mit Ümläuten@16", "lr": 0.1}
    results = make_results(tmp_path / "results", overrides=data)
    path = tmp_path / "symmetry.zip"
    with Index.open(results) as index:
        write_bundle(index, index.find_studies()[0].key, path)
    files = unpacked(path)
    assert not [name for name, content in files.items() if b"somebody" in content]
    [study] = [content for name, content in files.items() if name.startswith("results/studies/")]
    known = json.loads(study)["plan"]["overrides"]
    assert known == {"data": "folder:Bilder mit Ümläuten@16", "lr": 0.1}
    assert b"a loss became NaN in x.npz" in b"".join(files.values())
    assert check_bundle(path).differences == ()


def test_jobs_without_a_result_are_counted_where_they_are_checked(tmp_path: Path) -> None:
    results = make_results(tmp_path / "results")
    with Index.open(results) as index:
        key = index.find_studies()[0].key
        jobs = write_bundle(index, key, tmp_path / "whole.zip")
        assert without_result(jobs) == [], "a diverged job is an outcome"
        shutil.rmtree(RunDirectory.of(results, jobs[-1].id).path)
        jobs = write_bundle(index, key, tmp_path / "part.zip")
    (lacking,) = without_result(jobs)
    assert lacking.id == jobs[-1].id
    assert "folder is gone" in lacking.error
    assert check_bundle(tmp_path / "whole.zip").notices == ()
    (notice,) = check_bundle(tmp_path / "part.zip").notices
    assert "1 of 10" in notice


def test_no_host_or_process_is_named(bundle: Path) -> None:
    events = [c for name, c in unpacked(bundle).items() if name.endswith("events.jsonl")]
    keys = {key for content in events for line in content.splitlines() for key in json.loads(line)}
    assert "device" in keys
    assert not keys & {"host", "pid", "process_start"}


def test_the_same_results_give_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "results") as index:
        write_bundle(index, index.find_studies()[0].key, tmp_path / "again.zip")
        assert "symmetry.zip" in unpacked(bundle)["README.md"].decode()
    first, second = unpacked(bundle), unpacked(tmp_path / "again.zip")
    differ = {name for name in first if first[name] != second[name]}
    assert differ == {"README.md", "digests.json"}, "they name the file"


def test_the_checklist_speaks_of_errors_and_compute(bundle: Path) -> None:
    text = unpacked(bundle)["CHECKLIST.md"].decode()
    for words in (
        "Error bars",
        "simultaneous",
        "Compute",
        "device hours",
        "1 diverged",
        "seeds 0-2",
    ):
        assert words in text, words


def number_in_report(files: Files) -> None:
    report = json.loads(files["report.json"])
    row = report["analyses"][0]["rows"][1]
    row["difference"] += 0.1
    files["report.json"] = json.dumps(report).encode()


def test_the_first_number_that_differs_is_named(bundle: Path) -> None:
    checked = check_bundle(changed(bundle, number_in_report, forge_digests=True))
    [difference] = checked.differences
    for words in ("top1", "L_pred only", "difference", "the report says", "recomputed"):
        assert words in difference, words


def value_in_result(files: Files) -> None:
    name = next(name for name in files if name.endswith("result.json") and b"94.31" in files[name])
    files[name] = files[name].replace(b"94.31", b"97.31")


@pytest.mark.parametrize("forge_digests", [False, True])
def test_a_changed_result_is_found_even_with_matching_digests(
    bundle: Path, forge_digests: bool
) -> None:
    checked = check_bundle(changed(bundle, value_in_result, forge_digests=forge_digests))
    assert any("result.json" in sentence for sentence in checked.differences)
    assert any("recomputed" in sentence for sentence in checked.differences)


def words_in_table(files: Files) -> None:
    files["report.md"] = files["report.md"].replace(b"94.29", b"99.29")


def test_the_table_to_read_is_compared_too(bundle: Path) -> None:
    assert b"94.29" in unpacked(bundle)["report.md"]
    [difference] = check_bundle(changed(bundle, words_in_table, forge_digests=True)).differences
    assert "report.md" in difference


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/passwd", "results/runs/x/result.json", "results/ablate.db", "a.py"]
)
def test_names_that_no_bundle_has_are_refused(bundle: Path, name: str) -> None:
    with pytest.raises(InputError, match="no bundle has"):
        check_bundle(changed(bundle, lambda files: files.update({name: b"x"})))


def test_a_link_is_refused(bundle: Path) -> None:
    files = unpacked(bundle)
    with zipfile.ZipFile(bundle.with_name("link.zip"), "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            if name == "report.md":
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, content)
    with pytest.raises(InputError, match=r"report\.md"):
        check_bundle(bundle.with_name("link.zip"))


def test_a_bomb_is_refused_before_it_is_unpacked(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "_MOST_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to"):
        check_bundle(bundle)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x03\x04" + b"\0" * 50], ids=["empty", "text", "torn"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.zip"):
        check_bundle(path)


@pytest.mark.parametrize("name", ["report.json", "digests.json"])
@pytest.mark.parametrize("content", [b"[]", b"{", b"[" * 100_000, b"\xff", b"null", b"{}"])
def test_files_of_any_content_end_in_a_sentence(bundle: Path, name: str, content: bytes) -> None:
    path = changed(bundle, lambda files: files.update({name: content}))
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert "internal error" not in result.output


def test_every_flipped_byte_of_a_results_file_is_found(bundle: Path) -> None:
    files = unpacked(bundle)
    name = next(name for name in files if name.endswith("result.json"))
    for place in range(0, len(files[name]), 97):
        flipped = bytearray(files[name])
        flipped[place] ^= 1
        wrong = {name: bytes(flipped)}
        path = changed(bundle, lambda files: files.update(wrong))  # noqa: B023 - called at once
        assert check_bundle(path).differences


def test_the_commands(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = ["--results", str(tmp_path / "results")]
    made = CliRunner().invoke(app, ["bundle", "symmetry", "--out", "b.zip", *results])
    assert made.exit_code == 0, made.output
    assert "ablate check b.zip" in made.output
    sound = CliRunner().invoke(app, ["check", "b.zip"])
    assert (sound.exit_code, "all as reported" in sound.output) == (0, True)
    path = changed(bundle, number_in_report, forge_digests=True)
    differs = CliRunner().invoke(app, ["check", str(path), "--json"])
    assert differs.exit_code == 1
    assert len(json.load(io.StringIO(differs.stdout))["differences"]) == 1
    unknown = CliRunner().invoke(app, ["bundle", "nothing", *results])
    assert unknown.exit_code == 2
