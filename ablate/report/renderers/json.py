"""JSON: {"schema", "analyses", "effects", "tables"}, in full precision; no NaN or infinity.

analyses   one per study, metric and pair: study, key, profile, data, metric, label, unit, better
           ("higher", "lower" or null), selection, pair, baseline, margin, headline, and of the
           family that the study is about: level, rows_in_family, tested, pooled_sd, df, pairing_r,
           pairing_gain, looks (numbers of seeds with which rows were tested before). Then `rows`:
           variant, role, group, n, planned, mean, sd, diverged, missing, values, rank, difference,
           low, high (the printed, simultaneous interval), p (adjusted), df, verdict ("better",
           "worse", "equivalent", "open"; null for the baseline), tested, family.
effects    contrasts, averages over pairs and effects in grids: study, key, metric, family, level,
           name, pair, n, difference, low, high, p, df, verdict
tables     what was asked for: layout, study, key, title, question, metric, selection, published
           (source), footer; of a table on seeds needed also its records
"""

from __future__ import annotations

from collections.abc import Sequence

from ablate.console import json_text
from ablate.report.exports.records import Record, finite, records
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.effects import effect_families
from ablate.report.tables.findings import headline
from ablate.report.tables.grid import find_grids
from ablate.report.tables.table import Cell, Comparison, Table

SCHEMA = "ablate.report/2"
_NUMBERS = ("low", "high", "p", "df")


def render_json(tables: Sequence[Table]) -> str:
    """The document, indented, in UTF-8 characters."""
    analyses: dict[int, Analysis] = {id(a): a for table in tables for a in table.analyses}
    document = {
        "schema": SCHEMA,
        "analyses": [_analysis(one, pair) for one in analyses.values() for pair in one.plan.pairs],
        "effects": [effect for one in analyses.values() for effect in _effects(one)],
        "tables": [_table(table) for table in tables],
    }
    return json_text(document) + "\n"


def _about(analysis: Analysis) -> Record:
    return {
        "study": analysis.plan.name,
        "key": analysis.plan.key,
        "metric": analysis.metric.name,
    }


def _analysis(analysis: Analysis, pair: str) -> Record:
    plan, metric, family = analysis.plan, analysis.metric, analysis.family(pair)
    better = ("higher" if metric.higher_is_better else "lower") if metric.comparable else None
    groups = {variant.label: variant.group for variant in plan.variants}
    pairing = family.pairing if family else None
    return {
        **_about(analysis),
        "profile": plan.profile,
        "data": plan.data,
        "label": metric.label,
        "unit": metric.unit,
        "better": better,
        "selection": analysis.selection.value,
        "pair": pair,
        "baseline": analysis.baseline,
        "margin": analysis.margin,
        "headline": [] if metric.cost else list(headline(analysis)),
        "level": family.level if family else None,
        "rows_in_family": family.rows if family else 0,
        "tested": bool(family and family.has_intervals),
        "pooled_sd": finite(family.pooled_sd) if family else None,
        "df": finite(family.df) if family else None,
        "pairing_r": finite(pairing.r) if pairing else None,
        "pairing_gain": finite(pairing.gain) if pairing else None,
        "looks": list(family.looks) if family else [],
        "rows": [
            _row(cell, groups[cell.variant])
            for cell in analysis.cells.values()
            if cell.pair == pair
        ],
    }


def _row(cell: Cell, group: str) -> Record:
    return {
        "variant": cell.variant,
        "role": cell.role.value,
        "group": group,
        "n": cell.n,
        "planned": cell.planned,
        "mean": finite(cell.mean),
        "sd": finite(cell.sd),
        "diverged": cell.diverged,
        "missing": {str(seed): why for seed, why in cell.missing},
        "values": {str(seed): finite(value) for seed, value in cell.values},
        "rank": cell.rank,
        **_comparison(cell.comparison),
    }


def _comparison(one: Comparison | None) -> Record:
    return {
        "difference": one and finite(one.mean),
        **{name: one and finite(getattr(one, name)) for name in _NUMBERS},
        "verdict": one and one.verdict.value,
        "tested": one and one.tested.value,
        "family": one and one.family,
    }


def _effects(analysis: Analysis) -> list[Record]:
    return [
        {
            **_about(analysis),
            "level": family.level,
            "name": effect.name,
            "pair": effect.pair,
            "n": effect.comparison.n,
            **_comparison(effect.comparison),
        }
        for family in effect_families(analysis, find_grids(analysis.plan))
        for effect in family.effects
    ]


def _table(table: Table) -> Record:
    head: Record = {
        "layout": table.layout,
        "study": table.study,
        "key": table.key,
        "title": table.title,
        "question": table.question,
        "metric": table.metric.name if table.metric else None,
        "selection": table.selection.value,
        "published": table.published or None,
        "footer": list(table.footer),
    }
    return head | ({"records": records([table])} if table.layout == "power" else {})
