"""Results of jobs: a record per job of each study for other programs, study results for reports.

Nothing here touches the rows per epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, null, select

from ablate.matrix.plan import StudyPlan
from ablate.methods.lifecycle import JobStatus
from ablate.methods.metrics import COSTS
from ablate.store import schema
from ablate.store.find import find_study
from ablate.store.index import Index
from ablate.store.looks import read_looks
from ablate.store.processes import Alive, is_alive
from ablate.store.results import MeasuredRun, StudyResults, TeacherRun
from ablate.store.states import (
    PLAN_COLUMNS,
    STATE_COLUMNS,
    job_status,
    parsed,
    planned_jobs,
    read_plan,
    statuses,
)

Record = dict[str, Any]

_COSTS = frozenset(metric.name for metric in COSTS)
_PLANNED = schema.study_jobs.c
_JOBS = schema.jobs.c
_MEASURED = (
    _JOBS.attempts,
    _JOBS.resumed_from,
    _JOBS.best_epoch,
    _JOBS.weights_digest,
    _JOBS.metrics,
    _JOBS.best,
    _JOBS.costs,
)
_MEASURED_OF_RUN = (_JOBS.metrics, _JOBS.best, _JOBS.costs, _JOBS.finished, _JOBS.facts)


def export(index: Index, study: str | None = None, alive: Alive = is_alive) -> list[Record]:
    """A record per place in the plans of all studies, or of the one of this name or key.

    A job that several rows or studies share has a record in each of them, under their labels.
    Ordered by study and place in its plan; jobs that left their studies come last, by id. Plain
    types only. Raises InputError for an unknown study.
    """
    return index.read(partial(_records, study=study, alive=alive))


def study_results(index: Index, key: str, alive: Alive = is_alive) -> StudyResults:
    """A study's plan and what its jobs have measured; InputError for an unknown key.

    Costs belong to a whole run, so they stand in the columns of the last and of the best epoch.
    """
    results = index.read(partial(_study_results, key=key, alive=alive))
    return replace(results, looks=read_looks(index.results))


def _records(connection: Connection, study: str | None, alive: Alive) -> list[Record]:
    query = planned_jobs(
        *STATE_COLUMNS,
        *PLAN_COLUMNS[1:5],
        _PLANNED.study,
        _JOBS.method,
        *_MEASURED,
    )
    if study is not None:
        query = query.where(_PLANNED.study == find_study(connection, study))
    rows = connection.execute(query).all()
    found = statuses((row[: len(STATE_COLUMNS)] for row in rows), alive)
    if study is None:
        left = _left_over(connection)
        found |= {row.job: job_status(row, alive) for row in left}
        rows = [*rows, *left]
    plans = _plans(connection, {row.study for row in rows if row.study is not None})
    metrics, best, costs, resumed = (
        parsed([getattr(row, name) for row in rows], empty)
        for name, empty in (
            ("metrics", "{}"), ("best", "{}"), ("costs", "{}"), ("resumed_from", "[]")
        )
    )  # fmt: skip
    return [
        {
            "id": row.job,
            **_of_study(row, plans),
            "variant": row.variant,
            "pair": row.pair,
            "seed": row.seed,
            "status": found[row.job].value,
            "attempts": row.attempts or 0,
            "resumed_from": resumed[i],
            "metrics": _without_costs(metrics[i]),
            "weights_digest": row.weights_digest or None,
            "kind": row.kind,
            "method": row.method or _method(row, plans),
            "best": _without_costs(best[i]),
            "best_epoch": row.best_epoch or None,
            "costs": _only_costs(metrics[i]) | costs[i],
        }
        for i, row in enumerate(rows)
    ]


def _left_over(connection: Connection) -> list[Any]:
    """Jobs that no study has any more, in the shape of the others."""
    nothing = select(_PLANNED.job).where(_PLANNED.job == _JOBS.id)
    query = (
        select(
            _JOBS.id.label("job"),
            *(_JOBS[c.name] for c in STATE_COLUMNS if c.name in _JOBS),
            *(_JOBS[name] for name in ("kind", "pair", "seed", "method")),
            *_MEASURED,
            null().label("study"),
            null().label("variant"),
        )
        .where(~nothing.exists())
        .order_by(_JOBS.id)
    )
    return list(connection.execute(query).all())


def _plans(connection: Connection, keys: Set[str]) -> dict[str, StudyPlan]:
    """Key -> the plan of a study, without its jobs."""
    return {key: read_plan(connection, key, jobs=()) for key in sorted(keys)}


def _of_study(row: Any, plans: Mapping[str, StudyPlan]) -> Record:
    """What tells a study's records from those of the same rows under other conditions."""
    if row.study is None:
        return {"study": None, "study_key": None, "profile": None, "data": None,
                "overrides": {}}  # fmt: skip
    plan = plans[row.study]
    return {
        "study": plan.name,
        "study_key": row.study,
        "profile": plan.profile,
        "data": plan.data,
        "overrides": dict(plan.overrides),
    }


def _method(row: Any, plans: Mapping[str, StudyPlan]) -> str | None:
    """The method of a job that never started."""
    variants = plans[row.study].variants if row.study is not None else ()
    return next((one.method for one in variants if one.label == row.variant), None)


def _study_results(connection: Connection, key: str, alive: Alive) -> StudyResults:
    plan = read_plan(connection, key, jobs=())
    columns = (*STATE_COLUMNS, *PLAN_COLUMNS[1:5], *_MEASURED_OF_RUN)
    rows = connection.execute(planned_jobs(*columns).where(_PLANNED.study == key)).all()
    found = statuses((row[: len(STATE_COLUMNS)] for row in rows), alive)
    students = [row for row in rows if row.variant is not None]
    known = _by_column([column.name for column in columns], students)
    return StudyResults(plan, _runs(known, found), _teachers(connection, key, found), _facts(known))


def _by_column(names: Sequence[str], rows: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Rows turned on their side, which is faster to work on where there are very many."""
    return dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))


def _runs(
    known: Mapping[str, Sequence[Any]], found: Mapping[str, JobStatus]
) -> tuple[MeasuredRun, ...]:
    last, best, costs = (parsed(known[name], "{}") for name in ("metrics", "best", "costs"))
    last = [{**own, **measured} for own, measured in zip(last, costs, strict=True)]
    best = [{**own, **_only_costs(all_)} for own, all_ in zip(best, last, strict=True)]
    plan = (known[name] for name in ("variant", "pair", "seed", "job"))
    texts = list(dict.fromkeys(known["facts"]))  # few: runs of a study have most facts in common
    facts = dict(zip(texts, parsed(texts, "{}"), strict=True))
    measured = (last, best, known["finished"], map(facts.get, known["facts"]))
    return tuple(map(MeasuredRun, *plan, map(found.get, known["job"]), *measured))


def _teachers(
    connection: Connection, key: str, found: Mapping[str, JobStatus]
) -> tuple[TeacherRun, ...]:
    columns = (*PLAN_COLUMNS, _JOBS.metrics, _JOBS.weights_digest, _JOBS.checkpoint)
    of_study = planned_jobs(*columns).where(
        _PLANNED.study == key, _PLANNED.variant.is_(None), _PLANNED.kind == "teacher"
    )
    rows = connection.execute(of_study).all()
    metrics = parsed([row.metrics for row in rows], "{}")
    return tuple(
        TeacherRun(
            row.pair,
            found[row.job],
            row.job,
            top1 if (top1 := measured.get("top1")) is not None and math.isfinite(top1) else None,
            row.weights_digest or "",
            row.checkpoint or "",
        )
        for row, measured in zip(rows, metrics, strict=True)
    )


def _facts(known: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    """Distinct values of each fact over the study's finished student jobs."""
    done = {
        f for f, now in zip(known["facts"], known["status"], strict=True) if now == JobStatus.DONE
    }
    found: dict[str, set[str]] = {}
    for facts in parsed(sorted(done), "{}"):
        for name, value in facts.items():
            found.setdefault(name, set()).add(value)
    return {name: tuple(sorted(found[name])) for name in sorted(found)}


def _without_costs(values: dict[str, float]) -> dict[str, float]:
    if _COSTS.isdisjoint(values):
        return values
    return {name: value for name, value in values.items() if name not in _COSTS}


def _only_costs(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name in _COSTS}
