"""Looks: which rows were tested with which seeds, on record in the results folder.

A test that is repeated as seeds are added finds a difference in the end, whether there is one or
not. So a run that completes a set of seeds writes down that its rows can now be tested, and a
report of more seeds says so. Only runs write looks; reports read them.

A look names rows by the digest of what they compute, not by study or label, so that a new title, a
new study file with the same rows, or a study that was forgotten hides none. Its file is named by
its content: writing one twice changes nothing, and the looks of two folders merge by copying.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.matrix.identity import canonical
from ablate.matrix.plan import Role, StudyPlan
from ablate.methods.lifecycle import BROKEN, JobStatus
from ablate.store import values
from ablate.store.folders import Folder
from ablate.store.results import StudyResults

FOLDER = "looks"
FEWEST_SEEDS = 3  #: with fewer nothing is tested
_MOST_BYTES = 1_000_000

#: Statuses of jobs that may yet give a value.
OPEN = frozenset(JobStatus) - BROKEN - {JobStatus.DONE}


@dataclass(frozen=True)
class Look:
    """One pair's rows at the moment when they could first be tested with these seeds."""

    pair: str
    metrics: tuple[str, ...]  #: that the study reports
    baseline: str  #: digest of what the baseline computes
    rows: Mapping[str, tuple[int, ...]]  #: digest of a row -> seeds that it and the baseline have

    @property
    def seeds(self) -> int:
        """How many seeds the row with most of them has."""
        return max((len(seeds) for seeds in self.rows.values()), default=0)

    def to_json(self) -> dict[str, Any]:
        """Plain types; `from_json` gives the equal look back."""
        rows = {row: sorted(seeds) for row, seeds in sorted(self.rows.items())}
        return {"pair": self.pair, "metrics": sorted(self.metrics), "baseline": self.baseline,
                "rows": rows}  # fmt: skip

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Look:
        """Read what `to_json` gave; one of `values.MISSHAPEN` for anything else."""
        rows = {str(row): tuple(map(int, seeds)) for row, seeds in document["rows"].items()}
        metrics = tuple(map(str, document["metrics"]))
        return cls(str(document["pair"]), metrics, str(document["baseline"]), rows)


def looks_of(results: StudyResults) -> list[Look]:
    """The looks that a study's results allow now: pairs whose jobs have all ended."""
    plan = results.plan
    baseline = next((one.label for one in plan.variants if one.role is Role.BASELINE), "")
    found = []
    for pair in plan.pairs:
        runs = [run for run in results.runs if run.pair == pair]
        if not runs or any(run.status in OPEN for run in runs):
            continue
        done: dict[str, set[int]] = {}
        for run in runs:
            if run.status is JobStatus.DONE:
                done.setdefault(run.variant, set()).add(run.seed)
        base = done.pop(baseline, set())
        rows = {
            digest(plan, label, pair): tuple(sorted(seeds & base))
            for label, seeds in done.items()
            if len(seeds & base) >= FEWEST_SEEDS
        }
        if rows:
            names = tuple(metric.name for metric in plan.metrics)
            found.append(Look(pair, names, digest(plan, baseline, pair), rows))
    return found


def digest(plan: StudyPlan, label: str, pair: str) -> str:
    """What a row computes on a pair, whatever the seed; its label where the plan has no digest."""
    return plan.rows.get(label, {}).get(pair) or f"label:{label}"


def record_looks(folder: Path, results: StudyResults) -> list[Look]:
    """Write down the looks that `results` allow into the results folder; returns those.

    To be called by a run when a set of seeds has ended. Repeating it changes nothing. Raises
    OSError if the folder cannot be written.
    """
    looks = looks_of(results)
    place = Folder(folder / FOLDER, depth=1)
    if looks:
        place.make()
    for look in looks:
        text = canonical(look.to_json())
        name = f"{hashlib.sha256(text.encode()).hexdigest()}.json"
        if not (place.path / name).exists():
            place.write(name, text.encode())
    return looks


def read_looks(folder: Path) -> tuple[Look, ...]:
    """All looks on record; a file that is no look is passed over."""
    found = []
    place = Folder(folder / FOLDER, depth=1)
    try:
        names = [name for name in place.names() if name.endswith(".json")]
    except OSError:
        return ()
    for name in names:
        try:
            content = place.read(name, most_bytes=_MOST_BYTES)
            found.append(Look.from_json(json.loads(content)))
        except (OSError, *values.MISSHAPEN):
            continue
    return tuple(found)


def earlier_sizes(looks: Iterable[Look], now: Look, metric: str) -> tuple[int, ...]:
    """Numbers of seeds with which rows of `now` were tested on other seeds before, ascending."""
    sizes = {
        len(seeds)
        for look in looks
        if (look.pair, look.baseline) == (now.pair, now.baseline) and metric in look.metrics
        for row, seeds in look.rows.items()
        if row in now.rows and set(seeds) != set(now.rows[row])
    }
    return tuple(sorted(sizes))
