"""The footer: what a reader needs to know before believing a table.

At most four lines by default: what ran, how to read the intervals, what they cover, and what to be
careful about. `Notes.FULL` gives everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ablate.matrix.plan import StudyPlan
from ablate.methods.lifecycle import JobStatus
from ablate.methods.parts import Value, format_value
from ablate.methods.script import TAKEN, Take
from ablate.report.choices import Notes, Selection
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.comparisons import PairFamily
from ablate.report.tables.coverage import covers
from ablate.report.tables.table import Cell
from ablate.report.tables.text import number, quoted
from ablate.store.results import StudyResults

_SHORT_DIGEST = 7
_MOST_NAMED = 6

#: Which of a script's values counts, in words; whether its best is of held-out data, it knows.
_TAKEN_WORDS: Mapping[str, str] = {
    Take.LAST: "last value of each run",
    Take.BEST: "best value of each run (optimistic on test data)",
}

_SPREAD = "±: standard deviation over seeds"
EMPHASIS = "bold: best mean, underlined: second"  #: renderers without them have other words


def of_table(
    results: StudyResults,
    analysis: Analysis,
    cells: Sequence[Cell],
    notes: Notes,
    *,
    pairs: Sequence[str],
    more: Sequence[str] = (),
) -> tuple[str, ...]:
    """The footer of a table of `cells`; `more` are lines of its own, before what all tables say."""
    several = len(pairs) > 1
    families = [one for pair in pairs if (one := analysis.family(pair))]
    lines = [_ran(results, analysis.selection, analysis.metric.name)]
    if notes is Notes.FULL:
        lines += _provenance(results, analysis.selection)
    unranked = any(cell.mean is not None and not cell.complete for cell in cells)
    read = [*more, reading(analysis, families, unranked=unranked)]
    lines += read if notes is Notes.FULL else [" ".join(read)]
    lines.append(covers(analysis.plan, families))
    if notes is Notes.FULL:
        lines += _method(analysis, families)
    cautions = [
        _looks(families),
        _machines(results, pairs),
        _nondeterministic(results),
        _rule(results.plan, families),
        _same_runs(results, cells),
        _missing(cells, several_pairs=several),
    ]
    kept = [line for line in cautions if line]
    lines += kept if notes is Notes.FULL else [" ".join(kept)]
    return tuple(line for line in lines if line)


def of_costs(results: StudyResults, cells: Sequence[Cell], notes: Notes) -> tuple[str, ...]:
    """The footer of a table of costs, which are neither ranked nor tested."""
    lines = [
        _ran(results, None),
        *(_provenance(results, None) if notes is Notes.FULL else ()),
        "Mean ± standard deviation over seeds. Costs depend on the machine and on what else ran on "
        "it, so they are neither ranked nor tested.",
        _same_runs(results, cells),
        _missing(cells, several_pairs=False),
    ]
    return tuple(line for line in lines if line)


def of_power(results: StudyResults, analysis: Analysis, size: str, notes: Notes) -> tuple[str, ...]:
    """The footer of a table on the seeds that a half-width needs."""
    lines = [
        _ran(results, analysis.selection, analysis.metric.name),
        *(_provenance(results, analysis.selection) if notes is Notes.FULL else ()),
        f"Seeds: so many give simultaneous 95 % intervals of at most ±{size}, if the spread is as "
        "seen. The spread is itself estimated; at least and at most are what the ends of its 95 % "
        "interval would need.",
    ]
    return tuple(line for line in lines if line)


def _ran(results: StudyResults, selection: Selection | None, metric: str = "") -> str:
    """Data, settings, epoch, seeds and machine in one line; costs are of whole runs."""
    plan, facts = results.plan, results.facts
    setting = [one for one in (plan.data, f"profile {plan.profile}" * bool(plan.profile)) if one]
    if "epochs" in plan.baseline:
        epochs = plan.baseline["epochs"]
        setting.append(f"{format_value(epochs)} epoch{'s' * (epochs != 1)}")
    setting += [
        f"{plan.part_labels.get(name, name)} = {format_value(value)}"
        for name, value in plan.profile_settings.items()
        if name != "epochs" and name not in plan.overrides
    ]
    setting += [f"{key} = {format_value(value)}" for key, value in other_overrides(plan).items()]
    if selection is not None and plan.profile:
        setting.append(value_text(results, selection, metric))
    setting.append(seeds_text(plan.seeds))
    machine = [", ".join(facts["device"])] if facts.get("device") else []
    if facts.get("threads"):
        counts = ", ".join(facts["threads"])
        machine.append(f"{counts} thread{'s' * (counts != '1')}")
    machine += [f"{name} {', '.join(facts[name])}" for name in ("torch",) if facts.get(name)]
    machine += [f"code {plan.code[:_SHORT_DIGEST]}"] * bool(plan.code)
    return _sentence([", ".join(setting), ", ".join(machine)])


def value_text(results: StudyResults, selection: Selection, metric: str) -> str:
    """Which of a run's values of a metric these are: of an epoch, or as a script declares it."""
    taken = results.facts.get(f"{TAKEN}{metric}", ())
    words = [_TAKEN_WORDS[one] for one in taken if one in _TAKEN_WORDS]
    return " or ".join(words) or epoch_text(results.plan, selection)


def other_overrides(plan: StudyPlan) -> dict[str, Value]:
    """What --set changed, without what stands in a footer anyway: the data set and the epochs."""
    known = {"data": plan.overrides.get("data"), "epochs": plan.baseline.get("epochs")}
    return {k: v for k, v in plan.overrides.items() if k not in known or known[k] != v}


def epoch_text(plan: StudyPlan, selection: Selection) -> str:
    """Which epoch's results these are, and on which images it was chosen."""
    if selection is Selection.LAST:
        return "last epoch"
    held_out = float(plan.baseline.get("val", 0))
    if held_out > 0:
        return f"best epoch on the validation split ({held_out:.0%} of the training images)"
    return "best epoch on the test set (optimistic)"


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds in short: "seed 7", "seeds 0-4", "seeds 0, 2, 5"."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    ordered = sorted(seeds)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[0] + len(ordered))):
        return f"seeds {ordered[0]}-{ordered[-1]}"
    return f"seeds {', '.join(map(str, ordered))}" if ordered else "no seeds"


def _provenance(results: StudyResults, selection: Selection | None) -> list[str]:
    plan = results.plan
    lines = [
        _sentence([f"Profile {plan.profile}: {plan.profile_title}"] * bool(plan.profile_title)),
        _teachers(results, selection),
        *(_sentence([note]) for note in plan.footnotes),
    ]
    return [line for line in lines if line]


def reading(analysis: Analysis, families: Sequence[PairFamily], *, unranked: bool = False) -> str:
    """How to read values and intervals; `unranked` says that rows without all seeds are shown."""
    if not analysis.metric.compared:
        return (
            "Mean ± standard deviation over seeds. Rows may sum other terms, so they are neither "
            "ranked nor tested."
        )
    ranked = f"; {EMPHASIS}" if analysis.metric.comparable else ""
    if ranked and unranked:
        ranked += " (rows without all seeds are not ranked)"
    line = f"{_SPREAD}{ranked}"
    if any(family.has_intervals for family in families):
        rows = sorted({family.rows for family in families if family.has_intervals})
        counts = " or ".join(map(str, rows))
        over = f" over {counts} rows" if rows[-1] > 1 else ""
        line += f"; [ ], ↑ ↓: simultaneous 95 % intervals{over}"
    elif not all(family.ended for family in families):
        line += "; no intervals before all seeds have ended"
    return f"{line}."


def explains_marks(note: str) -> bool:
    """Whether a note is the legend of a table's marks, which belongs right under it."""
    return _SPREAD in note


def _method(analysis: Analysis, families: Sequence[PairFamily]) -> list[str]:
    """How intervals are computed, for those who want to check them."""
    if not any(family.has_intervals for family in families):
        return []
    lines = [
        "Intervals and p values: row minus baseline on common seeds, one variance for the family "
        "that no row may undercut with its own, Student's t with Satterthwaite's degrees of "
        "freedom, Bonferroni over the family."
    ]
    for family in families:
        if family.pooled_sd and family.df:
            lines.append(
                f"{family.pair}: pooled standard deviation of the differences "
                f"{number(family.pooled_sd, analysis.metric.digits)}, {family.df:.1f} degrees of "
                f"freedom, {family.rows} row{'s' * (family.rows > 1)}, level {family.level:g}."
            )
    if analysis.margin is not None:
        compared = [cell.comparison for cell in analysis.cells.values() if cell.comparison]
        lies = (
            "an interval inside it shows a row to be equivalent"
            if any(one.within_margin for one in compared)
            else "no interval lies inside it, so no row is shown to be equivalent"
        )
        lines.append(f"Margin of the study: ±{format_value(analysis.margin)}; {lies}.")
    return lines


def _looks(families: Sequence[PairFamily]) -> str:
    sizes = sorted({size for family in families for size in family.looks})
    if not sizes:
        return ""
    counts = _listed([str(size) for size in sizes])
    level = max(family.level for family in families) * 100
    return (
        f"Tested before with {counts} seeds: over {len(sizes) + 1} tests the chance of a false "
        f"claim is up to {(len(sizes) + 1) * level:.0f} %, not {level:.0f} %."
    )


def _rule(plan: StudyPlan, families: Sequence[PairFamily]) -> str:
    rule = plan.seed_rule
    if rule is None:
        return ""
    width = max((family.widest for family in families if family.widest is not None), default=None)
    now = "" if width is None else f"; the widest is ±{width:.2g} with {len(plan.seeds)} seeds"
    return (
        f"Seeds were added from {rule.first} to at most {rule.most} until every interval is within "
        f"±{format_value(rule.half_width)}{now}; intervals allow for that."
    )


def _machines(results: StudyResults, pairs: Sequence[str]) -> str:
    """Kinds of device, thread counts and versions of torch that meet in one comparison."""
    met: dict[str, set[str]] = {}
    for pair in pairs:
        done = [run for run in results.runs if run.pair == pair and run.status is JobStatus.DONE]
        for name in ("device", "threads", "torch"):
            values = {run.facts[name].partition(":")[0] for run in done if name in run.facts}
            if len(values) > 1:
                met.setdefault(name, set()).update(values)
    words = {"device": "devices {}", "threads": "{} threads", "torch": "torch {}"}
    mixed = [words[name].format(" and ".join(sorted(values))) for name, values in met.items()]
    return f"Compared with each other: {', '.join(mixed)}." if mixed else ""


def _same_runs(results: StudyResults, cells: Iterable[Cell]) -> str:
    """Which of `cells` are the same runs as others: a student alone under two teachers."""
    jobs: dict[tuple[str, str], list[str]] = {}
    for run in results.runs:
        if run.status is JobStatus.DONE:
            jobs.setdefault((run.variant, run.pair), []).append(run.job)
    alike: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for row, own in jobs.items():
        alike.setdefault(tuple(own), []).append(row)
    shown = {(cell.variant, cell.pair) for cell in cells}
    named = []
    for rows in alike.values():
        if len(rows) > 1 and not shown.isdisjoint(rows):
            labels, pairs = (list(dict.fromkeys(names)) for names in zip(*rows, strict=True))
            place = f" on {_listed(pairs)}" if len(pairs) > 1 else ""
            named.append(_listed([quoted(label) for label in labels]) + place)
    return f"Same runs: {'; '.join(dict.fromkeys(named))}." if named else ""


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _missing(cells: Iterable[Cell], *, several_pairs: bool) -> str:
    """Which seeds are missing where and why."""
    gaps = []
    for cell in cells:
        if cell.missing:
            place = f"{cell.variant} on {cell.pair}" if several_pairs else cell.variant
            gaps.append(f"{place} ({_by_reason(cell)})")
    if not gaps:
        return ""
    more = len(gaps) - _MOST_NAMED
    named = "; ".join(gaps[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return f"Without result: {named}."


def _by_reason(cell: Cell) -> str:
    """Seeds under their reasons: "seed 1 failed, seeds 2, 3 waiting"."""
    reasons = []
    for why in cell.states:
        seeds = [seed for seed, one in cell.missing if one == why]
        reasons.append(f"{seeds_text(seeds)} {why}")
    return ", ".join(reasons)


def _teachers(results: StudyResults, selection: Selection | None) -> str:
    shown = [
        f"{teacher.network} "
        + (f"({teacher.status})" if teacher.top1 is None else f"{number(teacher.top1, 2)} %")
        + (" (given weights, not trained here)" if teacher.checkpoint else "")
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


def _sentence(clauses: Sequence[str]) -> str:
    text = "; ".join(clause for clause in clauses if clause)
    if not text:
        return ""
    if text[1:2].islower():  # a word, and not a symbol, which would become another one
        text = text[0].upper() + text[1:]
    return text + ("" if text.endswith(".") else ".")
