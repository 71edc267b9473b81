"""`ablate schema` and `ablate preview`."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.study.json_schema import settings_schema, study_schema


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], study_schema), (["study"], study_schema), (["settings"], settings_schema)],
)
def test_schema_prints_a_schema(arguments, expected) -> None:
    result = CliRunner().invoke(app, ["schema", *arguments])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == expected()
