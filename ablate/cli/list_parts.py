"""`ablate parts`: what can be ablated in a method."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli import complete
from ablate.cli.common import DebugOption, JsonOption, guarded, method_named, print_json, tell

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
    networks: Annotated[
        bool, typer.Option("--networks", help="List the networks that pairs may name instead.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List a method's parts: names, baselines, allowed values, source; its metrics and settings.

    Example: ablate parts cocord
    """
    from ablate.methods.registry import installed

    if networks:
        _list_networks(as_json=as_json)
        return
    found = method_named(method, "METHOD")
    if as_json:
        typer.echo(json.dumps(_record(found), indent=2))
        return
    for line in _lines(found):
        tell(line)
    others = ", ".join(other.name for other in installed() if other.name != found.name)
    tell(f"other methods: {others}")


def _list_networks(*, as_json: bool) -> None:
    """Print the name of each network and who brings it."""
    from ablate.methods.catalog import PACKAGE_NETWORKS
    from ablate.methods.places import NETWORK_PLACES, package
    from ablate.methods.torchvision_networks import TORCHVISION

    found = dict.fromkeys(PACKAGE_NETWORKS, "ablate")
    theirs = {name: "torchvision" for name in TORCHVISION if name not in found}
    plugins = {name: package(entry) for name, entry in NETWORK_PLACES.installed().items()}
    found |= theirs | plugins
    if as_json:
        print_json([{"name": name, "from": source} for name, source in found.items()])
        return
    for name, source in found.items():
        tell(f"{name}  ({source})")


def _record(method: Method) -> dict[str, Any]:
    from ablate.methods.metrics import COSTS

    return {
        "method": method.name,
        "title": method.title,
        "source": method.source,
        "metrics": [metric.to_json() for metric in (*method.metrics, *COSTS)],
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
    from ablate.methods.metrics import COSTS

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
    yield "\nmetrics, by label or by name:"
    for metric in (*method.metrics, *COSTS):
        yield f"    {metric.label}  {metric.name}"
    yield from _other_settings(method)


def _other_settings(method: Method) -> Iterator[str]:
    """Settings that count for a study's teachers and references, and are no parts of its method."""
    from ablate.methods.named_values import parts_by_name
    from ablate.methods.parts import format_value
    from ablate.methods.registry import BUILT_IN

    others = BUILT_IN.values() if method.roles else ()
    settings = {name: parts[0] for name, parts in parts_by_name(others).items()}
    if own := [name for name in settings if not method.has_part(name)]:
        yield "\nsettings in ablate.toml and --set for its teachers and references:"
    for name in own:
        part = settings[name]
        yield f"    {name}  {part.label}, {format_value(part.baseline)} ({part.allowed})"
