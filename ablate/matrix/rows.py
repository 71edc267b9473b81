"""The rows of a study's table: the baseline first, then what the file asks for, then references.

A row that would print the baseline's numbers again, or another row's, is a problem: an ablation
that silently does nothing is the worst result there could be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ablate.matrix.pairs import Pair
from ablate.matrix.plan import Role, Variant
from ablate.methods.method import Method
from ablate.methods.parts import Value, Values, same, shown
from ablate.methods.teachers import TEACHER
from ablate.study.parse import Study
from ablate.study.variants import Row, describe

Changes = frozenset[tuple[str, Value]]
_MOST_NAMED = 4  #: rows that a footnote names one by one


@dataclass(frozen=True)
class PlannedRow:
    """A variant with the method that it runs, and the key of the file that asks for it."""

    variant: Variant
    method: Method
    key: str


def table_rows(
    study: Study,
    method: Method,
    baselines: Mapping[Pair, Values],
    file_rows: Sequence[Row],
    references: Mapping[str, Method],
) -> list[PlannedRow]:
    """The rows of the table in order; what is wrong with one goes to the study's problems.

    `baselines`: the settings of the method's baseline on each pair; the first pair's count where a
    row is compared with the baseline. `references`: key in the file -> method.
    """
    baseline = next(iter(baselines.values()))
    first = _baseline_row(method, baseline, file_rows)
    own = _variant_rows(study, method, baselines, file_rows, first.variant.label)
    return [first, *own, *_reference_rows(study, references, [first, *own])]


def _baseline_row(method: Method, baseline: Values, file_rows: Sequence[Row]) -> PlannedRow:
    """The reference row, labelled by the values of the ablated part where there is but one."""
    touched = {name: None for row in file_rows for name in row.changes}
    groups = {row.group for row in file_rows}
    one_group = len(groups) == 1 and "variants" not in groups
    together = len(touched) <= 2 and any(len(row.changes) > 1 for row in file_rows)
    label = method.title
    if touched and (one_group or together):
        label = describe(method, {name: baseline[name] for name in touched})
    group = next(iter(groups)) if one_group else ""
    return PlannedRow(Variant(label, Role.BASELINE, method.name, {}, group), method, "baseline")


def _variant_rows(
    study: Study,
    method: Method,
    baselines: Mapping[Pair, Values],
    file_rows: Sequence[Row],
    baseline_label: str,
) -> list[PlannedRow]:
    """Rows that the file asks for, but for the cells of a grid that are the baseline."""
    baseline = next(iter(baselines.values()))
    ambiguous = _ambiguous_parts(study, baselines, file_rows)
    places = {baseline_label: "the baseline's label"}
    found: list[PlannedRow] = []
    first_with: dict[Changes, Row] = {}
    for row in file_rows:
        if ambiguous & row.changes.keys():
            continue
        if row.adds:
            _check_added(study, method, baseline, row)
        changes = frozenset((n, v) for n, v in row.changes.items() if not same(baseline[n], v))
        twin = first_with.get(changes)
        if not changes:
            if not row.may_equal_baseline:
                _equals_baseline(study, row)
        elif row.label in places:
            if twin is None or twin.label != row.label or not _is_shared(row, twin):
                message = f'"{row.label}" is {places[row.label]} already'
                study.problem(row.key, message, "each row once, under a label of its own")
        else:
            places[row.label] = row.key
            same_as = twin.label if twin is not None and _is_shared(row, twin) else ""
            variant = Variant(
                row.label, Role.VARIANT, method.name, dict(row.changes), row.group, same_as
            )
            found.append(PlannedRow(variant, method, row.key))
            first_with.setdefault(changes, row)
    return found


def _is_shared(row: Row, twin: Row) -> bool:
    """Whether two rows with the same changes are one, shown twice.

    The cell of a grid may be a row of another ablation; a row that was written twice is a mistake.
    """
    return row.of_grid or twin.of_grid


def _reference_rows(
    study: Study, references: Mapping[str, Method], table: Sequence[PlannedRow]
) -> list[PlannedRow]:
    """Other methods, as they are; a teacher has no row, since its job is no student's."""
    places = {row.variant.label: row.key for row in table[1:]}
    places[table[0].variant.label] = "the baseline's label"
    found = []
    for key, method in references.items():
        if method.name == TEACHER.name:
            continue
        if method.title in places:
            message = f'"{method.title}" is {places[method.title]} already'
            study.problem(key, message, "another method")
            continue
        places[method.title] = key
        found.append(PlannedRow(Variant(method.title, Role.REFERENCE, method.name), method, key))
    return found


def _ambiguous_parts(
    study: Study, baselines: Mapping[Pair, Values], file_rows: Sequence[Row]
) -> set[str]:
    """Ablated parts whose baseline depends on the pair, so that no row could be labelled."""
    first = {name: row for row in reversed(file_rows) for name in row.changes}
    found: set[str] = set()
    for name, row in first.items():
        values: dict[Value, str] = {}
        for pair, settings in baselines.items():
            values.setdefault(settings[name], pair.name)
        if len(values) > 1:
            found.add(name)
            each = ", ".join(f"{shown(v)} on {pair}" for v, pair in values.items())
            message = f"the baseline of {name} differs between pairs ({each})"
            study.problem(row.key, message, f"say [baseline] {name} = ...")
    return found


def _check_added(study: Study, method: Method, baseline: Values, row: Row) -> None:
    for name in row.changes:
        off, value = method.part(name).off, baseline[name]
        if off is not None and not same(value, off):
            message = f"{name} is on in the baseline already ({shown(value)})"
            study.problem(row.key, message, 'action = "REPLACE", or "REMOVE"')


def _equals_baseline(study: Study, row: Row) -> None:
    values = ", ".join(f"{name} = {shown(value)}" for name, value in row.changes.items())
    right = "another value"
    if row.key.startswith("ablation"):
        right += f", or `baseline = {shown(next(iter(row.changes.values())))}` in this ablation"
    message = f"equals the baseline ({values}), so it would ablate nothing"
    study.problem(row.key, message, right)


def left_out(rows: Iterable[Row], kept: Iterable[PlannedRow], profile: str) -> list[str]:
    """A footnote on the rows that belong to other profiles only."""
    there = {row.variant.label for row in kept}
    labels = dict.fromkeys(row.label for row in rows if not row.belongs(profile))
    missing = [label for label in labels if label not in there]
    if not missing:
        return []
    more = len(missing) - _MOST_NAMED
    named = "; ".join(missing[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return [f"left out under profile {profile}: {named}"]
