"""Layouts: each turns an analysis into tables of one shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric
from ablate.report.choices import Notes, Selection
from ablate.report.tables import footer
from ablate.report.tables.analysis import Analysis, analyse, plan_metrics
from ablate.report.tables.comparisons import OTHER_METHODS
from ablate.report.tables.effects import disagreements, effect_families
from ablate.report.tables.findings import headline
from ablate.report.tables.grid import Grid, find_grids, grid
from ablate.report.tables.published import SOURCE, comparable, published, published_for
from ablate.report.tables.table import (
    Cell,
    Column,
    Effect,
    Quantity,
    Show,
    Table,
    TableRow,
)
from ablate.store.results import StudyResults

DIFFERENCE_HEAD = "Difference [95\u00a0%\u00a0CI]"
P_HEAD = "adj.\u00a0p"  #: adjusted for the family, as its intervals are
_PAIRS_ABREAST = 5  #: columns of "mean ± std" that fit a page or a terminal
_PAIRS_ABREAST_PUBLISHED = 3  #: the same with a published column beside each


def choose(
    results: StudyResults,
    metrics: Sequence[Metric] | None = None,
    selection: Selection = Selection.LAST,
    notes: Notes = Notes.SHORT,
) -> list[Table]:
    """Tables that fit the study, per metric: pairs abreast, then grids, then details per pair.

    Without `metrics` all of the plan's are shown. Costs stand together in one table at the end.
    """
    chosen = plan_metrics(results.plan) if metrics is None else tuple(metrics)
    tables: list[Table] = []
    for metric in chosen:
        if not metric.cost:
            tables += _of_metric(results, analyse(results, metric, selection), notes)
    costs = [metric for metric in chosen if metric.cost]
    if costs:
        tables += cost_tables(results, [analyse(results, m, selection) for m in costs], notes)
    return tables


def _of_metric(results: StudyResults, analysis: Analysis, notes: Notes) -> list[Table]:
    plan = results.plan
    tables = pairs(results, analysis, notes) if len(plan.pairs) > 1 else []
    shapes = find_grids(plan)
    for pair in plan.pairs:
        tables += [grid(results, analysis, pair, shape, notes) for shape in shapes]
        tables.append(one_part(results, analysis, pair, notes))
    tables += effects(results, analysis, shapes, notes)
    return [replace(tables[0], headline=headline(analysis)), *tables[1:]]


def one_part(results: StudyResults, analysis: Analysis, pair: str, notes: Notes) -> Table:
    """Variants as rows: value, n, difference with interval, adjusted p, and what that says."""
    plan, metric = analysis.plan, analysis.metric
    beside = comparable(plan, metric)
    columns = [
        Column(metric.name, (metric.label,), Show.VALUE),
        Column("n", ("n",), Show.N),
        Column("difference", (DIFFERENCE_HEAD,), Show.DIFFERENCE),
    ]
    if analysis.comparisons:
        columns.append(Column("p", (P_HEAD,), Show.P))
        columns.append(Column("conclusion", ("compared with the baseline",), Show.CONCLUSION))
    measured = len(columns)
    if beside:
        columns.append(Column("published", ("published",), Show.QUANTITY))
    rows = []
    for variant, heading in ordered(plan):
        cell = analysis.cells[variant.label, pair]
        cells: list[Cell | Effect | Quantity | None] = [cell] * measured
        if beside:
            cells.append(_published_cell(published_for(plan, variant, pair)))
        rows.append(TableRow(variant.label, tuple(cells), variant.role, heading))
    shown = [analysis.cells[variant.label, pair] for variant in plan.variants]
    return _table(
        results,
        analysis,
        layout="one_part",
        title=f"{plan.title}: {pair}" if pair else plan.title,
        corner=("Variant",),
        columns=columns,
        rows=rows,
        footer=footer.of_table(
            results, analysis, shown, notes, pairs=(pair,), more=_source(beside)
        ),
        beside=beside,
    )


def effects(
    results: StudyResults, analysis: Analysis, shapes: Sequence[Grid], notes: Notes
) -> list[Table]:
    """Contrasts, averages over pairs and effects in grids, a heading for each family."""
    families = effect_families(analysis, shapes)
    if not families:
        return []
    columns = (
        Column("n", ("n",), Show.N),
        Column("difference", (DIFFERENCE_HEAD,), Show.DIFFERENCE),
        Column("p", (P_HEAD,), Show.P),
        Column("conclusion", ("what it says",), Show.CONCLUSION),
    )
    rows = [
        TableRow(effect.name, (effect,) * len(columns), None, family.name)
        for family in families
        for effect in family.effects
    ]
    lines = (
        *footer.of_table(results, analysis, (), notes, pairs=analysis.plan.pairs)[:1],
        "Each heading is a family of its own: simultaneous 95 % intervals over its rows. A row "
        "here has only its own seeds' degrees of freedom, so an average may have a wider interval "
        "than the rows that it averages.",
        *disagreements(analysis),
    )
    return [
        _table(
            results,
            analysis,
            layout="contrasts",
            title=f"{analysis.plan.title}: contrasts, {analysis.metric.label}",
            corner=("Contrast",),
            columns=columns,
            rows=rows,
            footer=lines,
        )
    ]


def _source(beside: bool) -> tuple[str, ...]:
    return (f"Published: {SOURCE}; neither ranked nor tested.",) if beside else ()


def pairs(results: StudyResults, analysis: Analysis, notes: Notes) -> list[Table]:
    """Variants as rows, teacher/student pairs as columns, as published tables stand."""
    plan = analysis.plan
    beside = comparable(plan, analysis.metric)
    width = _PAIRS_ABREAST_PUBLISHED if beside else _PAIRS_ABREAST
    blocks = list(_blocks(plan.pairs, width))
    tables = []
    for index, block in enumerate(blocks, start=1):
        part = f" ({index} of {len(blocks)})" if len(blocks) > 1 else ""
        shown = [analysis.cells[v.label, pair] for v in plan.variants for pair in block]
        taught = _is_taught(plan)
        tables.append(
            _table(
                results,
                analysis,
                layout="pairs",
                title=f"{plan.title}: {analysis.metric.label}{part}",
                corner=("Teacher", "Student", *[""] * beside)[not taught :],
                columns=_pair_columns(block, taught=taught, beside=beside),
                rows=_pair_rows(results, analysis, block, beside=beside),
                footer=footer.of_table(
                    results, analysis, shown, notes, pairs=block, more=_source(beside)
                ),
                beside=beside,
            )
        )
    return tables


def _is_taught(plan: StudyPlan) -> bool:
    """Whether pairs have a teacher; a study of networks alone has none."""
    return any("/" in pair for pair in plan.pairs)


def _pair_columns(block: Sequence[str], *, taught: bool, beside: bool) -> list[Column]:
    columns = []
    for pair in block:
        teacher, _, student = pair.rpartition("/")
        kinds = ("measured", "published") if beside else ("",)
        for kind in kinds:
            key = f"{pair} {kind}" if kind == "published" else pair
            heads = (teacher, student, *[kind] * beside)[not taught :]
            columns.append(
                Column(key, heads, Show.QUANTITY if kind == "published" else Show.OUTCOME)
            )
    return columns


def _pair_rows(
    results: StudyResults, analysis: Analysis, block: Sequence[str], *, beside: bool
) -> list[TableRow]:
    plan = analysis.plan

    def row(variant: Variant, heading: str) -> TableRow:
        cells: list[Cell | Effect | Quantity | None] = []
        for pair in block:
            cells.append(analysis.cells[variant.label, pair])
            if beside:
                cells.append(_published_cell(published_for(plan, variant, pair)))
        return TableRow(variant.label, tuple(cells), variant.role, heading)

    rows = []
    if analysis.metric.name == "top1" and _is_taught(plan):
        cells: list[Cell | Effect | Quantity | None] = []
        for pair in block:
            cells.append(_teacher_cell(results, pair.rpartition("/")[0]))
            if beside:
                cells.append(_published_cell(published(pair, "Teacher")))
        late = " (last epoch)" if analysis.selection is Selection.BEST else ""
        rows.append(TableRow(f"Teacher{late}", tuple(cells)))
    variants = ordered(plan)
    has_student = any(_is_student(variant) for variant, _ in variants)
    if beside and not has_student:
        cells = []
        for pair in block:
            cells += [None, _published_cell(published(pair, "Student"))]
        rows.append(TableRow("Student", tuple(cells)))
    return rows + [row(variant, heading) for variant, heading in variants]


def _teacher_cell(results: StudyResults, network: str) -> Quantity:
    own = [teacher for teacher in results.teachers if teacher.network == network]
    known = [teacher.top1 for teacher in own if teacher.top1 is not None]
    if not known:
        states = {teacher.status for teacher in own}
        return Quantity(
            None, note="" if states <= {JobStatus.WAITING} else f"({', '.join(sorted(states))})"
        )
    several = f"(mean of {len(known)})" if len(known) > 1 else ""
    return Quantity(math.fsum(known) / len(known), note=several)


def _published_cell(value: float | None) -> Quantity:
    return Quantity(value, published=True)


def cost_tables(results: StudyResults, analyses: Sequence[Analysis], notes: Notes) -> list[Table]:
    """One table per pair with a column per cost; machines decide costs, so nothing is ranked."""
    plan, first = results.plan, analyses[0]
    tables = []
    for pair in plan.pairs:
        columns = [Column(a.metric.name, (a.metric.label,), Show.OUTCOME) for a in analyses]
        rows = []
        for variant, heading in ordered(plan):
            cells = [_bare(a.cells[variant.label, pair]) for a in analyses]
            rows.append(TableRow(variant.label, tuple(cells), variant.role, heading))
        shown = [first.cells[variant.label, pair] for variant in plan.variants]
        table = Table(
            "costs",
            plan.name,
            plan.key,
            f"{plan.title}: costs, {pair}",
            plan.question,
            ("Variant",),
            tuple(columns),
            tuple(rows),
            footer.of_costs(results, shown, notes),
            selection=first.selection,
            profile=plan.profile,
            data=plan.data,
            analyses=tuple(analyses),
        )
        tables.append(table)
    return tables


def _bare(cell: Cell) -> Cell:
    return replace(cell, rank=None, comparison=None)


def _is_student(variant: Variant) -> bool:
    return variant.role is Role.REFERENCE and variant.method == "student"


def ordered(plan: StudyPlan) -> list[tuple[Variant, str]]:
    """Rows and their headings in the plan's order, with the student trained alone on top of them.

    Other methods below a group's rows would read as its members, so they get a heading, too.
    """
    rows, grouped = [], False
    for variant in sorted(plan.variants, key=lambda variant: not _is_student(variant)):
        grouped = grouped or bool(variant.group)
        apart = grouped and variant.role is Role.REFERENCE
        rows.append((variant, OTHER_METHODS if apart else variant.group))
    return rows


def _blocks(items: Sequence[str], width: int) -> Iterator[tuple[str, ...]]:
    rest = iter(items)
    while block := tuple(islice(rest, width)):
        yield block


def _table(
    results: StudyResults,
    analysis: Analysis,
    *,
    layout: str,
    title: str,
    corner: tuple[str, ...],
    columns: Sequence[Column],
    rows: Sequence[TableRow],
    footer: tuple[str, ...],
    beside: bool = False,
) -> Table:
    plan = results.plan
    return Table(
        layout,
        plan.name,
        plan.key,
        title,
        plan.question,
        corner,
        tuple(columns),
        tuple(rows),
        footer,
        metric=analysis.metric,
        selection=analysis.selection,
        profile=plan.profile,
        data=plan.data,
        analyses=(analysis,),
        published=SOURCE if beside else "",
    )
