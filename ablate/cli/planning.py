"""`ablate schema`: what editors need to complete and check the files that people write."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from ablate.cli.common import DebugOption, guarded


class SchemaOf(StrEnum):
    """Files that have a schema."""

    STUDY = "study"
    SETTINGS = "settings"


@guarded
def schema(
    what: Annotated[
        SchemaOf, typer.Argument(help="study: a study file; settings: ablate.toml.")
    ] = SchemaOf.STUDY,
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of study files or of ablate.toml, for editors.

    Example: ablate schema study > study.schema.json
    """
    from ablate.study.json_schema import settings_schema, study_schema

    chosen = study_schema() if what is SchemaOf.STUDY else settings_schema()
    typer.echo(json.dumps(chosen, ensure_ascii=False, indent=2))
