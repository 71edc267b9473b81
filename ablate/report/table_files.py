"""Tables in files of other tools: CSV, Parquet and JSON lines as rows of named cells."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import InputError, Problem
from ablate.report.exports.frame import missing_extra

_MOST_BYTES = 200_000_000

Line = tuple[int, Mapping[str, Any]]  #: (line of the file, or row from 1, column -> cell)


def read_lines(path: Path) -> list[Line]:
    """The rows of a file by its ending: .csv, .tsv, .parquet, .jsonl, .ndjson.

    Cells of CSV are text, those of the others what they are there. Raises InputError for a file
    that cannot be read, is no regular file, or is larger than 200 MB.
    """
    ending = path.suffix.lower()
    if ending in (".csv", ".tsv"):
        return _csv(path, "\t" if ending == ".tsv" else ",")
    if ending in (".jsonl", ".ndjson"):
        return _json_lines(path)
    if ending == ".parquet":
        return _parquet(path)
    right = "a file ending in .csv, .tsv, .parquet or .jsonl"
    raise InputError(Problem(str(path), "", f'the ending "{path.suffix}" names no format', right))


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(Problem(str(path), "", "is no regular file"))
        if status.st_size > _MOST_BYTES:
            size = f"has {status.st_size:,} bytes"
            raise InputError(Problem(str(path), "", size, f"at most {_MOST_BYTES:,}"))
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(str(path), "", f"cannot be read: {error.strerror}")) from error


def _text(path: Path) -> str:
    try:
        return _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8: byte {error.start}"
        raise InputError(Problem(str(path), "", message, "save it as UTF-8")) from error


def _csv(path: Path, delimiter: str) -> list[Line]:
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter)
    problems: list[Problem] = []
    lines: list[Line] = []
    try:
        head = [name.strip() for name in next(reader, [])]
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                message = f"has {len(row)} cells, the head has {len(head)}"
                problems.append(Problem(str(path), f"line {reader.line_num}", message))
            lines.append((reader.line_num, dict(zip(head, row, strict=False))))
    except csv.Error as error:
        where = f"line {reader.line_num}"
        raise InputError(Problem(str(path), where, f"is no CSV: {error}")) from error
    if twice := sorted({name for name in head if head.count(name) > 1}):
        problems.append(Problem(str(path), "line 1", f"two columns are called {', '.join(twice)}"))
    if problems:
        raise InputError(problems[:20])
    return lines


def _json_lines(path: Path) -> list[Line]:
    lines: list[Line] = []
    problems: list[Problem] = []
    for number, text in enumerate(_text(path).splitlines(), start=1):
        if not text.strip():
            continue
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(str(path), f"line {number}", f"is no JSON: {error}"))
            continue
        if isinstance(document, dict):
            lines.append((number, document))
        else:
            problems.append(Problem(str(path), f"line {number}", "is no object", '{"variant": …}'))
    if problems:
        raise InputError(problems[:20])
    return lines


def _parquet(path: Path) -> list[Line]:
    content = _content(path)
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("parquet", "pyarrow") from None
    try:
        rows = parquet.read_table(io.BytesIO(content)).to_pylist()
    except (arrow.ArrowException, OSError) as error:
        raise InputError(Problem(str(path), "", f"is no Parquet file: {error}")) from error
    return list(enumerate(rows, start=1))
