"""Inputs that decide a result besides settings and code: files and facts of the data."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from ablate.matrix.code_digest import file_code
from ablate.matrix.identity import canonical
from ablate.methods.catalog import DataInfo, data_info, data_path, located
from ablate.methods.file_digests import file_digest
from ablate.methods.session import JobConfig

DATA = "data"  #: name of a job's input that is its data set


def data_inputs(info: DataInfo) -> dict[str, str]:
    """Digest of what is known of a data set before it is loaded, under the name `DATA`.

    How many images train, how they are cropped, mirrored and normalised: facts that the training
    code reads and its digest does not cover. Of a user's own files, their content.
    """
    facts = dataclasses.asdict(info)
    for words in ("name", "title", "notes"):  # which change no result
        del facts[words]
    return {DATA: hashlib.sha256(canonical(facts).encode()).hexdigest()}


def data_files(info: DataInfo) -> dict[str, Path]:
    """Digest of a user's own data set -> where it lies; {} for sets of the catalogue."""
    path = data_path(info.name)
    return {data_inputs(info)[DATA]: path} if path else {}


def input_digest(config: JobConfig, name: str, path: Path) -> str:
    """Digest of what a job's input of this name is now; raises OSError or InputError.

    `path` is the folder of the user's own data set, a file that builds networks, or given weights.
    """
    if name == DATA:
        return data_inputs(data_info(located(config.data, path)))[DATA]
    return file_code(path) if ":" in name else file_digest(path)
