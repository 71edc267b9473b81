"""How many seeds intervals of a target width would take, as one sentence with its command."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.matrix.plan import StudyPlan
from ablate.methods.parts import format_value
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.commands import more_seeds
from ablate.report.tables.table import Cell, Tested
from ablate.statistics.family import FEWEST_SEEDS
from ablate.statistics.seeds_needed import SeedsNeeded, seeds_needed
from ablate.statistics.verdict import Verdict

_USUAL_HALF_WIDTH = 0.5  #: percentage points that papers argue about


def target_half_width(analysis: Analysis) -> float | None:
    """The half-width that the study asks for by its margin or rule; 0.5 points of a percentage."""
    rule = analysis.plan.seed_rule
    if rule is not None:
        return rule.half_width
    return analysis.margin or (_USUAL_HALF_WIDTH if analysis.metric.unit == "%" else None)


def needed_by(analysis: Analysis, cell: Cell, half_width: float) -> SeedsNeeded | None:
    """Seeds that a row's interval takes for this half-width; None where no spread is known."""
    one, family = cell.comparison, analysis.families.get((cell.pair, _family_of(analysis, cell)))
    if one is None or family is None or not family.pooled_sd or not family.df:
        return None
    sd = max(family.pooled_sd, one.sd or 0.0)
    return seeds_needed(half_width, sd, family.df, rows=family.rows, level=family.level)


def seeds_advice(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """What a test, or the widest undecided row, would take; nothing if no row is undecided."""
    tested = {cell.comparison.tested for cell in cells if cell.comparison}
    if Tested.FEW in tested and len(analysis.plan.seeds) < FEWEST_SEEDS and analysis.plan.profile:
        return f"For a test: {seeds_command(analysis.plan, FEWEST_SEEDS)}."
    target = target_half_width(analysis)
    undecided = [
        cell
        for cell in cells
        if cell.comparison
        and cell.comparison.verdict is Verdict.OPEN
        and cell.comparison.low is not None
        and not cell.diverged
    ]
    if target is None or analysis.plan.seed_rule is not None:
        return ""
    found = [one for cell in undecided if (one := needed_by(analysis, cell, target))]
    most = max(found, key=lambda one: one.about or float("inf"), default=None)
    have = len(analysis.plan.seeds)
    unit = " points" if analysis.metric.unit == "%" else f" {analysis.metric.unit}".rstrip()
    if most is None or (most.about is not None and most.about <= have):
        return ""
    start = f"For intervals within ±{format_value(target)}{unit}: about {seeds_text(most)}"
    if most.about is None or not analysis.plan.profile:
        return f"{start}."
    return f"{start}, {seeds_command(analysis.plan, most.about)}."


def seeds_command(plan: StudyPlan, count: int) -> str:
    """The command that gets a study so many seeds, or says what they would cost."""
    command = more_seeds(plan, count)
    return f"`{command}`" + (" says what they cost" if command.command == "preview" else "")


def seeds_text(needed: SeedsNeeded) -> str:
    """Seeds with their uncertainty: "9 seeds (4 to 30: the spread is uncertain)"."""
    about, low, high = (
        "over 10,000" if one is None else f"{one:,}"
        for one in (needed.about, needed.low, needed.high)
    )
    return f"{about} seeds ({low} to {high}, since the spread is uncertain)"


def _family_of(analysis: Analysis, cell: Cell) -> str:
    return cell.comparison.family if cell.comparison else analysis.main_family
