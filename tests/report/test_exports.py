"""Exports as other tools read them: pandas, pyarrow, TensorBoard's own reader."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace

import pandas as pd
import pytest

from ablate.errors import InputError, StoreError
from ablate.report.exports.frame import COLUMNS, to_csv, to_json, write_parquet
from ablate.report.exports.tensorboard import run_name, write_tensorboard
from ablate.store.index import Index
from ablate.store.query import export
from tests.report.results_builder import SYMMETRY
from tests.report.results_folder import make_results

FORMULAS = ('=HYPERLINK("http://x")', "+1", "@SUM(A1)")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def records(results):
    with Index.open(results) as index:
        return export(index)


def frame_of(records):
    return pd.read_csv(io.StringIO(to_csv(records)), keep_default_na=False, na_values=[""])


def test_csv_has_a_row_per_job_and_metric(records):
    frame = frame_of(records)
    assert list(frame.columns) == list(COLUMNS)
    assert not frame.duplicated(["job", "metric"]).any()
    assert set(frame["job"]) == {record["id"] for record in records}
    one = frame[(frame.variant == "L_pred only") & (frame.seed == 1)].set_index("metric")
    assert one.value.to_dict() == {"top1": 93.99, "test_loss": 0.25, "train_seconds": 7.5}
    assert one.best_value["top1"] == 94.49
    assert pd.isna(one.best_value["train_seconds"])
    assert set(one.attempts) == {2}
    assert set(one.status) == {"done"}


def test_json_has_null_for_what_is_no_number(records):
    changed = [{**records[1], "metrics": {"top1": float("nan")}, "best": {"top1": float("inf")},
                "costs": {"train_seconds": 7.5}}]  # fmt: skip
    [read] = json.loads(to_json(changed), parse_constant=pytest.fail)
    assert (read["metrics"], read["best"]) == ({"top1": None}, {"top1": None})
    assert read["costs"] == {"train_seconds": 7.5}
    assert read["seed"] == records[1]["seed"]


def test_a_job_without_results_has_a_row(records):
    frame = frame_of(records)
    [row] = frame[frame.status == "diverged"].to_dict("records")
    assert (row["variant"], row["seed"], row["attempts"]) == ("L̃_pred only", 1, 1)
    assert pd.isna(row["metric"])
    assert pd.isna(row["value"])


def test_csv_numbers_are_exact_and_negative_ones_stay_numbers(records):
    changed = [{**records[1], "metrics": {"top1": -1 / 3}, "best": {}, "costs": {}}]
    [row] = frame_of(changed).to_dict("records")
    assert row["value"] == -1 / 3
    assert f",{-1 / 3!r}," in to_csv(changed)


def test_csv_texts_are_no_formulas(tmp_path):
    rows = [replace(row, label=label) for label, row in zip(FORMULAS, SYMMETRY, strict=True)]
    with Index.open(make_results(tmp_path, rows)) as index:
        found = export(index)
    texts = set(frame_of(found)["variant"].dropna())
    assert texts == {f"'{label}" for label in FORMULAS}
    write_parquet(found, tmp_path / "x.parquet")
    assert set(pd.read_parquet(tmp_path / "x.parquet")["variant"].dropna()) == set(FORMULAS)


def test_parquet_says_the_same_with_types(records, tmp_path):
    path = tmp_path / "new" / "export.parquet"
    write_parquet(records, path)
    frame = pd.read_parquet(path)
    assert {name: frame[name].dtype.kind for name in ("seed", "attempts", "value")} == {
        "seed": "i", "attempts": "i", "value": "f",
    }  # fmt: skip
    other = frame_of(records)
    pd.testing.assert_frame_equal(
        frame[["job", "value"]], other[["job", "value"]], check_dtype=False
    )
    with pytest.raises(StoreError, match="cannot be written"):
        write_parquet(records, path / "below a file")


def test_nothing_to_export(tmp_path):
    assert to_csv([]) == ",".join(COLUMNS) + "\n"
    write_parquet([], tmp_path / "empty.parquet")
    assert list(pd.read_parquet(tmp_path / "empty.parquet").columns) == list(COLUMNS)


def test_tensorboard_reads_the_curves(records, results, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):  # a second export replaces the first
        folders = write_tensorboard(records, results, tmp_path)
    assert len(folders) == len(set(folders)) == 9  # the run that diverged had no epoch
    record = next(r for r in records if r["variant"] == "L_pred only" and r["seed"] == 1)
    place = tmp_path / run_name(record)
    assert place.relative_to(tmp_path).as_posix() == (
        f"L_pred_only/resnet20_resnet8-seed1-{record['id'][:10]}"
    )
    events = EventAccumulator(str(place)).Reload()
    assert events.Tags()["scalars"] == ["test_loss", "top1"]
    top1 = events.Scalars("top1")
    assert [one.step for one in top1] == [1, 2, 3, 4]  # epoch 2 was trained twice, and counts once
    assert [one.value for one in top1] == pytest.approx([87.99, 89.99, 91.99, 93.99])
    assert [one.wall_time for one in top1] == [11.0, 22.0, 23.0, 24.0]
    teacher = next(folder for folder in folders if folder.parent.name == "teacher")
    assert EventAccumulator(str(teacher)).Reload().Scalars("top1")[-1].value == 96.0


def test_runs_stay_inside_the_folder(records):
    evil = {**records[1], "variant": "../../x", "pair": "/etc/passwd"}
    assert run_name(evil).startswith("x/etc_passwd-seed")


@pytest.mark.parametrize("extra", ["parquet", "tensorboard"])
def test_a_missing_package_names_its_extra(records, results, tmp_path, monkeypatch, extra):
    hidden = {"parquet": "pyarrow", "tensorboard": "tensorboard.compat.proto"}[extra]
    monkeypatch.setitem(sys.modules, hidden, None)
    with pytest.raises(InputError, match=rf'pip install "ablate\[{extra}\]"'):
        if extra == "parquet":
            write_parquet(records, tmp_path / "x.parquet")
        else:
            write_tensorboard(records, results, tmp_path)


def test_mlflow_has_a_run_per_job_and_a_second_export_changes_nothing(records, results, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="the extra ablate[mlflow] is not installed")
    from ablate.report.exports.mlflow import write_mlflow

    target = (tmp_path / "runs").as_uri()
    assert write_mlflow(records, results, target) == (10, 0)
    assert write_mlflow(records, results, target) == (0, 10)
    client = mlflow.MlflowClient(tracking_uri=target)
    [study] = [one for one in client.search_experiments() if one.name == "symmetry"]
    runs = client.search_runs([study.experiment_id])
    assert len(runs) == 10
    record = next(r for r in records if r["variant"] == "L_pred only" and r["seed"] == 1)
    [run] = [run for run in runs if run.data.tags["ablate.id"] == record["id"]]
    curve = client.get_metric_history(run.info.run_id, "top1")
    assert [(one.step, one.value) for one in curve] == [
        (epoch, pytest.approx(value)) for epoch, value in enumerate((87.99, 89.99, 91.99, 93.99), 1)
    ]
    assert run.data.params["seed"] == "1"
    assert run.info.status == "FINISHED"
    changed = [{**one, "status": "failed"} if one is record else one for one in records]
    assert write_mlflow(changed, results, target) == (1, 9)
    assert len(client.search_runs([study.experiment_id])) == 10


def test_mlflow_without_its_package_names_the_extra(records, results, tmp_path, monkeypatch):
    from ablate.report.exports.mlflow import write_mlflow

    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match=r'pip install "ablate\[mlflow\]"'):
        write_mlflow(records, results, tmp_path.as_uri())
