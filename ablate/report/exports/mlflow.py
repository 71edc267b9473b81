"""MLflow runs, one per job, read from the run directories after the fact.

An experiment per study, a run per job and row with its settings as parameters, its curves as
metrics over epochs and, at the last step, its results and costs. A run carries a digest of all
that: a second export leaves equal runs alone and replaces those that changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.methods.parts import format_value
from ablate.report.exports.frame import Record, missing_extra
from ablate.report.exports.records import finite
from ablate.report.exports.tensorboard import epochs_of, run_name
from ablate.store.rundir import RunDirectory

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  #: of one request
_MOST_CHARACTERS = 500  #: of a parameter
_DIGEST, _RUN = "ablate.digest", "ablate.run"
_STATES = {"done": "FINISHED", "failed": "FAILED", "diverged": "FAILED", "running": "RUNNING"}

_Value = tuple[str, float, int, int]  #: name, value, milliseconds, step


def write_mlflow(records: Sequence[Record], results: Path, target: str) -> tuple[int, int]:
    """Write runs to a folder or a server (its URI); returns how many were written and left alone.

    `records` are what `ablate.store.query.export` gives. Raises InputError where mlflow is not
    installed, StoreError if the target cannot be written.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise missing_extra("mlflow", "mlflow-skinny") from None
    written = left = 0
    try:
        if target.startswith("file:"):  # since MLflow 3 a folder must be asked for in this way, too
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        client = MlflowClient(tracking_uri=target)
        for record in records:
            if _write(client, record, RunDirectory.of(results, record["id"])):
                written += 1
            else:
                left += 1
    except (MlflowException, OSError) as error:
        raise StoreError(f"{target}: cannot be written: {error}") from error
    return written, left


def _write(client: MlflowClient, record: Record, run: RunDirectory) -> bool:
    """Write one run unless an equal one is there; returns whether it was written."""
    from mlflow.entities import Metric, Param, RunTag

    values = sorted(_values(record, run))
    settings = run.config().settings if run.exists() else {}
    parameters = {"seed": record["seed"], "pair": record["pair"] or "", **settings}
    about = [dict(record), values, parameters]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()
    experiment = _experiment(client, record["study"] or "jobs of no study")
    name = f"{record['study_key'] or ''} {run_name(record)}".strip()
    for earlier in client.search_runs([experiment], f"tags.`{_RUN}` = '{name}'"):
        if earlier.data.tags.get(_DIGEST) == digest:
            return False
        client.delete_run(earlier.info.run_id)
    fresh = client.create_run(experiment, run_name=run_name(record), tags={_RUN: name}).info.run_id
    metrics = [Metric(*value) for value in values]
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(fresh, metrics=metrics[start : start + _MOST_METRICS])
    params = [
        Param(key, format_value(value)[:_MOST_CHARACTERS]) for key, value in parameters.items()
    ]
    for start in range(0, len(params), _MOST_PARAMETERS):
        client.log_batch(fresh, params=params[start : start + _MOST_PARAMETERS])
    told = ("id", "variant", "status", "profile", "data", "weights_digest")
    tags = [RunTag(f"ablate.{key}", str(record[key])) for key in told if record[key] is not None]
    client.log_batch(fresh, tags=tags)
    client.set_terminated(fresh, _STATES.get(record["status"], "KILLED"))
    client.set_tag(fresh, _DIGEST, digest)  # last: a run that was cut short has none
    return True


def _values(record: Record, run: RunDirectory) -> Iterator[_Value]:
    epochs = epochs_of(run)
    for epoch in epochs:
        for name, value in epoch.metrics.items():
            if finite(value) is not None:
                yield name, value, round(1000 * (epoch.time or 0.0)), epoch.epoch
    last = epochs[-1] if epochs else None
    in_curves = last.metrics if last else {}
    for name, value in {**record["metrics"], **record["costs"]}.items():
        if name not in in_curves and finite(value) is not None:
            yield (
                name,
                value,
                round(1000 * (last.time or 0.0)) if last else 0,
                last.epoch if last else 0,
            )


def _experiment(client: MlflowClient, name: str) -> Any:
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)
