"""The footer: everything a reader needs to know before believing a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

from ablate.matrix.plan import Role
from ablate.methods.parts import format_value
from ablate.report.tables.analysis import ALPHA, POWER, Analysis
from ablate.report.tables.table import Cell, Selection
from ablate.report.tables.text import number
from ablate.statistics.paired import FEWEST_PAIRS_FOR_MARKS
from ablate.statistics.power import seeds_needed
from ablate.store.results import StudyResults

_EFFECTS = (0.3, 0.5)  #: percentage points that papers argue about
_SHORT_DIGEST = 12
_MOST_NAMED = 6

OPTIMISTIC = "best epoch on the test set (optimistic)"


def provenance(results: StudyResults, selection: Selection | None) -> tuple[str, ...]:
    """What ran, on what, under which settings; costs are of whole runs, without a selection."""
    plan, facts = results.plan, results.facts
    setting = [f"Data set: {plan.data}"] if plan.data else []
    setting.append(f"profile: {plan.profile}")
    if "epochs" in plan.baseline:
        setting.append(f"epochs: {format_value(plan.baseline['epochs'])}")
    if plan.overrides:
        changes = (f"{key} = {format_value(value)}" for key, value in plan.overrides.items())
        setting.append("overrides: " + ", ".join(changes))
    if selection is not None:
        shown = OPTIMISTIC if selection is Selection.BEST else "last epoch"
        setting.append(f"results of the {shown}")
    machine = [
        f"{name}: {', '.join(facts[key])}"
        for name, key in (("Device", "device"), ("threads", "threads"), ("torch", "torch"))
        if facts.get(key)
    ]
    if plan.code:
        machine.append(f"code: {plan.code[:_SHORT_DIGEST]}")
    return tuple(
        line
        for line in (
            _sentence(setting),
            _sentence([f"Profile {plan.profile}: {plan.profile_title}"] * bool(plan.profile_title)),
            _sentence(machine),
            _teachers(results, selection),
            *(_sentence([note]) for note in plan.footnotes),
            _nondeterministic(results),
        )
        if line
    )


def seeds_line(plan_seeds: Iterable[int], cells: Iterable[Cell], *, several_pairs: bool) -> str:
    """Planned seeds, and which of them are missing where and why."""
    gaps = []
    for cell in cells:
        if cell.missing:
            place = f"{cell.variant} on {cell.pair}" if several_pairs else cell.variant
            gaps.append(f"{place} ({_by_reason(cell)})")
    line = f"Seeds: {', '.join(map(str, plan_seeds))}."
    if gaps:
        more = len(gaps) - _MOST_NAMED
        named = "; ".join(gaps[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        line += f" Missing: {named}."
    return line


def _by_reason(cell: Cell) -> str:
    """Seeds under their reasons: "seed 1 failed, seeds 2, 3 waiting"."""
    reasons = []
    for why in cell.states:
        seeds = [str(seed) for seed, one in cell.missing if one == why]
        reasons.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)} {why}")
    return ", ".join(reasons)


@lru_cache(maxsize=4)  # every table of an analysis has it
def reading(analysis: Analysis, *, details: bool) -> tuple[str, ...]:
    """What the numbers mean; `details` for tables with differences, p and MDE."""
    better = "higher" if analysis.metric.higher_is_better else "lower"
    ranks = (
        f"Best bold, second underlined ({better} is better), ranked on unrounded values; "
        "incomplete rows have no rank."
    )
    if not analysis.metric.comparable:
        ranks = "Rows may sum other terms, so they are neither ranked nor tested here."
    lines = [f"±: sample standard deviation over seeds; n: seeds with a result. {ranks}"]
    if details:
        lines.append(_tests(analysis))
        lines.append(_detectable(analysis))
    lines.append(_marks(analysis, details=details))
    return tuple(line for line in lines if line)


def _tests(analysis: Analysis) -> str:
    line = (
        "Difference: row minus baseline over common seeds, with its unadjusted "
        f"{100 * (1 - ALPHA):.0f} % paired t interval"
    )
    if analysis.comparisons:
        line += f"; p: two-sided paired t test, {_family(analysis)}"
    line += "."
    references = (c for c in analysis.cells.values() if c.role is Role.REFERENCE)
    if analysis.metric.comparable and any(references):
        line += " Reference rows are compared but not tested."
    if any(c.comparison and c.comparison.undefined for c in analysis.cells.values()):
        line += " Undefined: the difference does not vary over seeds, so there is no test."
    return line


def _family(analysis: Analysis) -> str:
    """What the p values are adjusted for: "Holm-adjusted over the 3 comparisons of ..."."""
    m, waiting = analysis.family, analysis.waiting
    if not m:
        return "Holm-adjusted; no comparison has two common seeds that vary"
    if m == waiting:
        return "Holm-adjusted, once all seeds of a comparison have ended"
    if m == 1:
        alone = "" if len(analysis.comparisons) == 1 else " that can be tested"
        return f"the only comparison of this study and metric{alone}, so not adjusted"
    verb = "has" if waiting == 1 else "have"
    later = f", {waiting} of which {verb} seeds to come and no test yet" if waiting else ""
    return f"Holm-adjusted over the {m} comparisons of this study and metric{later}"


def _marks(analysis: Analysis, *, details: bool) -> str:
    common = [c.comparison.n for c in analysis.comparisons if c.comparison]
    few = any(n < FEWEST_PAIRS_FOR_MARKS for n in common)
    enough = any(n >= FEWEST_PAIRS_FOR_MARKS for n in common)
    lines = []
    if enough:
        test = "" if details else f" (two-sided paired t test, α = {ALPHA:g}, {_family(analysis)})"
        lines.append(
            "↑ ↓: higher or lower than the baseline, where the Holm-adjusted interval excludes "
            f"zero{test}."
        )
    if few:
        lines.append(
            f"n < {FEWEST_PAIRS_FOR_MARKS}: descriptive, no significance marks, whatever p says."
        )
    return " ".join(lines)


def spread(analysis: Analysis) -> float | None:
    """Typical standard deviation of a paired difference, pooled over comparisons by their n - 1."""
    known = [
        (c.comparison.n - 1, c.comparison.std)
        for c in analysis.comparisons
        if c.comparison and c.comparison.std
    ]
    freedom = sum(df for df, _ in known)
    return math.sqrt(sum(df * std * std for df, std in known) / freedom) if freedom else None


def level_text(analysis: Analysis) -> str:
    """The significance level of the power statements: "α = 0.05/2"."""
    m = analysis.family
    return f"α = {ALPHA:g}" + (f"/{m}, Holm's strictest step" if m > 1 else "")


def _detectable(analysis: Analysis) -> str:
    typical = spread(analysis)
    if typical is None:
        return ""
    line = (
        "MDE, minimum detectable effect: the true difference that the test finds with "
        f"{100 * POWER:.0f} % probability at {level_text(analysis)}, if the spread is as seen."
    )
    if analysis.metric.unit != "%":
        return line
    needs = []
    for effect in _EFFECTS:
        seeds = seeds_to_mark(effect, typical, analysis.level)
        needs.append(
            f"{effect:g} points would need {seeds if seeds is not None else 'over 10,000'} seeds"
        )
    digits = analysis.metric.digits
    return f"{line} With the typical spread of {number(typical, digits)}, " + ", ".join(needs) + "."


def seeds_to_mark(effect: float, std_diff: float, level: float) -> int | None:
    """Seeds that find an effect with the usual power, and that a table marks; None for too many."""
    seeds = seeds_needed(effect, std_diff, level, POWER)
    return None if seeds is None else max(seeds, FEWEST_PAIRS_FOR_MARKS)


def _teachers(results: StudyResults, selection: Selection | None) -> str:
    shown = [
        f"{teacher.network} "
        + (f"({teacher.status})" if teacher.top1 is None else f"{number(teacher.top1, 2)} %")
        for teacher in results.teachers
    ]
    when = " at the last epoch" if selection is Selection.BEST else ""
    return _sentence([f"Teachers, top-1{when}: {', '.join(shown)}"]) if shown else ""


def _nondeterministic(results: StudyResults) -> str:
    facts = {word.lower() for word in results.facts.get("deterministic", ())}
    if results.plan.baseline.get("deterministic") is False or facts & {"false", "no", "off"}:
        return (
            "Deterministic algorithms were off: the same seed may give other numbers when run "
            "again."
        )
    return ""


def _sentence(clauses: list[str]) -> str:
    text = "; ".join(clauses)
    if not text:
        return ""
    if text[1:2].islower():  # a word, and not a symbol, which would become another one
        text = text[0].upper() + text[1:]
    return text + ("" if text.endswith(".") else ".")
