"""`ablate export`: every job as a record, for other tools."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ablate.cli.common import (
    DebugOption,
    ResultsOption,
    StudyNameArgument,
    existing_results,
    format_of,
    guarded,
    study_name,
)
from ablate.errors import InputError, Problem


class Format(StrEnum):
    """What an export can be."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


ENDINGS = {".json": Format.JSON, ".csv": Format.CSV, ".parquet": Format.PARQUET}


@guarded
def export(
    study: StudyNameArgument = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="json (default): a record per job; others: per-metric rows."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File; its ending says the format. Or folder for tensorboard or mlflow."
        ),
    ] = None,
    results: ResultsOption = None,
    debug: DebugOption = False,
) -> None:
    """Print or write every job: variant, pair, seed, status, attempts, metrics, digest.

    Example: ablate export lpred_symmetry --out jobs.csv
    """
    from ablate.store.index import Index
    from ablate.store.query import export as export_records

    if out is None and format_ in (Format.PARQUET, Format.TENSORBOARD):
        what = "a file" if format_ is Format.PARQUET else "a folder"
        raise InputError(Problem("--format", format_.value, f"needs {what}", "--out PATH"))
    if format_ is Format.MLFLOW:
        _to_mlflow(study, results, out)
        return
    chosen = format_ or (Format.JSON if out is None else format_of(out, ENDINGS))
    folder = existing_results(results, study)
    with Index.open(folder) as index:
        records = export_records(index, study_name(study))
    if out is None:
        typer.echo(_text(records, chosen), nl=False)
    else:
        typer.echo(_write(records, chosen, folder, out))


def _to_mlflow(study: str | None, results: str | None, out: Path | None) -> None:
    """Write runs to --out, or to the server of MLFLOW_TRACKING_URI, and say how many."""
    from ablate.report.exports.mlflow import write_mlflow
    from ablate.store.index import Index
    from ablate.store.query import export as export_records

    target = os.environ.get("MLFLOW_TRACKING_URI", "") if out is None else out.resolve().as_uri()
    if not target:
        raise InputError(
            Problem("--format", "mlflow", "needs a folder or a server",
                    "--out FOLDER, or MLFLOW_TRACKING_URI")
        )  # fmt: skip
    folder = existing_results(results, study)
    with Index.open(folder) as index:
        records = export_records(index, study_name(study))
    written, left = write_mlflow(records, folder, target)
    typer.echo(f"{target}: {written} runs written, {left} there already")


def _text(records: list[dict[str, Any]], format_: Format) -> str:
    from ablate.report.exports.frame import to_csv, to_json

    return to_csv(records) if format_ is Format.CSV else to_json(records)


def _write(records: list[dict[str, Any]], format_: Format, results: Path, out: Path) -> str:
    """Write an export and say what was written."""
    if format_ is Format.TENSORBOARD:
        from ablate.report.exports.tensorboard import write_tensorboard

        runs = write_tensorboard(records, results, out)
        return f"{out}: {len(runs)} run{'' if len(runs) == 1 else 's'}"
    if format_ is Format.PARQUET:
        from ablate.report.exports.frame import write_parquet

        write_parquet(records, out)
    else:
        from ablate.report.publish import write_text

        write_text(out, _text(records, format_))
    return str(out)
