"""The rows of a study's table: the baseline first, then what the file asks for, then references.

A row that would print the baseline's numbers again, or another row's, is a problem: an ablation
that silently does nothing is the worst result there could be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ablate.matrix.pairs import Pair
from ablate.matrix.plan import Role, Variant
from ablate.methods.method import Method
from ablate.methods.parts import Value, Values, same, shown
from ablate.methods.teachers import TEACHER
from ablate.study.parse import Study
from ablate.study.variants import Row, describe

_MOST_NAMED = 4  #: rows that a footnote names one by one


@dataclass(frozen=True)
class TableRow:
    """One row with the method that it runs, and where the file asks for it."""

    variant: Variant
    method: Method
    row: Row | None = None  #: None for the baseline and for references
    key: str = ""


@dataclass
class Rows:
    """Gathers the table's rows; what is wrong goes to the study's problems."""

    study: Study
    method: Method
    baselines: Mapping[Pair, Values]
    found: list[TableRow] = field(default_factory=list)
    _seen: dict[str, str] = field(default_factory=dict)  #: label -> where it comes from

    @property
    def baseline(self) -> Values:
        """The baseline's settings on the first pair."""
        return next(iter(self.baselines.values()))

    def add_baseline(self, wanted: Sequence[Row]) -> None:
        """The reference row, labelled by the values of the ablated part where there is but one."""
        touched = {name: None for row in wanted for name in row.changes}
        groups = {row.group for row in wanted}
        one_group = len(groups) == 1 and "variants" not in groups
        together = len(touched) <= 2 and any(len(row.changes) > 1 for row in wanted)
        label = self.method.title
        if touched and (one_group or together):
            label = describe(self.method, {name: self.baseline[name] for name in touched})
        group = next(iter(groups)) if one_group else ""
        self._seen[label] = "the baseline's label"
        variant = Variant(label, Role.BASELINE, self.method.name, {}, group)
        self.found.append(TableRow(variant, self.method, None, "baseline"))

    def add(self, wanted: Iterable[Row]) -> None:
        """Rows that the file asks for, but for the cells of a grid that are the baseline."""
        ambiguous = self._ambiguous(wanted)
        for row in wanted:
            if ambiguous & row.changes.keys():
                continue
            if row.adds:
                self._check_added(row)
            if all(same(self.baseline[name], value) for name, value in row.changes.items()):
                if not row.may_equal_baseline:
                    self._equals_baseline(row)
            elif row.label in self._seen:
                message = f'"{row.label}" is {self._seen[row.label]} already'
                self.study.problem(row.key, message, "each row once, under a label of its own")
            else:
                self._seen[row.label] = row.key
                changes = dict(row.changes)
                variant = Variant(row.label, Role.VARIANT, self.method.name, changes, row.group)
                self.found.append(TableRow(variant, self.method, row, row.key))

    def add_references(self, references: Mapping[str, Method]) -> None:
        """Other methods, as they are; a teacher has no row, since its job is no student's."""
        for key, method in references.items():
            if method.name == TEACHER.name:
                continue
            if method.title in self._seen:
                where = self._seen[method.title]
                self.study.problem(key, f'"{method.title}" is {where} already', "another method")
                continue
            self._seen[method.title] = key
            variant = Variant(method.title, Role.REFERENCE, method.name)
            self.found.append(TableRow(variant, method, None, key))

    def _ambiguous(self, wanted: Iterable[Row]) -> set[str]:
        """Ablated parts whose baseline depends on the pair, so that no row could be labelled."""
        first = {name: row for row in reversed(list(wanted)) for name in row.changes}
        found: set[str] = set()
        for name, row in first.items():
            values: dict[Value, str] = {}
            for pair, settings in self.baselines.items():
                values.setdefault(settings[name], pair.name)
            if len(values) > 1:
                found.add(name)
                each = ", ".join(f"{shown(v)} on {pair}" for v, pair in values.items())
                message = f"the baseline of {name} differs between pairs ({each})"
                self.study.problem(row.key, message, f"say [baseline] {name} = ...")
        return found

    def _check_added(self, row: Row) -> None:
        for name in row.changes:
            off, value = self.method.part(name).off, self.baseline[name]
            if off is not None and not same(value, off):
                message = f"{name} is on in the baseline already ({shown(value)})"
                self.study.problem(row.key, message, 'action = "REPLACE", or "REMOVE"')

    def _equals_baseline(self, row: Row) -> None:
        values = ", ".join(f"{name} = {shown(value)}" for name, value in row.changes.items())
        right = "another value"
        if row.key.startswith("ablation"):
            right += f", or `baseline = {shown(next(iter(row.changes.values())))}` in this ablation"
        self.study.problem(
            row.key, f"equals the baseline ({values}), so it would ablate nothing", right
        )


def left_out(rows: Iterable[Row], kept: Iterable[TableRow], profile: str) -> list[str]:
    """A footnote on the rows that belong to other profiles only."""
    there = {row.variant.label for row in kept}
    labels = dict.fromkeys(row.label for row in rows if not row.belongs(profile))
    missing = [label for label in labels if label not in there]
    if not missing:
        return []
    more = len(missing) - _MOST_NAMED
    named = "; ".join(missing[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return [f"left out under profile {profile}: {named}"]
