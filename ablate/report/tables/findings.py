"""What a study found: a sentence for each comparison, and a headline that answers its question.

A sentence starts with its subject, gives numbers, and claims what the printed interval says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ablate.errors import Remedy
from ablate.methods.lifecycle import JobStatus
from ablate.methods.parts import format_value
from ablate.report.tables.analysis import Analysis
from ablate.report.tables.commands import run_again
from ablate.report.tables.grid import find_grids
from ablate.report.tables.seeds_advice import seeds_advice
from ablate.report.tables.table import Cell, Comparison, Tested
from ablate.report.tables.text import amount, number, quoted, reasons
from ablate.statistics.verdict import DIFFERENT, Verdict
from ablate.store.looks import OPEN

_MOST_NAMED = 4
_WHY = {
    Tested.CONSTANT: "without any spread over seeds",
    Tested.FEW: "with fewer than 3 seeds in common with the baseline",
    Tested.EMPTY: "without a seed in common with the baseline",
}


def sentences(analysis: Analysis) -> list[str]:
    """A sentence for every comparison of the main family, in the order of the tables.

    Rows of a grid have none: its table shows them as a matrix, and the headline speaks of them.
    """
    in_grids = {label for grid in find_grids(analysis.plan) for label in grid.labels.values()}
    return [sentence(analysis, c) for c in analysis.comparisons if c.variant not in in_grids]


def sentence(analysis: Analysis, cell: Cell) -> str:
    """What `cell`'s comparison with the baseline says."""
    one = cell.comparison
    if one is None:
        raise ValueError(f"{cell.variant} is the baseline; there is nothing to compare it with")
    place = _place(analysis, cell)
    if one.mean is None:
        gaps = _gaps(analysis, cell)
        return f"{quoted(cell.variant)}{place} has no seed in common with the baseline{gaps}."
    diverged = _diverged(analysis, cell)
    base = f"{diverged}{_subject(cell, one, start=not diverged)}{place}"
    side = _side(cell, one.mean)
    if one.tested is Tested.WAITING:
        return (
            f"So far, with {_seeds(one.n)} of {cell.planned}, {quoted(cell.variant)}{place} is "
            f"{side} the baseline{_measured(cell)}; it is tested when all its seeds have ended."
        )
    if one.tested is Tested.FEW:
        return f"{base} is {side} the baseline{_measured(cell)}; fewer than 3 seeds claim nothing."
    if one.tested is Tested.CONSTANT:
        return (
            f"{base} is {side} the baseline{_measured(cell)} in every seed; without any spread "
            "there is no interval."
        )
    return base + _tested(analysis, cell, one)


def _subject(cell: Cell, one: Comparison, *, start: bool) -> str:
    return f"{'With' if start else 'with'} {_seeds(one.n)} {quoted(cell.variant)}"


def _tested(analysis: Analysis, cell: Cell, one: Comparison) -> str:
    """The end of a sentence on a row that has an interval."""
    low, high = one.low or 0.0, one.high or 0.0
    digits, measured = cell.metric.digits, _measured(cell)
    span = (
        f"{number(min(abs(low), abs(high)), digits)} to {number(max(abs(low), abs(high)), digits)}"
    )
    if low > 0 or high < 0:
        end = ""
        if one.verdict in DIFFERENT and one.within_margin:
            end = f": {one.verdict}, but by less than {_margin(analysis, cell)}"
        elif one.verdict in DIFFERENT and not cell.metric.higher_is_better:
            end = f", which is {one.verdict}"
        elif one.verdict is Verdict.OPEN:
            end = "; seeds that diverged are outcomes, too, so no claim is made"
        return f" is {_side(cell, one.mean or 0.0)} the baseline{measured} (95 % CI {span}){end}."
    between = (
        f"between {number(low, digits, signed=True)} and {amount(cell.metric, high, signed=True)}"
    )
    if one.verdict is Verdict.EQUIVALENT:
        margin = _margin(analysis, cell)
        return f" is equivalent to the baseline{measured} within {margin}: {between}."
    ends = (high, -low) if cell.metric.higher_is_better else (-low, high)
    better, worse = (number(max(end, 0.0), digits) for end in ends)
    most = f", so at most {better} better or {worse} worse" if cell.metric.comparable else ""
    return f" does not differ detectably from the baseline{measured}: {between}{most}."


def headline(analysis: Analysis) -> tuple[str, ...]:
    """The study's answer, then what is missing for one and the command that gets it."""
    cells = analysis.comparisons
    if not cells:
        return (_nothing_to_test(analysis),)
    answer = sentence(analysis, cells[0]) if len(cells) == 1 else _answer(analysis, cells)
    return tuple(line for line in (answer, _missing(analysis, cells)) if line)


def _answer(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """One sentence over all comparisons: what differs, what is equivalent, what is open."""
    tested = [c for c in cells if c.comparison and c.comparison.tested is Tested.YES]
    if not tested:
        return _untested(analysis, cells)
    what = _what(analysis)
    of = f"{quoted(analysis.baseline)}{_measured(cells[0])}"
    claims = _with_verdict(tested, *DIFFERENT)
    parts = [f"No {what} differs detectably from {of}{_nowhere(analysis, tested)}"]
    if claims:
        verb = "differs" if len(claims) == 1 else "differ"
        count = f"{len(claims)} of {len(cells)} {what}s {verb} from {of}"
        parts = [f"{count}: {_claims(analysis, claims)}"]
    if alike := _with_verdict(tested, Verdict.EQUIVALENT):
        within = _margin(analysis, alike[0])
        parts.append(f"{len(alike)} equivalent within {within}{_places(analysis, alike)}")
    if undecided := _with_verdict(tested, Verdict.OPEN):
        parts.append(_widest(analysis, undecided, others=bool(claims)))
    if untested := [cell for cell in cells if cell not in tested]:
        parts.append(f"{len(untested)} not tested{_places(analysis, untested)}")
    return "; ".join([*_lost(analysis, cells), *parts]) + "."


def _lost(analysis: Analysis, cells: Sequence[Cell]) -> list[str]:
    """Which rows, the baseline among them, lost how many seeds to divergence."""
    bases = [analysis.cells[analysis.baseline, pair] for pair in analysis.plan.pairs]
    lost = [cell for cell in (*bases, *cells) if cell.diverged]
    named = [
        f"{one.diverged} of {one.planned} seeds of "
        f"{quoted(one.variant)}{_place(analysis, one)} diverged"
        for one in lost[:_MOST_NAMED]
    ]
    rest = len(lost) - len(named)
    return [*named, f"seeds of {rest} more rows diverged"] if rest else named


def _what(analysis: Analysis) -> str:
    if _is_grid(analysis):
        return "combination"
    return "row" if len(analysis.plan.pairs) == 1 else "comparison"


def _with_verdict(cells: Sequence[Cell], *verdicts: Verdict) -> list[Cell]:
    return [cell for cell in cells if cell.comparison and cell.comparison.verdict in verdicts]


def _widest(analysis: Analysis, cells: Sequence[Cell], *, others: bool) -> str:
    """The widest interval of undecided rows, and on which pair it is."""
    known = [(cell, one) for cell in cells if (one := cell.comparison)]
    halves = [((one.high or 0.0) - (one.low or 0.0)) / 2 for _, one in known]
    widest = known[halves.index(max(halves))][0]
    fewest = _seeds(min(one.n for _, one in known))
    which = f" of the other{f' {len(cells)}' * (len(cells) > 1)}" if others else " of a row"
    size = f"±{amount(widest.metric, max(halves))}{_place(analysis, widest)}"
    return f"with {fewest} the widest interval{which} is {size}"


def _claims(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """The rows that differ by name, with their pairs, or in numbers where they are many."""
    differing = [(cell, cell.comparison.verdict) for cell in cells if cell.comparison]
    by_row: dict[tuple[str, Verdict], list[Cell]] = {}
    for cell, verdict in differing:
        by_row.setdefault((cell.variant, verdict), []).append(cell)
    if len(by_row) <= _MOST_NAMED:
        return "; ".join(
            f"{quoted(variant)} is {verdict}{_places(analysis, same)} by {_sizes(same)}"
            for (variant, verdict), same in by_row.items()
        )
    counted = ((one, _with_verdict(cells, one)) for one in dict.fromkeys(v for _, v in differing))
    return "; ".join(
        f"{len(same)} {verdict}{_places(analysis, same)} by {_sizes(same)}"
        for verdict, same in counted
    )


def _sizes(cells: Sequence[Cell]) -> str:
    """How much rows differ: "0.80 points", "0.80 and 2.10 points", or the ends of many."""
    sizes = sorted(abs(cell.comparison.mean or 0) for cell in cells if cell.comparison)
    least, most = (number(size, cells[0].metric.digits) for size in (sizes[0], sizes[-1]))
    largest = amount(cells[0].metric, sizes[-1])
    if least == most:
        return largest
    return f"{least} {'and' if len(sizes) == 2 else 'to'} {largest}"


def _places(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """The pairs of some rows: " on all 3 pairs", or their names where they are few."""
    pairs, found = analysis.plan.pairs, _pairs_of(cells)
    if len(pairs) == 1:
        return ""
    if len(found) == len(pairs):
        return " on both pairs" if len(pairs) == 2 else f" on all {len(pairs)} pairs"
    if len(found) > 2:
        return f" on {len(found)} of {len(pairs)} pairs"
    return f" on {' and '.join(found)}"


def _nowhere(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """The pairs on which no row differs: " on any of 3 pairs", " on resnet110/resnet32"."""
    found, all_pairs = _pairs_of(cells), len(analysis.plan.pairs)
    if all_pairs == 1 or len(found) == 1:
        return _place(analysis, cells[0])
    return f" on any of {len(found)} {'tested ' * (len(found) < all_pairs)}pairs"


def _pairs_of(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.pair for cell in cells))


def _untested(analysis: Analysis, cells: Sequence[Cell]) -> str:
    states = Counter(cell.comparison.tested for cell in cells if cell.comparison)
    rows = f"{len(cells)} {_what(analysis)}s{_places(analysis, cells)}"
    if Tested.WAITING in states:
        return f"None of {rows} has been tested yet: some of the seeds have not ended."
    if states.keys() == {Tested.EMPTY}:
        return f"None of {rows} has a seed in common with the baseline."
    if Tested.CONSTANT not in states:
        return f"Nothing is claimed of {rows}: a test needs 3 seeds in common with the baseline."
    if states.keys() == {Tested.CONSTANT}:
        return f"None of {rows} can be tested: their differences do not vary over seeds."
    reasons = "; ".join(f"{states[why]} {_WHY[why]}" for why in _WHY if why in states)
    return f"None of {rows} can be tested: {reasons}."


def _nothing_to_test(analysis: Analysis) -> str:
    if not analysis.metric.compared:
        return f"{analysis.metric.label}: rows may sum other terms, so nothing is tested."
    return "The study compares nothing with its baseline."


def _missing(analysis: Analysis, cells: Sequence[Cell]) -> str:
    """What would give an answer, or a narrower one."""
    everything = list(analysis.cells.values())
    still_open = sum(why in OPEN for cell in everything for _, why in cell.missing)
    plan = analysis.plan
    if still_open:
        jobs = f"{still_open} job{'s' * (still_open > 1)}"
        verb = "are" if still_open > 1 else "is"
        return f"{jobs} {verb} still to come: `{run_again(plan)}` continues."
    if any(c.comparison and c.comparison.tested is Tested.WAITING for c in cells):
        return f"The study's rule asks for more seeds: `{run_again(plan)}` continues."
    broken = (JobStatus.FAILED.value, JobStatus.BLOCKED.value)
    failed = sum(why in broken for cell in everything for _, why in cell.missing)
    if failed:
        jobs = f"{failed} job{'s' * (failed > 1)}"
        status, retry = Remedy("status", (plan.name,)), Remedy("retry")
        if not plan.profile:  # results of another tool
            return f"{failed} run{'s' * (failed > 1)} failed."
        return f"{jobs} failed: `{status}` shows why, `{retry}` puts them back in the queue."
    return seeds_advice(analysis, cells)


def _is_grid(analysis: Analysis) -> bool:
    labels = {label for grid in find_grids(analysis.plan) for label in grid.labels.values()}
    return bool(labels) and all(cell.variant in labels for cell in analysis.comparisons)


def _seeds(n: int) -> str:
    return f"{n} seed{'s' * (n != 1)}"


def _side(cell: Cell, mean: float) -> str:
    if not float(number(abs(mean), cell.metric.digits).replace(",", "")):
        return "as good as equal to"
    return f"{amount(cell.metric, abs(mean))} {'above' if mean > 0 else 'below'}"


def _margin(analysis: Analysis, cell: Cell) -> str:
    unit = {"%": " points", "": ""}.get(cell.metric.unit, f" {cell.metric.unit}")
    return format_value(analysis.margin or 0.0) + unit


def _diverged(analysis: Analysis, cell: Cell) -> str:
    """Diverged seeds come first: "3 of 8 seeds of τ = 0.01 diverged; "."""
    base = analysis.cells[analysis.baseline, cell.pair]
    lost = [
        f"{one.diverged} of {one.planned} seeds of {name} diverged"
        for one, name in ((cell, quoted(cell.variant)), (base, "the baseline"))
        if one.diverged
    ]
    return f"{' and '.join(lost)}; " if lost else ""


def _gaps(analysis: Analysis, cell: Cell) -> str:
    gaps = [
        f"{quoted(one.variant)}: {', '.join(reasons(one)) or 'no results planned'}"
        for one in (cell, analysis.cells[analysis.baseline, cell.pair])
        if not one.complete
    ]
    return f" ({'; '.join(gaps)})" if gaps else ""


def _place(analysis: Analysis, cell: Cell) -> str:
    return f" on {cell.pair}" if len(analysis.plan.pairs) > 1 else ""


def _measured(cell: Cell) -> str:
    """Names the quantity, except for the accuracy that everyone expects."""
    return "" if cell.metric.name == "top1" else f" in {cell.metric.label}"
