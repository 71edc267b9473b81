"""Identity: equal content has one id however it is written, and any other content another."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.matrix.identity import canonical, job_id, short
from ablate.matrix.inputs import data_inputs
from ablate.methods.catalog import DATASETS
from ablate.methods.file_digests import file_digest
from ablate.methods.session import JobConfig

VALUES = st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("aé λ", max_size=3)
TABLES = st.dictionaries(st.text("abλ.", min_size=1, max_size=3), VALUES, max_size=5)

CONFIG = JobConfig(
    kind="student", method="cocord", program="a:b", data="digits",
    networks={"teacher": "t", "student": "s"}, seed=0,
    settings={"lr": 0.1, "epochs": 2, "on": True},
    upstream={"teacher": "id"}, inputs={"data": "sha"}, code="c0de",
)  # fmt: skip


@given(TABLES, st.randoms())
def test_the_order_of_keys_counts_nothing(table: dict[str, object], random: object) -> None:
    keys = list(table)
    random.shuffle(keys)  # type: ignore[attr-defined]
    assert canonical({key: table[key] for key in keys}) == canonical(table)
    assert json.loads(canonical(table)) == table


@given(TABLES, TABLES)
def test_other_content_has_another_text(one: dict[str, object], other: dict[str, object]) -> None:
    typed = [sorted((k, type(v).__name__, v) for k, v in table.items()) for table in (one, other)]
    same = [[(k, t, repr(v)) for k, t, v in table] for table in typed]
    assert (canonical(one) == canonical(other)) == (same[0] == same[1])


@given(TABLES, TABLES)
def test_ids_follow_the_settings(one: dict[str, object], other: dict[str, object]) -> None:
    ids = {job_id(dataclasses.replace(CONFIG, settings=table)) for table in (one, other)}  # type: ignore[arg-type]
    assert len(ids) == (1 if canonical(one) == canonical(other) else 2)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(JobConfig)])
def test_every_field_counts(name: str) -> None:
    value = getattr(CONFIG, name)
    changed: Any = {**value, "x": 1} if isinstance(value, dict) else value + type(value)(1)
    assert job_id(dataclasses.replace(CONFIG, **{name: changed})) != job_id(CONFIG)


def test_numbers_and_truth_are_told_apart() -> None:
    texts = {canonical(value) for value in (1, 1.0, True, "1", [1])}
    assert len(texts) == 5


def test_no_number_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"lr": float("nan")})


def test_ids_are_sha256_and_shown_short() -> None:
    assert len(job_id(CONFIG)) == 64
    assert job_id(CONFIG).startswith(short(job_id(CONFIG)))
    assert len(short(job_id(CONFIG))) == 10


def test_a_files_digest_follows_its_content(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"one")
    first = file_digest(path)
    path.write_bytes(b"another")
    assert file_digest(path) != first


def test_facts_of_a_data_set_count_and_its_title_does_not() -> None:
    digits = DATASETS["digits"]
    digest = data_inputs(digits)
    assert data_inputs(dataclasses.replace(digits, title="Digits")) == digest
    for name, value in (("mean", (0.3,)), ("padding", 2), ("flip", True), ("train", 600)):
        assert data_inputs(dataclasses.replace(digits, **{name: value})) != digest  # type: ignore[arg-type]
