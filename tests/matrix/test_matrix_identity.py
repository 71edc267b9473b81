"""Identity: equal content has one id however it is written, and any other content another."""

from __future__ import annotations

import ast
import dataclasses
import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.matrix.identity import canonical, code_text, job_id, short, training_code
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
    changed = {**value, "x": 1} if isinstance(value, dict) else value + type(value)(1)
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


SOURCE = '''
"""A module."""
from torch import nn

class Head(nn.Module):
    """A head."""

    def __init__(self, width=64, *, bias: bool = True):
        """Make it."""
        self.layers = [nn.Linear(width, 2 * width, bias)]  # twice as wide
        if width > 8 and bias:
            raise ValueError("too wide")

    async def step(self, x):
        return {**x, "y": x[1:, ::2] @ self.w, **{k: -v for k, v in x.items() if v is not None}}
'''

SAME = {
    "comments": lambda s: "# licence\n" + s.replace("  # twice as wide", ""),
    "docstrings": lambda s: s.replace('"""A head."""', '"""Something else."""'),
    "no docstrings": lambda s: s.replace('"""A module."""', "").replace('"""Make it."""', ""),
    "blank lines": lambda s: s.replace("\n", "\n\n"),
    "layout": lambda s: s.replace("[nn.Linear(width, 2 * width, bias)]",
                                  "[\n nn.Linear(\n width,\n (2 * width),\n bias,\n )\n ]"),
    "quotes": lambda s: s.replace('"too wide"', "'too wide'").replace('"y"', "'y'"),
    "unparsed": lambda s: ast.unparse(ast.parse(s)),
    "numbers": lambda s: s.replace("64", "0x40"),
}  # fmt: skip

OTHER = {
    "default": lambda s: s.replace("64", "65"),
    "type of a number": lambda s: s.replace("2 * width", "2.0 * width"),
    "name": lambda s: s.replace("nn.Linear", "nn.Bilinear"),
    "operator": lambda s: s.replace("> 8", ">= 8"),
    "word": lambda s: s.replace(" and ", " or "),
    "message": lambda s: s.replace("too wide", "too narrow"),
    "order of arguments": lambda s: s.replace("width, 2 * width", "2 * width, width"),
    "sign": lambda s: s.replace("-v", "+v"),
    "slice": lambda s: s.replace("::2", "::3"),
    "keyword only": lambda s: s.replace("*, ", ""),
    "unpacking": lambda s: s.replace("{**x, ", "{'x': x, "),
    "import": lambda s: s.replace("from torch import nn", "from torch import nn as nn"),
    "negation": lambda s: s.replace("is not None", "is None"),
    "text that is no docstring": lambda s: s.replace("raise ", "'text'\n            raise "),
    "base class": lambda s: s.replace("(nn.Module)", ""),
    "async": lambda s: s.replace("async def", "def"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_changes_no_result_changes_no_code(change) -> None:
    assert change(SOURCE) != SOURCE
    assert code_text(change(SOURCE)) == code_text(SOURCE)


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_whatever_may_change_a_result_changes_the_code(change) -> None:
    assert change(SOURCE) != SOURCE
    assert code_text(change(SOURCE)) != code_text(SOURCE)


@given(st.lists(st.sampled_from(["x = 1", "y = [2, 3]", "f(x)", "def g():\n    return x",
                                 "if x:\n    y\nelse:\n    z", "a = (1,)", "a = 1,"]), max_size=6),
       st.integers(1, 6))  # fmt: skip
def test_code_is_what_python_parses(lines: list[str], indent: int) -> None:
    source = "\n".join(lines)
    other = "\n# a comment\n\n".join(textwrap.indent(line, "") for line in lines)
    other = other.replace("    ", " " * indent) + "\n"
    assert code_text(other) == code_text(source)
    assert (code_text(source) == code_text("x = 1")) == (lines == ["x = 1"])


def test_the_users_own_code_counts(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("LR = 1\n")
    package = training_code()
    first = training_code(str(mine))
    mine.write_text("LR = 1  # a rate\n")
    assert training_code(str(mine)) == first
    mine.write_text("LR = 22\n")
    assert len({package, first, training_code(str(mine))}) == 3
    assert training_code() == package


def test_a_plug_ins_whole_package_counts(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "inner" / "train.py").write_text("LR = 1\n")
    first = training_code(str(tmp_path))
    (tmp_path / "inner" / "train.py").write_text("LR = 22\n")
    second = training_code(str(tmp_path))
    (tmp_path / "inner" / "train.py").rename(tmp_path / "inner" / "fit.py")
    assert len({first, second, training_code(str(tmp_path))}) == 3


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
