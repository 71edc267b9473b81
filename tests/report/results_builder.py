"""Builds StudyResults by hand: what the store would give, without a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.matrix.plan import PlannedJob, Role, StudyPlan, Variant
from ablate.methods.cocord import COCORD
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import COSTS, Metric
from ablate.store.results import MeasuredRun, StudyResults, TeacherRun

BOTH, PRED, SYM = "L_pred + L̃_pred", "L_pred only", "L̃_pred only"

#: A seed's outcome: a number is a result, a word is the status of a job without one.
Outcome = float | str
#: Outcomes by metric, then (variant, pair) -> one per seed.
Scores = Mapping[tuple[str, str], Sequence[Outcome]]


def variant(label: str, role: str = "variant", method: str = "cocord", group: str = "", **changes):
    """One row; part names are written with double underscores for dots."""
    return Variant(
        label, Role(role), method, {k.replace("__", "."): v for k, v in changes.items()}, group
    )


SYMMETRY = (
    variant(BOTH, "baseline"),
    variant(PRED, group="symmetrization of the prediction loss", prediction__direction="pred"),
    variant(SYM, group="symmetrization of the prediction loss", prediction__direction="pred_sym"),
)


def metrics(*names: str | Metric) -> tuple[Metric, ...]:
    """Metrics by name, as the methods of these studies declare them; others as they are."""
    known = {metric.name: metric for metric in (*COCORD.metrics, *COSTS)}
    return tuple(one if isinstance(one, Metric) else known[one] for one in names)


def build(
    scores: Mapping[str, Scores],
    variants: Sequence[Variant] = SYMMETRY,
    pairs: Sequence[str] = ("resnet20/resnet8",),
    seeds: Sequence[int] = (0, 1, 2),
    **changes,
) -> StudyResults:
    """Results of a study whose metrics are the keys of `scores`.

    `best.` values are the last ones plus 0.5, so that a test can tell them apart. Teachers have
    71 %, 72 %, ... in the order of the pairs. `changes` replace fields of the plan; `facts` and
    `teachers` replace those of the results.
    """
    facts = changes.pop("facts", {"device": ("cpu",), "torch": ("2.14.0",), "threads": ("1",)})
    teachers = changes.pop("teachers", None)
    jobs: list[Any] = []
    rows: list[Any] = []
    for row in variants:
        for pair in pairs:
            for index, seed in enumerate(seeds):
                job = f"{len(jobs):064x}"
                jobs.append(PlannedJob(job, "student", row.label, pair, seed))
                outcomes = {
                    metric: _outcome(cells, row.label, pair, index)
                    for metric, cells in scores.items()
                }
                run = _run(row.label, pair, seed, job, outcomes)
                own = {name: values[len(rows) % len(values)] for name, values in facts.items()}
                rows.append(run._replace(facts=own))
    changes["metrics"] = metrics(*changes.get("metrics", scores))
    plan = StudyPlan(
        **{
            "name": "symmetry",
            "title": "Symmetrization of the prediction loss",
            "question": "Does the swapped view's prediction help?",
            "answers": "plan",
            "profile": "quick",
            "profile_title": "quick check on a small data set; not the published setting",
            "data": "digits",
            "metrics": tuple(scores),
            "pairs": tuple(pairs),
            "seeds": tuple(seeds),
            "baseline": {"epochs": 30, "momentum.teacher_head": 0.999,
                         "momentum.slow_student": 0.9, "deterministic": True},
            "overrides": {},
            "variants": tuple(variants),
            "jobs": tuple(jobs),
            "part_labels": {"momentum.teacher_head": "m_c", "momentum.slow_student": "m_r"},
            "code": "c0de" * 16,
            **changes,
        }
    )  # fmt: skip
    return StudyResults(
        plan,
        tuple(rows),
        _teachers(pairs) if teachers is None else teachers,
        facts,
    )


def _outcome(cells: Scores, label: str, pair: str, index: int) -> Outcome:
    column = cells.get((label, pair), ())
    return column[index] if index < len(column) else "waiting"


def _run(
    label: str, pair: str, seed: int, job: str, outcomes: Mapping[str, Outcome]
) -> MeasuredRun:
    states = [value for value in outcomes.values() if isinstance(value, str)]
    last = {name: value for name, value in outcomes.items() if not isinstance(value, str)}
    best = {name: value + 0.5 for name, value in last.items()}
    return MeasuredRun(
        label, pair, seed, job, JobStatus(states[0] if states else "done"), last, best
    )


def _teachers(pairs: Sequence[str]) -> tuple[TeacherRun, ...]:
    names = list(dict.fromkeys(pair.partition("/")[0] for pair in pairs))
    return tuple(
        TeacherRun(name, JobStatus.DONE, f"{index:064x}", 71.0 + index, "d" * 64, "")
        for index, name in enumerate(names)
    )


def one_pair(*columns: Sequence[Outcome], variants: Sequence[Variant] = SYMMETRY) -> Scores:
    """Scores of the rows in order, on the default pair."""
    return {
        (row.label, "resnet20/resnet8"): column
        for row, column in zip(variants, columns, strict=True)
    }
