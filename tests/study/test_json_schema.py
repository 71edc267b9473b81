"""Schemas for editors: they take what is read, and refuse what a reader would not understand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ablate.study.json_schema import settings_schema, study_schema
from ablate.study.model import StudyFile
from ablate.study.settings import Settings
from ablate.study.validation import validate

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "studies").glob("*.toml"))
HEAD = 'title = "T"\nmethod = "cocord"\n'


def accepts(schema: dict[str, Any], text: str) -> bool:
    jsonschema.Draft202012Validator.check_schema(schema)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(tomllib.loads(text)))


def reads(text: str) -> bool:
    return not validate(StudyFile, tomllib.loads(text), "study.toml")[1]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_fit(path: Path) -> None:
    assert accepts(study_schema(), path.read_text(encoding="utf-8"))


def test_the_shipped_settings_fit() -> None:
    assert accepts(settings_schema(), (ROOT / "ablate.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        'seeds = "0-9"',
        "seeds = [0, 1]",
        "seeds = { first = 5, most = 20, half_width = 0.5 }",
        "margin = 0.5",
        'metrics = "top1"',
        'pairs = ["a/b", { teacher = "a", student = "b" }, "b"]',
        '[[ablation]]\nablated_part = "lr"\nreplacement = 0.1',
        '[[ablation]]\nablated_part = "lr"\nreplacement = [0.1, "x", true]\nbaseline = 1',
        "[[grid]]\nparts.head.width = [1, 2]\nparts.lr = [1]",
        '[[contrast]]\nname = "C"\nrows = "a"\nagainst = { lr = 1 }',
        '[[contrast]]\nname = "C"\nrows = ["a", { lr = 1 }]\nagainst = ["b"]\npairs = ["a/b"]',
        '[[pair_group]]\nname = "G"\npairs = ["a/b", "c/d"]',
        '[profiles.quick]\npairs = ["a/b"]\nseeds = [1]\nbaseline.lr = 1',
    ],
)
def test_schema_and_reader_take_the_same(text: str) -> None:
    assert reads(HEAD + text)
    assert accepts(study_schema(), HEAD + text)


@pytest.mark.parametrize(
    "text",
    [
        "sedes = [1]",
        "seeds = 3",
        "seeds = []",
        'seeds = "x"',
        "seeds = { first = 5 }",
        "margin = 0",
        "pairs = [5]",
        '[[ablation]]\naction = "REPLACE"',
        '[[ablation]]\nablated_part = "lr"\naction = "DELETE"',
        '[[ablation]]\nablated_part = "lr"\nseeds = [0]',
        '[[contrast]]\nname = "C"\nrows = "a"',
        "[profiles.quick]\nsettings.lr = 1",
    ],
)
def test_schema_and_reader_refuse_the_same(text: str) -> None:
    assert not reads(HEAD + text)
    assert not accepts(study_schema(), HEAD + text)


def test_every_key_is_described() -> None:
    for schema, model in ((study_schema(), StudyFile), (settings_schema(), Settings)):
        kinds = {**schema["$defs"], "": schema}
        assert schema["properties"].keys() == model.model_fields.keys() - {"folder"}
        for name, kind in kinds.items():
            for key, value in kind.get("properties", {}).items():
                text = str(value)
                assert "description" in text or "$ref" in text, f"{name}.{key}"
