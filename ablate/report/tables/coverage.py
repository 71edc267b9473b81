"""What intervals cover, and what pairing over seeds bought."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.matrix.plan import StudyPlan
from ablate.report.tables.comparisons import PairFamily
from ablate.report.tables.text import number

_GAIN = 1.05  #: times narrower or wider, below which paired and unpaired intervals are alike


def covers(plan: StudyPlan, families: Sequence[PairFamily]) -> str:
    """What the intervals of a table cover and what pairing bought; "" if it has no interval."""
    shown = [family for family in families if family.has_intervals]
    if not shown:
        return ""
    line = f"Intervals cover {coverage(plan, [family.pair for family in shown])}."
    bought = [text for family in shown if (text := _pairing(family, len(families) > 1))]
    return " ".join([line, *bought])


def coverage(plan: StudyPlan, pairs: Sequence[str]) -> str:
    """What varies from run to run, and what does not: "seeds, given this split and test set".

    What a seed fixes is known of the package's own training alone, which reads a data set of ours.
    """
    what = "seeds (first weights, order, views)" if plan.data and plan.profile else "seeds"
    taught = any("/" in pair for pair in pairs)
    return f"{what}, given this {'teacher, ' * taught}split and test set"


def _pairing(family: PairFamily, several: bool) -> str:
    """What pairing bought: "Pairing: r = 0.84, 2.4 times narrower."."""
    one = family.pairing
    if one is None:
        return ""
    place = f" on {family.pair}" if several else ""
    r = number(one.r, 2)
    # As a factor: a half-width at the pooled spread would stand beside those of the rows.
    times = max(one.gain, 1 / one.gain)
    width = f"{times:.1f} times {'narrower' if one.gain > 1 else 'wider'} than"
    return f"Pairing{place}: r = {r}, {width if times >= _GAIN else 'about as wide as'} unpaired."
