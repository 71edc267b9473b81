"""Layouts: which cells stand where. Each takes an analysis and gives tables of one shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ablate.matrix.plan import Role, StudyPlan, Variant
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import Metric
from ablate.report.tables import footer
from ablate.report.tables.analysis import OTHER_METHODS, Analysis, analyse, plan_metrics
from ablate.report.tables.grid import find_grids, grid
from ablate.report.tables.published import SOURCE, comparable, published, published_for
from ablate.report.tables.table import Cell, Column, Quantity, Row, Selection, Show, Table
from ablate.store.results import StudyResults

_PAIRS_ABREAST = 5  #: columns of "mean ± std" that fit a page or a terminal
_PAIRS_ABREAST_PUBLISHED = 3  #: the same with a published column beside each


def choose(
    results: StudyResults,
    metrics: Sequence[Metric] | None = None,
    selection: Selection = Selection.LAST,
) -> list[Table]:
    """Tables that fit the study, per metric: pairs abreast, then grids, then details per pair.

    Without `metrics` all of the plan's are shown. Costs stand together in one table at the end.
    """
    wanted = plan_metrics(results.plan) if metrics is None else tuple(metrics)
    tables: list[Table] = []
    for metric in wanted:
        if not metric.cost:
            tables += _of_metric(results, analyse(results, metric, selection))
    costs = [metric for metric in wanted if metric.cost]
    if costs:
        tables += cost_tables(results, [analyse(results, m, selection) for m in costs])
    return tables


def _of_metric(results: StudyResults, analysis: Analysis) -> list[Table]:
    plan = results.plan
    tables = pairs(results, analysis) if len(plan.pairs) > 1 else []
    shapes = find_grids(plan)
    for pair in plan.pairs:
        tables += [grid(results, analysis, pair, shape) for shape in shapes]
        tables.append(one_part(results, analysis, pair))
    return tables


def one_part(results: StudyResults, analysis: Analysis, pair: str) -> Table:
    """Variants as rows: value, n, difference with interval, adjusted p, detectable effect."""
    plan, metric = analysis.plan, analysis.metric
    beside = comparable(plan, metric)
    columns = [
        Column(metric.name, (metric.label,), Show.VALUE),
        Column("n", ("n",), Show.N),
        Column("difference", ("Difference [95\u00a0%\u00a0CI]",), Show.DIFFERENCE),
    ]
    if analysis.comparisons:
        columns.append(Column("p", ("p (Holm)",), Show.P))
        columns.append(Column("mde", ("MDE",), Show.MDE))
    measured = len(columns)
    if beside:
        columns.append(Column("published", ("published",), Show.QUANTITY))
    rows = []
    for variant, heading in ordered(plan):
        cell = analysis.cells[variant.label, pair]
        cells: list[Cell | Quantity | None] = [cell] * measured
        if beside:
            cells.append(_published_cell(published_for(variant, pair)))
        rows.append(Row(variant.label, tuple(cells), variant.role, heading))
    shown = [analysis.cells[variant.label, pair] for variant in plan.variants]
    return _table(
        results,
        analysis,
        layout="one_part",
        title=f"{plan.title}: {pair}",
        corner=("Variant",),
        columns=columns,
        rows=rows,
        seeds=footer.seeds_line(plan.seeds, shown, several_pairs=False),
        details=True,
        beside=beside,
    )


def pairs(results: StudyResults, analysis: Analysis) -> list[Table]:
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
                seeds=footer.seeds_line(plan.seeds, shown, several_pairs=True),
                details=False,
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
) -> list[Row]:
    plan = analysis.plan

    def row(variant: Variant, heading: str) -> Row:
        cells: list[Cell | Quantity | None] = []
        for pair in block:
            cells.append(analysis.cells[variant.label, pair])
            if beside:
                cells.append(_published_cell(published_for(variant, pair)))
        return Row(variant.label, tuple(cells), variant.role, heading)

    rows = []
    if analysis.metric.name == "top1" and _is_taught(plan):
        cells: list[Cell | Quantity | None] = []
        for pair in block:
            cells.append(_teacher_cell(results, pair.rpartition("/")[0]))
            if beside:
                cells.append(_published_cell(published(pair, "Teacher")))
        late = " (last epoch)" if analysis.selection is Selection.BEST else ""
        rows.append(Row(f"Teacher{late}", tuple(cells)))
    variants = ordered(plan)
    has_student = any(_is_student(variant) for variant, _ in variants)
    if beside and not has_student:
        cells = []
        for pair in block:
            cells += [None, _published_cell(published(pair, "Student"))]
        rows.append(Row("Student", tuple(cells)))
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


def cost_tables(results: StudyResults, analyses: Sequence[Analysis]) -> list[Table]:
    """One table per pair with a column per cost; machines decide costs, so nothing is ranked."""
    plan, first = results.plan, analyses[0]
    tables = []
    for pair in plan.pairs:
        columns = [Column(a.metric.name, (a.metric.label,), Show.OUTCOME) for a in analyses]
        rows = []
        for variant, heading in ordered(plan):
            cells = [_bare(a.cells[variant.label, pair]) for a in analyses]
            rows.append(Row(variant.label, tuple(cells), variant.role, heading))
        shown = [first.cells[variant.label, pair] for variant in plan.variants]
        lines = (
            *footer.provenance(results, None),
            footer.seeds_line(plan.seeds, shown, several_pairs=False),
            "±: sample standard deviation over seeds. Costs depend on the machine and on what "
            "else ran on it, so they are neither ranked nor tested here.",
        )
        table = Table(
            "costs",
            plan.name,
            plan.key,
            f"{plan.title}: costs, {pair}",
            plan.question,
            ("Variant",),
            tuple(columns),
            tuple(rows),
            lines,
            None,
            first.selection,
            plan.profile,
            plan.data,
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
    rows: Sequence[Row],
    seeds: str,
    details: bool,
    beside: bool = False,
) -> Table:
    plan = results.plan
    lines = [
        *footer.provenance(results, analysis.selection),
        seeds,
        *footer.reading(analysis, details=details),
    ]
    if beside:
        lines.append(f"Published: {SOURCE}; neither ranked nor tested here.")
    return Table(
        layout,
        plan.name,
        plan.key,
        title,
        plan.question,
        corner,
        tuple(columns),
        tuple(rows),
        tuple(lines),
        analysis.metric,
        analysis.selection,
        plan.profile,
        plan.data,
        analysis.family,
        SOURCE if beside else "",
    )
