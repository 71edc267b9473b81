"""Study × method → the rows of the study, with every part and value looked up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ablate.methods.method import Method, NotFoundError
from ablate.methods.metrics import Metric
from ablate.methods.parts import Part, Value, plain, same, shown
from ablate.study.fields import TomlValue
from ablate.study.model import AblationEntry, GridEntry, VariantEntry
from ablate.study.parse import Study

_MOST_CELLS = 100_000  #: of one grid; a longer one is a slip of the pen


@dataclass(frozen=True)
class Row:
    """A row as the study file declares it; it may turn out to equal the baseline."""

    key: str  #: where the file says it, for messages
    label: str
    changes: Mapping[str, Value]
    group: str
    may_equal_baseline: bool = False  #: the file says that one of these rows is the baseline
    profiles: Sequence[str] = ()  #: the only ones that the row belongs to; (): to all
    adds: bool = False  #: its part has to be off in the baseline

    @property
    def of_grid(self) -> bool:
        """Whether the row is a cell of a grid; all others were written one by one."""
        return self.key.startswith("grid")

    def belongs(self, profile: str) -> bool:
        """Whether the row is part of the study under this profile."""
        return not self.profiles or profile in self.profiles


@dataclass(frozen=True)
class BaselineValue:
    """A value of the baseline that the file sets, and the key that sets it."""

    value: Value
    key: str


def rows(study: Study, method: Method) -> list[Row]:
    """All variants in the file's order; what is wrong goes to the study's problems."""
    found: list[Row] = []
    for i, ablation in enumerate(study.file.ablation):
        if ablation is not None:
            found += _ablation_rows(study, method, ablation, f"ablation[{i}]")
    for i, grid in enumerate(study.file.grid):
        if grid is not None:
            found += _grid_rows(study, method, grid, f"grid[{i}]")
    for i, variant in enumerate(study.file.variant):
        if variant is not None:
            found += _variant_row(study, method, variant, f"variant[{i}]")
    return found


def baseline_changes(study: Study, method: Method, profile: str) -> dict[str, BaselineValue]:
    """What the file says of the baseline under a profile: in [baseline] tables and in ablations."""
    declared: dict[str, BaselineValue] = {}
    for prefix, section in study.file.sections().items():
        key = f"{prefix}baseline"
        values = parse_values(study, method, section.baseline, key)
        if prefix in ("", f"profiles.{profile}."):
            declared |= {
                name: BaselineValue(value, f"{key}.{name}") for name, value in values.items()
            }
    for i, ablation in enumerate(study.file.ablation):
        if ablation is None or ablation.baseline is None:
            continue
        if not method.has_part(ablation.ablated_part):
            continue  # which its rows report
        part, key = method.part(ablation.ablated_part), f"ablation[{i}].baseline"
        value = _value(study, part, ablation.baseline, key)
        if value is None or not ablation.belongs(profile):
            continue
        before = declared.setdefault(part.name, BaselineValue(value, key))
        if not same(before.value, value):
            message = f"{shown(value)} contradicts {before.key} = {shown(before.value)}"
            study.problem(key, message, "one of the two")
    return declared


def chosen_metrics(study: Study, method: Method) -> tuple[Metric, ...]:
    """The study's metrics as its method declares them; its first one where the file names none."""
    chosen: list[Metric] = []
    for i, words in enumerate(study.file.metrics):
        if words is None:
            continue
        try:
            metric = method.metric(words)
        except NotFoundError as error:
            study.problem(f"metrics[{i}]", error.message, error.right)
            continue
        if metric in chosen:
            study.problem(f"metrics[{i}]", f'"{words}" is listed twice', "each metric once")
        else:
            chosen.append(metric)
    if not method.metrics and not study.file.metrics:
        message = f"method {method.name} declares no metrics"
        study.problem("method", message, "metrics = (Metric(...),) in its declaration")
    return tuple(chosen) if study.file.metrics else method.metrics[:1]


def parse_values(
    study: Study, method: Method, values: Mapping[str, TomlValue], key: str
) -> dict[str, Value]:
    """Look up and check a table of part = value."""
    parsed: dict[str, Value] = {}
    for name, written in values.items():
        part = _part(study, method, name, f"{key}.{name}")
        value = _value(study, part, written, f"{key}.{name}") if part else None
        if part is not None and value is not None:
            parsed[part.name] = value
    return parsed


def _ablation_rows(study: Study, method: Method, entry: AblationEntry, key: str) -> Iterator[Row]:
    part = _part(study, method, entry.ablated_part, f"{key}.ablated_part")
    if part is None:
        return
    declared = entry.baseline is not None
    for place, value in _values_of(study, part, entry, key):
        label = part.off_label if entry.action == "REMOVE" and part.off_label else ""
        label = label or part.describe(value)
        adds = entry.action == "ADD"
        yield Row(place, label, {part.name: value}, part.label, declared, entry.profiles, adds)


def _values_of(
    study: Study, part: Part, entry: AblationEntry, key: str
) -> Iterator[tuple[str, Value]]:
    """(where in the file, value) for each value that the action sets."""
    implied = {"REMOVE": part.off, "ADD": part.on}.get(entry.action)
    if entry.replacement and entry.action != "REMOVE":
        for i, written in enumerate(entry.replacement):
            place = f"{key}.replacement[{i}]"
            value = None if written is None else _value(study, part, written, place)
            if value is not None:
                yield place, value
    elif entry.replacement:
        study.problem(f"{key}.replacement", "REMOVE takes no replacement", 'action = "REPLACE"')
    elif entry.action == "REPLACE":
        study.problem(f"{key}.replacement", "REPLACE needs values", _allowed(part))
    elif implied is None:
        message = f"{entry.action} has no meaning for {part.name}"
        right = f'action = "REPLACE" with values: {_allowed(part)}'
        if entry.action == "REMOVE" and part.on is not None:
            right = 'action = "ADD"'
        study.problem(f"{key}.action", message, right)
    else:
        yield f"{key}.action", implied


def _grid_rows(study: Study, method: Method, entry: GridEntry, key: str) -> Iterator[Row]:
    axes: list[tuple[Part, list[Value]]] = []
    for name, written in entry.parts.items():
        part = _part(study, method, name, f"{key}.parts.{name}")
        if part is None:
            continue
        if not written:
            study.problem(f"{key}.parts.{name}", "has no values", _allowed(part))
        places = [(f"{key}.parts.{name}[{i}]", w) for i, w in enumerate(written) if w is not None]
        values = [v for place, w in places if (v := _value(study, part, w, place)) is not None]
        once = list(dict.fromkeys(values))
        if len(once) < len(values):
            study.problem(f"{key}.parts.{name}", "has a value twice", "each value once")
        axes.append((part, once))
    if not entry.parts:
        study.problem(f"{key}.parts", "is empty", "a list of values for each of two parts")
    cells = math.prod(len(values) for _, values in axes)
    if cells > _MOST_CELLS:
        study.problem(f"{key}.parts", f"has {cells:,} combinations", f"at most {_MOST_CELLS:,}")
    if not axes or len(axes) < len(entry.parts) or cells > _MOST_CELLS:
        return
    group = " × ".join(part.symbol or part.label for part, _ in axes)
    texts = [[(value, part.describe(value)) for value in values] for part, values in axes]
    names = [part.name for part, _ in axes]
    for combination in itertools.product(*texts):
        changes = {name: value for name, (value, _) in zip(names, combination, strict=True)}
        label = ", ".join(text for _, text in combination)
        yield Row(key, label, changes, group, True, entry.profiles)


def _variant_row(study: Study, method: Method, entry: VariantEntry, key: str) -> Iterator[Row]:
    changes = parse_values(study, method, entry.set, f"{key}.set")
    if not entry.set:
        study.problem(f"{key}.set", "is empty", "part = value")
    elif len(changes) == len(entry.set):
        label = entry.label or describe(method, changes)
        yield Row(f"{key}.set", label, changes, "variants", False, entry.profiles)


def describe(method: Method, changes: Mapping[str, Value]) -> str:
    """Label of a variant with several changes: "m_c = 0, m_r = 0.9"."""
    return ", ".join(method.part(name).describe(value) for name, value in changes.items())


def _allowed(part: Part) -> str:
    labels = ", ".join(f'"{label}"' for label in part.value_labels.values())
    return f"one of: {labels}" if labels else str(part.allowed)


def _part(study: Study, method: Method, name: str, key: str) -> Part | None:
    try:
        return method.part(name)
    except NotFoundError as error:
        study.problem(key, error.message, error.right)
        return None


def _value(study: Study, part: Part, written: TomlValue, key: str) -> Value | None:
    try:
        return part.parse(written)
    except ValueError as error:
        right = str(error)
    value, has_name = _in_text(part, written)
    with suppress(ValueError):
        if has_name:
            return part.parse(value)
        right = f"{shown(part.parse(value))}, without quotes" if value != written else right
    study.problem(key, f"{shown(written)} is no value of {part.name}", right)
    return None


def _in_text(part: Part, written: TomlValue) -> tuple[object, bool]:
    """The value in a text such as "0.5" or "τ = 0.5", and whether the text names the part."""
    if not isinstance(written, str):
        return written, False
    name, equals, text = written.rpartition("=")
    has_name = bool(equals) and plain(name) in map(plain, (part.name, *part.words()))
    if equals and not has_name:
        return written, False
    text = text.strip().replace("−", "-")
    for read in (int, float):
        with suppress(ValueError):
            return read(text), has_name
    return {"true": True, "false": False}.get(text, text), has_name
