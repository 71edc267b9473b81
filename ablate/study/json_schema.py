"""JSON Schema of the files that people write, so that editors complete and check them."""

from __future__ import annotations

from typing import Any

from ablate.study.model import StudyFile
from ablate.study.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def study_schema() -> dict[str, Any]:
    """JSON Schema of a study file.

    It says what may stand where; which parts and values a method has is checked by
    `ablate preview`.
    """
    schema = _schema_of(StudyFile, "A study of ablate")
    schema["required"] = ["title", "method"]
    return schema


def settings_schema() -> dict[str, Any]:
    """JSON Schema of ablate.toml."""
    schema = _schema_of(Settings, "Settings of ablate: ablate.toml")
    del schema["properties"]["folder"]  # where the file lies; it says nothing of it
    return schema


def _schema_of(model: type[StudyFile | Settings], title: str) -> dict[str, Any]:
    schema: dict[str, Any] = _without_null(model.model_json_schema())
    return {"$schema": _DIALECT, **schema, "title": title}


def _without_null(node: Any) -> Any:
    """TOML has no null: what may be missing in a model is left out of a file."""
    if isinstance(node, list):
        return [_without_null(item) for item in node if item != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {k: _without_null(v) for k, v in node.items() if not (k == "default" and v is None)}
    only = kept.get("anyOf", ())
    if len(only) == 1:
        del kept["anyOf"]
        kept = {**only[0], **kept}
    return kept
