"""Comparisons that a study asks for beside its baseline: contrasts, and groups of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from ablate.errors import did_you_mean
from ablate.matrix.pairs import Pair
from ablate.matrix.plan import Contrast, PairGroup, Role, Variant
from ablate.matrix.rows import PlannedRow
from ablate.methods.method import Method
from ablate.methods.parts import Values, same
from ablate.study.fields import TomlValue
from ablate.study.model import ContrastEntry
from ablate.study.parse import Study
from ablate.study.variants import Row, parse_values, rows

Entry = TypeVar("Entry")
BASELINE = "baseline"  #: names the baseline's row, whatever its label


def find_contrasts(
    study: Study,
    method: Method,
    table: Sequence[PlannedRow],
    pairs: Sequence[Pair],
    baseline: Values,
) -> tuple[tuple[Contrast, ...], list[str]]:
    """The study's contrasts, and a footnote on each that this profile leaves out.

    What is wrong with one goes to the study's problems.
    """
    elsewhere = rows(study.copy(), method) if study.file.contrast else []
    labels = {row.variant.label for row in table}
    found: list[Contrast] = []
    footnotes: list[str] = []
    for key, entry in _entries(study, "contrast", study.file.contrast, lambda one: one.name):
        chosen = _pairs(study, f"{key}.pairs", entry.pairs, pairs)
        sides = [
            _side(study, method, table, names, f"{key}.{side}", baseline, elsewhere)
            for side, names in (("rows", entry.rows), ("against", entry.against))
        ]
        if not chosen or any(not labels.issuperset(side) for side in sides):
            footnotes.append(f"left out under this profile: the contrast {entry.name}")
        elif all(sides) and _is_apart(study, key, entry, *sides):
            found.append(Contrast(entry.name, sides[0], sides[1], chosen))
    return tuple(found), footnotes


def find_pair_groups(
    study: Study, pairs: Sequence[Pair]
) -> tuple[tuple[PairGroup, ...], list[str]]:
    """The study's groups of pairs, and a footnote on each that this profile leaves out."""
    found: list[PairGroup] = []
    footnotes: list[str] = []
    for key, entry in _entries(study, "pair_group", study.file.pair_group, lambda one: one.name):
        if len(entry.pairs) == 1:
            study.problem(f"{key}.pairs", "has one pair", "two or more, or none for all pairs")
        chosen = _pairs(study, f"{key}.pairs", entry.pairs, pairs)
        if len(chosen) > 1:
            found.append(PairGroup(entry.name, chosen))
        else:
            message = f"left out under this profile, which has {len(chosen)} of its pairs"
            footnotes.append(f"{message}: the group of pairs {entry.name}")
    return tuple(found), footnotes


def _entries(
    study: Study, kind: str, entries: Sequence[Entry | None], name: Callable[[Entry], str]
) -> list[tuple[str, Entry]]:
    """(key, entry) of those that could be read; each needs a name of its own."""
    seen: dict[str, str] = {}
    found = []
    for i, entry in enumerate(entries):
        if entry is None:
            continue
        key = f"{kind}[{i}]"
        if not name(entry):
            study.problem(f"{key}.name", "is empty", "what the table calls it")
        elif name(entry) in seen:
            message = f'"{name(entry)}" is {seen[name(entry)]} already'
            study.problem(f"{key}.name", message, "each name once")
        seen.setdefault(name(entry), key)
        found.append((key, entry))
    return found


def _pairs(study: Study, key: str, names: Sequence[str], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The named pairs that run under this profile; all where none is named."""
    present = [pair.name for pair in pairs]
    if not names:
        return tuple(present)
    listed = [pair for section in study.file.sections().values() for pair in section.pairs or ()]
    known = list(dict.fromkeys([*present, *(pair.name for pair in listed if pair is not None)]))
    for i, name in enumerate(names):
        if name not in known:
            study.problem(
                f"{key}[{i}]", f'no pair "{name}" in this study', did_you_mean(name, known)
            )
        elif name in names[:i]:
            study.problem(f"{key}[{i}]", f'"{name}" is listed twice', "each pair once")
    return tuple(name for name in dict.fromkeys(names) if name in present)


def _side(
    study: Study,
    method: Method,
    table: Sequence[PlannedRow],
    names: Sequence[str | Mapping[str, TomlValue]],
    key: str,
    baseline: Values,
    elsewhere: Sequence[Row],
) -> tuple[str, ...]:
    """Labels of the rows on one side of a contrast.

    `elsewhere`: the rows of all profiles. Where only rows of another profile fit, their labels
    are returned, which tells that the contrast cannot be made under this one.
    """
    labels = {row.variant.label: None for row in table}
    base = next(row.variant.label for row in table if row.variant.role is Role.BASELINE)
    chosen: dict[str, None] = {}
    for i, name in enumerate(names):
        place = f"{key}[{i}]" if len(names) > 1 else key
        if isinstance(name, str):
            label = base if name == BASELINE and name not in labels else name
            if label in labels or any(row.label == label for row in elsewhere):
                chosen[label] = None
            else:
                hint = did_you_mean(name, [*labels, BASELINE])
                study.problem(place, f'no row "{name}" in this study', hint)
            continue
        values = parse_values(study, method, name, place)
        if len(values) < len(name):
            continue
        own = [row.variant for row in table if row.variant.role is not Role.REFERENCE]
        matching = _with_values(own, baseline, values) or _with_values(elsewhere, {}, values)
        if not matching:
            study.problem(place, "no row has these values", "values that a row of this study has")
        chosen.update(dict.fromkeys(matching))
    return tuple(chosen)


def _with_values(
    candidates: Iterable[Row | Variant], baseline: Values, values: Values
) -> list[str]:
    """Labels of the rows whose settings, changes over the baseline's, have these values."""
    return [
        row.label
        for row in candidates
        if all(
            part in settings and same(settings[part], value)
            for settings in [{**baseline, **row.changes}]
            for part, value in values.items()
        )
    ]


def _is_apart(
    study: Study, key: str, entry: ContrastEntry, left: Sequence[str], right: Sequence[str]
) -> bool:
    both = [label for label in left if label in right]
    if both:
        names = ", ".join(f'"{label}"' for label in both)
        message = f"{entry.name}: {names} stands on both sides"
        study.problem(key, message, "each row on one side")
    return not both
