"""Draft × method → the rows of the study, with every part and value looked up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ablate.errors import did_you_mean
from ablate.methods.method import Method
from ablate.methods.metrics import METRICS, find_metric
from ablate.methods.parts import Part, Value, format_value
from ablate.settings import TomlValue
from ablate.study.model import AblationEntry, GridEntry, VariantEntry
from ablate.study.parse import Draft


@dataclass(frozen=True)
class Row:
    """One variant as the file asks for it; whether it differs from the baseline is seen later."""

    key: str  #: where the file says it, for messages
    label: str
    changes: Mapping[str, Value]
    group: str
    may_equal_baseline: bool = False  #: a grid meets the baseline in one of its cells


def rows(draft: Draft, method: Method) -> list[Row]:
    """All variants in the file's order; what is wrong goes to the draft's problems."""
    found: list[Row] = []
    for i, ablation in enumerate(draft.study.ablation):
        if ablation is not None:
            found += _ablation_rows(draft, method, ablation, f"ablation[{i}]")
    for i, grid in enumerate(draft.study.grid):
        if grid is not None:
            found += _grid_rows(draft, method, grid, f"grid[{i}]")
    for i, variant in enumerate(draft.study.variant):
        if variant is not None:
            found += _variant_row(draft, method, variant, f"variant[{i}]")
    return found


def baseline_changes(draft: Draft, method: Method, profile: str) -> dict[str, Value]:
    """What the file says of the baseline: in [baseline], for a profile, and in ablations."""
    changes = parse_values(draft, method, draft.study.baseline, "baseline")
    if (entry := draft.study.profiles.get(profile)) is not None:
        changes |= parse_values(draft, method, entry.baseline, f"profiles.{profile}.baseline")
    for i, ablation in enumerate(draft.study.ablation):
        if ablation is None or ablation.baseline is None:
            continue
        if method.has_part(ablation.ablated_part):  # if not, its rows report it
            part = method.part(ablation.ablated_part)
            value = _value(draft, part, ablation.baseline, f"ablation[{i}].baseline")
            changes |= {} if value is None else {part.name: value}
    return changes


def metric_names(draft: Draft) -> tuple[str, ...]:
    """The study's metrics by name, however the file writes them."""
    names = []
    for i, words in enumerate(draft.study.metrics):
        metric = find_metric(words)
        if metric is None:
            hint = did_you_mean(words, [m.name for m in METRICS])
            draft.problem(f"metrics[{i}]", f'no metric "{words}"', hint)
        else:
            names.append(metric.name)
    return tuple(names)


def parse_values(
    draft: Draft, method: Method, values: Mapping[str, TomlValue], key: str
) -> dict[str, Value]:
    """Look up and check a table of part = value."""
    parsed: dict[str, Value] = {}
    for name, written in values.items():
        part = _part(draft, method, name, f"{key}.{name}")
        value = _value(draft, part, written, f"{key}.{name}") if part else None
        if part is not None and value is not None:
            parsed[part.name] = value
    return parsed


def _ablation_rows(draft: Draft, method: Method, entry: AblationEntry, key: str) -> Iterator[Row]:
    part = _part(draft, method, entry.ablated_part, f"{key}.ablated_part")
    if part is None:
        return
    reference = None
    if entry.baseline is not None:
        reference = _quiet_value(part, entry.baseline)
    for place, value in _wanted(draft, part, entry, key):
        if reference is not None and value == reference and type(value) is type(reference):
            continue  # declared to be the baseline: it is the reference row itself
        label = part.off_label if entry.action == "REMOVE" and part.off_label else ""
        yield Row(place, label or part.describe(value), {part.name: value}, part.label)


def _wanted(
    draft: Draft, part: Part, entry: AblationEntry, key: str
) -> Iterator[tuple[str, Value]]:
    """(where in the file, value) for each value that the action sets."""
    implied = {"REMOVE": part.off, "ADD": part.on}.get(entry.action)
    if entry.replacement and entry.action != "REMOVE":
        for i, written in enumerate(entry.replacement):
            place = f"{key}.replacement[{i}]"
            value = None if written is None else _value(draft, part, written, place)
            if value is not None:
                yield place, value
    elif entry.replacement:
        draft.problem(f"{key}.replacement", "REMOVE takes no replacement", "REPLACE does")
    elif entry.action == "REPLACE":
        draft.problem(f"{key}.replacement", "REPLACE needs values", f"of {part.allowed}")
    elif implied is None:
        draft.problem(
            f"{key}.action", f"{part.name} has no value that {entry.action} could set", "REPLACE"
        )
    else:
        yield f"{key}.action", implied


def _grid_rows(draft: Draft, method: Method, entry: GridEntry, key: str) -> Iterator[Row]:
    axes: list[tuple[Part, list[Value]]] = []
    for name, written in entry.parts.items():
        part = _part(draft, method, name, f"{key}.parts.{name}")
        if part is None:
            continue
        places = [(f"{key}.parts.{name}[{i}]", w) for i, w in enumerate(written)]
        values = [v for place, w in places if (v := _value(draft, part, w, place)) is not None]
        axes.append((part, values))
    if len(axes) < len(entry.parts) or not axes:
        if not entry.parts:
            draft.problem(f"{key}.parts", "is empty", "a list of values for each of two parts")
        return
    group = " × ".join(part.symbol or part.label for part, _ in axes)
    for combination in itertools.product(*(values for _, values in axes)):
        changes = {part.name: value for (part, _), value in zip(axes, combination, strict=True)}
        yield Row(key, describe(method, changes), changes, group, may_equal_baseline=True)


def _variant_row(draft: Draft, method: Method, entry: VariantEntry, key: str) -> Iterator[Row]:
    changes = parse_values(draft, method, entry.set, f"{key}.set")
    if not entry.set:
        draft.problem(f"{key}.set", "is empty", "part = value")
    elif len(changes) == len(entry.set):
        yield Row(f"{key}.set", entry.label or describe(method, changes), changes, "variants")


def describe(method: Method, changes: Mapping[str, Value]) -> str:
    """Label of a variant with several changes: "m_c = 0, m_r = 0.9"."""
    return ", ".join(method.part(name).describe(value) for name, value in changes.items())


def _part(draft: Draft, method: Method, name: str, key: str) -> Part | None:
    try:
        return method.part(name)
    except ValueError as error:
        message, _, right = str(error).partition(": ")
        draft.problem(key, message, right)
        return None


def _value(draft: Draft, part: Part, written: TomlValue, key: str) -> Value | None:
    try:
        return part.parse(written)
    except ValueError as error:
        shown = f'"{written}"' if isinstance(written, str) else format_value(written)
        draft.problem(key, f"{shown} is no value of {part.name}", str(error))
        return None


def _quiet_value(part: Part, written: TomlValue) -> Value | None:
    """The value, or None where it is wrong, which `baseline_changes` reports."""
    try:
        return part.parse(written)
    except ValueError:
        return None
