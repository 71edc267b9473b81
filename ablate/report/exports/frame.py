"""Exports in tidy form, for other tools: a row per study, job and metric.

A job that several studies share, or several rows of one, has rows in each of them. Columns, in
this order; what does not exist is empty (CSV) or null (Parquet):

study         name of the study; empty for jobs that no study has any more
study_key     the study under its profile, overrides, baseline and code: never average over it
profile, data
overrides     what --set changed: "epochs = 2, lr = 0.1"
variant       row of the study's table; empty for upstream jobs
pair, seed    "resnet110/resnet32" and its seed
job, kind     full id; "student", "teacher" or "teacher_table"
method
status, attempts
metric        name of the metric; empty in the one row of a job that has measured nothing (yet), so
              that no job is missing from an export
value         after the last epoch, or of the whole run for costs
best_value    at `best_epoch`: the best on the validation split, or else the test set; empty for
              costs
best_epoch
weights_digest

In CSV, a text that a spreadsheet would take for a formula (it starts with =, +, -, @, a tab or a
line break) gets an apostrophe in front, and U+FFFD stands for control characters and for those that
reorder text; numbers are never touched. Parquet has the texts as they
are, and numbers as numbers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.console import json_text, without_controls
from ablate.errors import InputError, Problem, StoreError
from ablate.report.exports.records import finite
from ablate.store.files import atomic_write
from ablate.store.find import in_words

if TYPE_CHECKING:
    import pandas as pd

#: Column -> its type in pandas, of which all but float know that something is missing.
COLUMNS = {
    "study": "string",
    "study_key": "string",
    "profile": "string",
    "data": "string",
    "overrides": "string",
    "variant": "string",
    "pair": "string",
    "seed": "Int64",
    "job": "string",
    "kind": "string",
    "method": "string",
    "status": "string",
    "attempts": "Int64",
    "metric": "string",
    "value": "float64",
    "best_value": "float64",
    "best_epoch": "Int64",
    "weights_digest": "string",
}

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Record = Mapping[str, Any]


def frame(records: Sequence[Record]) -> pd.DataFrame:
    """A tidy frame of what `ablate.store.query.export` gives, in its order and then by metric."""
    import pandas as pd

    return pd.DataFrame(list(_rows(records)), columns=list(COLUMNS)).astype(COLUMNS)


def to_json(records: Sequence[Record]) -> str:
    """A list of the records, indented, in UTF-8 characters; what is no number is null."""
    return json_text(_plain(records)) + "\n"


def to_csv(records: Sequence[Record]) -> str:
    """All rows as CSV, with a head, numbers in full precision."""
    table = frame(records)
    for name in table.columns[table.dtypes == "string"]:
        shown = table[name].map(without_controls, na_action="ignore")
        table[name] = shown.astype("string")  # an empty column has lost its type by then
        formulas = table[name].str.startswith(_FORMULA).fillna(value=False)
        table.loc[formulas, name] = table.loc[formulas, name].map(no_formula)
    return table.to_csv(index=False, lineterminator="\n")


def write_parquet(records: Sequence[Record], path: Path) -> None:
    """Write all rows as Parquet, atomically.

    Raises InputError where pyarrow is not installed, StoreError if the file cannot be written.
    """
    stream = io.BytesIO()
    try:
        frame(records).to_parquet(stream, engine="pyarrow", compression="zstd", index=False)
    except ImportError:
        raise missing_extra("parquet", "pyarrow") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, stream.getvalue())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def missing_extra(extra: str, package: str) -> InputError:
    """The error that names the extra which an export needs."""
    return InputError(
        Problem("--format", extra, f"needs {package}", f'pip install "ablate[{extra}]"')
    )


def no_formula(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        about = {
            "study": record["study"],
            "study_key": record["study_key"],
            "profile": record["profile"],
            "data": record["data"],
            "overrides": in_words(record["overrides"]),
            "variant": record["variant"],
            "pair": record["pair"],
            "seed": record["seed"],
            "job": record["id"],
            "kind": record["kind"],
            "method": record["method"],
            "status": record["status"],
            "attempts": record["attempts"],
        }
        end = {"best_epoch": record["best_epoch"], "weights_digest": record["weights_digest"]}
        measured = {**record["metrics"], **record["costs"]}
        names = sorted({*measured, *record["best"]}) or [None]
        for name in names:
            numbers = {
                "value": finite(measured.get(name)),
                "best_value": finite(record["best"].get(name)),
            }
            yield {**about, "metric": name, **numbers, **end}


def _plain(value: Any) -> Any:
    """A record's value, or all values in it, without NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return finite(value) if isinstance(value, float) else value
