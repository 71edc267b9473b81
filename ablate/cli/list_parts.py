"""`ablate parts`: what can be ablated in a method."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli import complete
from ablate.cli.common import DebugOption, JsonOption, guarded, method_named, tell

if TYPE_CHECKING:
    from ablate.methods.method import Method
    from ablate.methods.parts import Part


@guarded
def parts(
    method: Annotated[
        str,
        typer.Argument(
            metavar="METHOD",
            help="Name of a method, file.py:NAME or a script's file.toml.",
            autocompletion=complete.methods,
        ),
    ] = "cocord",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the parts of a method: their names, baselines, allowed values and source.

    Example: ablate parts cocord
    """
    from ablate.methods.registry import installed

    found = method_named(method, "METHOD")
    if as_json:
        typer.echo(json.dumps(_record(found), indent=2))
        return
    for line in _lines(found):
        tell(line)
    others = ", ".join(other.name for other in installed() if other.name != found.name)
    tell(f"other methods: {others}")


def _record(method: Method) -> dict[str, Any]:
    return {
        "method": method.name,
        "title": method.title,
        "source": method.source,
        "metrics": [metric.to_json() for metric in method.metrics],
        "parts": [_part_record(part) for part in method.parts],
    }


def _part_record(part: Part) -> dict[str, Any]:
    from ablate.methods.parts import Choice, format_value

    values = part.allowed.values if isinstance(part.allowed, Choice) else None
    return {
        "name": part.name,
        "symbol": part.symbol,
        "label": part.label,
        "aliases": list(part.aliases),
        "baseline": part.baseline,
        "allowed": str(part.allowed),
        "values": None if values is None else list(values),
        "value_labels": {format_value(value): label for value, label in part.value_labels.items()},
        "remove": part.off,
        "add": part.on,
        "source": part.source,
        "help": part.help,
    }


def _lines(method: Method) -> Iterator[str]:
    yield f"{method.title} ({method.name})" + (f": {method.source}" if method.source else "")
    for part in method.parts:
        symbol = f", {part.symbol}" if part.symbol and part.symbol != part.label else ""
        yield f"\n{part.name}  {part.label}{symbol}"
        yield f"    baseline  {part.describe(part.baseline)}"
        yield f"    allowed   {part.allowed}"
        for action, value in (("REMOVE", part.off), ("ADD", part.on)):
            if value is not None:
                yield f"    {action:8}  {part.describe(value)}"
        if part.source:
            yield f"    source    {part.source}"
        if part.help:
            yield f"    {part.help}"
    yield "\nmetrics: " + ", ".join(metric.label for metric in method.metrics)
